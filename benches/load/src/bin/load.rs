//! The load generator as a process. Prints `open` when its window opens, then the report as one line of JSON.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use wxgate_load::load::{self, Offer, Pace, Plan, Protocol, Requests, Target};

/// A load generator for one thread: keep-alive connections, closed loop, or open loop with --rate.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to connect to
    #[arg(long)]
    target: SocketAddr,
    /// What to ask for
    #[arg(long, default_value = "/bytes/1024")]
    path: String,
    /// A file with the host and the path of a target in each line, which requests take in turn
    #[arg(long)]
    targets: Option<PathBuf>,
    /// A file with a form in each line, to be posted to --path once; no more than --most of them
    #[arg(long)]
    forms: Option<PathBuf>,
    /// How many of the forms to leave out
    #[arg(long, default_value_t = 0)]
    skip: usize,
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
    /// Speak HTTP/2, with so many requests at a time on each connection, which asks for the same again and again
    #[arg(long, value_name = "STREAMS", requires = "tls", conflicts_with_all = ["body_bytes", "forms", "hold"])]
    http2: Option<usize>,
    /// On what connections requests go
    #[arg(long, value_enum, default_value = "kept")]
    on: On,
    /// Ask once on each connection, then print `open` and hold them until stdin ends
    #[arg(long)]
    hold: bool,
    /// With --hold: ask on each connection once more before that
    #[arg(long)]
    ask_again: bool,
}

/// On what connections requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    /// Those that were opened at the start
    Kept,
    /// Each on one of its own, that is closed after the answer
    Anew,
    /// Each on one of its own, that resumes the TLS session of one before
    Resumed,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let plan = plan(&arguments)?;
    let requests = requests(&arguments)?;
    if arguments.hold {
        ensure!(!plan.anew, "--hold is for connections that are kept");
        return Ok(load::hold(&plan, requests, arguments.ask_again, || {
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
    ensure!(
        arguments.http2.is_none() || arguments.on == On::Kept,
        "--http2 is for connections that are kept"
    );
    let offer = Offer {
        is_http2: arguments.http2.is_some(),
        resumes: arguments.on == On::Resumed,
    };
    let trust = |file: &Path| load::trust(file, offer);
    let protocol = match arguments.http2 {
        Some(streams) => Protocol::Http2 { streams },
        None => Protocol::Http1,
    };
    Ok(Plan {
        target: arguments.target,
        tls: arguments.tls.as_deref().map(trust).transpose()?,
        protocol,
        anew: arguments.on != On::Kept,
        connections: arguments.connections,
        pace,
        warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
        window: Duration::try_from_secs_f64(arguments.seconds)?,
        most: arguments.most,
    })
}

fn requests(arguments: &Arguments) -> anyhow::Result<Requests> {
    let usual = Target::path(&arguments.path);
    if let Some(file) = &arguments.forms {
        let forms = read(file)?;
        let most = usize::try_from(arguments.most).unwrap_or(usize::MAX);
        let forms = forms.lines().skip(arguments.skip).take(most);
        return Ok(Requests::once(&usual, forms));
    }
    let tokens = arguments.tokens.as_deref().map(read).transpose()?;
    let tokens: Vec<_> = tokens
        .iter()
        .flat_map(|text| text.lines())
        .map(str::to_owned)
        .collect();
    let targets = match &arguments.targets {
        Some(file) => read(file)?
            .lines()
            .map(target)
            .collect::<anyhow::Result<_>>()?,
        None => vec![usual],
    };
    let (bytes, header) = (arguments.body_bytes, &arguments.header);
    Ok(Requests::new(&targets, bytes, header, &tokens))
}

fn target(line: &str) -> anyhow::Result<Target> {
    let (host, path) = line.split_once(' ').context("a target is HOST PATH")?;
    Ok(Target {
        host: host.to_owned(),
        path: path.to_owned(),
    })
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
