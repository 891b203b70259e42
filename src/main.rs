//! The command line: arguments → config → telemetry → run; an error becomes an exit code.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};
use mimalloc::MiMalloc;
use wxgate::config::{self, Surroundings, plan::Plan};
use wxgate::explain::{Question, explain};
use wxgate::sessions_command::{self, SessionsCommand, SessionsError};
use wxgate::{demo, service};

/// Requests allocate little and often, which this does in fewer instructions than the system's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A reverse-proxy authentication gateway for WeChat mini-programs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The config file.
    #[arg(
        long,
        global = true,
        default_value = "gateway.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve, as without a command.
    Run,
    /// Tell every problem of the config, and exit with 1 if there is one.
    Check,
    /// Tell which route a request falls under and what would be forwarded.
    Explain {
        /// The method, as in GET.
        method: Method,
        /// The address, with or without a host: `http://a.example/path?query` or `/path?query`.
        url: Uri,
        /// A header of the request, as in "X-OpenId: me"; may be repeated.
        #[arg(long, short = 'H', value_parser = header)]
        header: Vec<(HeaderName, HeaderValue)>,
    },
    /// Show the sessions of a gateway that runs, and end some of them.
    ///
    /// It exits with 1 if that cannot be done, and with 3 if there is no such session.
    Sessions(SessionsCommand),
    /// Run a gateway, a WeChat simulator and a sample backend on loopback, with a walk-through to paste.
    Demo,
}

fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let done = match command.unwrap_or(Command::Run) {
        Command::Run => load(&config).and_then(service::run),
        Command::Check => check(&config).and_then(|_| say(&format!("{}: ok\n", config.display()))),
        Command::Explain {
            method,
            url,
            header,
        } => load(&config).and_then(|plan| {
            let told = explain(
                &plan,
                Question {
                    method,
                    uri: url,
                    headers: header,
                },
            );
            say(&told.unwrap_or_else(|refusal| {
                let (status, code) = (refusal.code.status().as_u16(), refusal.code);
                format!("refused   {status} {code}: {}\n", refusal.reason)
            }))
        }),
        Command::Sessions(command) => {
            sessions_command::run(command, &config, &mut std::io::stdout()).map_err(Into::into)
        }
        Command::Demo => demo::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            let of_sessions = error.downcast_ref::<SessionsError>();
            of_sessions.map_or(ExitCode::FAILURE, |error| error.exit_status().into())
        }
    }
}

fn load(file: &std::path::Path) -> anyhow::Result<Plan> {
    Ok(config::load(file, &Surroundings::of_process())?)
}

fn check(file: &std::path::Path) -> anyhow::Result<Plan> {
    Ok(config::load(file, &Surroundings::of_process().checking())?)
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as NAME: VALUE")?;
    let name = name
        .trim()
        .parse()
        .map_err(|_| format!("`{name}` is no header name"))?;
    let value = value
        .trim()
        .parse()
        .map_err(|_| "the value has a control character")?;
    Ok((name, value))
}
