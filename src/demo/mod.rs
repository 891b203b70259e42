//! Everything in one process on loopback: a gateway, a WeChat simulator and a sample backend, with a walk-through to
//! paste. It needs no file, no account and no network.

mod backend;
mod walkthrough;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;
use tokio::signal::ctrl_c;

use crate::config::{self, Surroundings};
use crate::domain::clock::Clock;
use crate::simulator::Simulator;
use crate::{app, telemetry};

use backend::Backend;

/// Where the demo's gateway listens, if nothing else does.
const USUAL_PORT: u16 = 8080;
/// The demo's one mini-program.
const APPID: &str = "wx0123456789abcdef";
/// Its secret, which protects nothing.
const SECRET: &str = "secret-of-the-demo";

/// Runs the demo until Ctrl-C.
///
/// # Errors
///
/// A part does not start.
pub fn run() -> anyhow::Result<()> {
    let simulator = Simulator::start(loopback(0)?).context("the simulator does not start")?;
    simulator.register_app(APPID, SECRET);
    let backend = Backend::start(loopback(0)?).context("the sample backend does not start")?;
    let port = free_port()?;
    let text = config_text(port, &simulator.base_url(), &backend.base_url());
    let mut surroundings = Surroundings::of_process();
    surroundings
        .variables
        .insert("DEMO_SECRET".to_owned(), SECRET.to_owned());
    let plan = config::read("demo.toml", &text, &surroundings)?;
    let log = telemetry::start(&plan.log)?;
    let running = app::start(plan, Clock::start())?;
    running.metrics().watch_dropped_lines(log.dropped_lines());
    let gateway = running
        .addresses()
        .first()
        .copied()
        .context("the gateway has no address")?;
    let admin = running
        .admin_address()
        .context("the admin listener has no address")?;
    let words = walkthrough::text(gateway, &simulator.base_url(), admin);
    std::io::stdout().write_all(words.as_bytes())?;
    running.wait(ctrl_c()).context("Ctrl-C cannot be awaited")?;
    running.stop()
}

fn config_text(port: u16, wechat: &str, backend: &str) -> String {
    include_str!("demo.toml")
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
        .replace("http://wechat.invalid", wechat)
        .replace("http://backend.invalid", backend)
}

/// The usual port, or any other if that is taken.
fn free_port() -> anyhow::Result<u16> {
    let probe = loopback(USUAL_PORT).or_else(|_| loopback(0));
    Ok(probe
        .and_then(|probe| probe.local_addr())
        .context("no port is free")?
        .port())
}

fn loopback(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
