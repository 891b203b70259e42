//! Everything in one process on loopback: a gateway, a WeChat simulator and a sample backend, with a walk-through to
//! paste. It needs no file, no account and no network.

mod backend;
mod walkthrough;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::plan::Plan;
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
    let plan = |port| plan(port, &simulator.base_url(), &backend.base_url());
    let usual = plan(USUAL_PORT)?;
    let log = telemetry::start(&usual.log)?;
    // Any other port, if something else listens on the usual one.
    let running =
        app::start(usual, Clock::start()).or_else(|_| app::start(plan(0)?, Clock::start()))?;
    running.metrics().watch_dropped_lines(log.dropped_lines());
    let mut ctrl_c = running
        .wait(async { signal(SignalKind::interrupt()) })
        .context("Ctrl-C cannot be awaited")?;
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
    running.wait(ctrl_c.recv());
    running.stop()
}

fn plan(port: u16, wechat: &str, backend: &str) -> anyhow::Result<Plan> {
    let text = include_str!("demo.toml")
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
        .replace("http://wechat.invalid", wechat)
        .replace("http://backend.invalid", backend);
    let mut surroundings = Surroundings::of_process();
    surroundings
        .variables
        .insert("DEMO_SECRET".to_owned(), SECRET.to_owned());
    Ok(config::read("demo.toml", &text, &surroundings)?)
}

fn loopback(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
