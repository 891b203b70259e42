//! How cost grows as the work grows, as a process; benches/growth.sh builds what it needs. Prints tables, and writes
//! JSON and a chart.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use wxgate_load::growth::{self, Choice, Kind, Results};
use wxgate_load::stage::{self, Cores, Output, Place};

/// Measures what a request, a session and a connection cost wxgate, with more and more routes, sessions, connections and
/// bytes.
#[derive(Debug, Parser)]
#[command(name = "benches/growth.sh")]
struct Arguments {
    /// What grows, separated by commas; everything without it
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    /// How many times each figure is measured
    #[arg(long)]
    rounds: Option<usize>,
    /// How long each measurement is, in seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// One short round, for a first impression
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
    /// Draw the chart and the tables of this directory again from its growth.json, and measure nothing
    #[arg(long)]
    redraw: Option<PathBuf>,
    /// The core of the proxy
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of the generator and the backend
    #[arg(long, default_value_t = 1)]
    ends_core: usize,
    /// The wxgate to measure
    #[arg(long, default_value = "target/release/wxgate")]
    wxgate: PathBuf,
    /// What measures its store from inside
    #[arg(long, default_value = "target/release/examples/store")]
    store: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(directory) = &arguments.redraw {
        let json = fs::read_to_string(directory.join("growth.json"))?;
        return write(&Results::read(&json)?, directory);
    }
    let is_whole = arguments.only.is_empty() && !arguments.quick;
    let directory = arguments.output.directory(is_whole)?;
    let choice = choice(&arguments)?;
    let cores = Cores {
        proxy: vec![arguments.proxy_core],
        ends: vec![arguments.ends_core],
    };
    let place = Place::open(cores, arguments.wxgate.clone())?;
    let results = growth::run(&place, &choice)?;
    writeln!(io::stdout(), "{results}")?;
    write(&results, directory)
}

fn choice(arguments: &Arguments) -> anyhow::Result<Choice> {
    let usual = Choice {
        kinds: arguments.only.clone(),
        rounds: 5,
        warm_up: 0.5,
        window: 2.0,
        counted: 500,
        most_logins: 1_000_000,
        store: arguments.store.clone(),
    };
    let mut choice = if arguments.quick {
        Choice {
            rounds: 1,
            warm_up: 0.2,
            window: 0.5,
            counted: 100,
            most_logins: 10_000,
            ..usual
        }
    } else {
        usual
    };
    if choice.kinds.is_empty() {
        choice.kinds = Kind::value_variants().to_vec();
    }
    choice.rounds = arguments.rounds.unwrap_or(choice.rounds);
    choice.window = arguments.seconds.unwrap_or(choice.window);
    ensure!(
        choice.rounds > 0 && choice.window > 0.0,
        "nothing would be measured"
    );
    Ok(choice)
}

fn write(results: &Results, to: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(results)? + "\n";
    let files = [
        ("growth.json", json),
        ("growth.svg", results.chart()),
        ("growth.md", results.to_string()),
    ];
    stage::write(to, &files)
}
