//! Logins against the simulator, as a process; benches/logins.sh builds what it needs. Prints tables, and writes JSON.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;
use wxgate_load::logins::{self, Choice};
use wxgate_load::stage::{self, Cores, Output, Place};

/// Measures how many users log in a second, with gateway, simulator and generator on two cores, and what the gateway
/// holds while WeChat hangs.
#[derive(Debug, Parser)]
#[command(name = "benches/logins.sh")]
struct Arguments {
    /// How many windows logins are counted in
    #[arg(long)]
    windows: Option<u64>,
    /// One short window, and a short hang, for a first impression
    #[arg(long)]
    quick: bool,
    /// Only what happens when WeChat hangs
    #[arg(long, conflicts_with = "windows")]
    hang: bool,
    #[command(flatten)]
    output: Output,
    /// The cores of all that takes part, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "0,1")]
    cores: Vec<usize>,
    /// The wxgate to measure
    #[arg(long, default_value = "target/release/wxgate")]
    wxgate: PathBuf,
    /// The simulator as a process
    #[arg(long, default_value = "target/release/examples/simulator")]
    simulator: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let is_whole = !arguments.hang && !arguments.quick;
    let directory = arguments.output.directory(is_whole)?;
    let choice = choice(&arguments)?;
    let cores = Cores {
        proxy: arguments.cores.clone(),
        ends: arguments.cores.clone(),
    };
    let place = Place::open(cores, arguments.wxgate.clone())?;
    let results = logins::run(&place, &choice)?;
    writeln!(io::stdout(), "{results}")?;
    let json = serde_json::to_string_pretty(&results)? + "\n";
    let files = [("logins.json", json), ("logins.md", results.to_string())];
    stage::write(directory, &files)
}

fn choice(arguments: &Arguments) -> anyhow::Result<Choice> {
    let (windows, codes, hang_seconds) = if arguments.quick {
        (1, 5_000, 6)
    } else {
        (5, 20_000, 15)
    };
    let windows = arguments.windows.unwrap_or(windows);
    ensure!(windows > 0, "nothing would be measured");
    Ok(Choice {
        windows: if arguments.hang { 0 } else { windows },
        codes,
        hang_seconds,
        simulator: arguments.simulator.clone(),
    })
}
