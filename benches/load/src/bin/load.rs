//! The load generator as a process. Prints `open` when its window opens, then the report as one line of JSON.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use wxgate_load::load::{self, Pace, Plan, Requests};

/// A load generator for one thread: keep-alive connections, closed loop, or open loop with --rate.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to connect to
    #[arg(long)]
    target: SocketAddr,
    /// What to ask for
    #[arg(long, default_value = "/bytes/1024")]
    path: String,
    /// How many bytes to POST; 0 for a GET
    #[arg(long, default_value_t = 0)]
    body_bytes: usize,
    /// The header with the session, whose token is {}
    #[arg(long, default_value = "X-Skey: {}")]
    header: String,
    /// A file with a token in each line, which requests take in turn
    #[arg(long)]
    tokens: Option<PathBuf>,
    /// How many connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests a second, at instants that no answer moves
    #[arg(long)]
    rate: Option<f64>,
    /// How long to go before the window opens, in seconds
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// How long the window is open, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Close the window after so many answers
    #[arg(long, default_value_t = u64::MAX)]
    most: u64,
    /// Use TLS, and trust the certificate in this file
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Ask once on each connection, then print `open` and hold them until stdin ends
    #[arg(long)]
    hold: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plan = plan(&arguments)?;
    let tokens = tokens(arguments.tokens.as_deref())?;
    let requests = Requests::new(
        &arguments.path,
        arguments.body_bytes,
        &arguments.header,
        &tokens,
    );
    if arguments.hold {
        return Ok(load::hold(&plan, requests, || {
            say("open")?;
            io::stdin().read_to_end(&mut Vec::new()).map(drop)
        })?);
    }
    let report = load::run(&plan, requests, || say("open"))?;
    Ok(say(&serde_json::to_string(&report)?)?)
}

fn plan(arguments: &Arguments) -> anyhow::Result<Plan> {
    let pace = match arguments.rate {
        Some(rate) => {
            ensure!(rate > 0.0, "--rate must be above 0");
            Pace::Open(Duration::try_from_secs_f64(1.0 / rate)?)
        }
        None => Pace::Closed,
    };
    Ok(Plan {
        target: arguments.target,
        tls: arguments.tls.as_deref().map(load::trust).transpose()?,
        connections: arguments.connections,
        pace,
        warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
        window: Duration::try_from_secs_f64(arguments.seconds)?,
        most: arguments.most,
    })
}

fn tokens(file: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let Some(file) = file else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
