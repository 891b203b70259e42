//! The backend as a process. Prints its address once it listens.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::Parser;
use wxgate_load::backend;

/// A lean HTTP/1.1 server: `/bytes/N` answers with N bytes, `/auth` with 204, `/sns/jscode2session` with a session.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How late each answer comes, in microseconds
    #[arg(long, default_value_t = 0)]
    delay_us: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(arguments.listen)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?)?;
    out.flush()?;
    Ok(backend::serve(
        &listener,
        Duration::from_micros(arguments.delay_us),
    )?)
}
