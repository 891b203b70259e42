//! How cost grows as the work grows, as a process; benches/growth.sh builds what it needs. Prints tables, and writes
//! JSON and a chart.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use wxgate_load::growth::{self, Choice, Kind, Results};
use wxgate_load::stage::{Cores, Options, Place, Rounds};

/// Measures what a request, a session and a connection cost wxgate, with more and more routes, sessions, connections and
/// bytes.
#[derive(Debug, Parser)]
#[command(name = "benches/growth.sh")]
struct Arguments {
    /// What grows, separated by commas; everything without it
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Kind>,
    #[command(flatten)]
    options: Options,
    /// What measures its store from inside
    #[arg(long, default_value = "target/release/examples/store")]
    store: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = &arguments.options;
    let chart = |results: &Results| Some(results.chart());
    if options.redraw("growth", chart)? {
        return Ok(());
    }
    let (is_whole, choice) = (arguments.only.is_empty(), choice(&arguments)?);
    let measure = |place: &Place| growth::run(place, &choice);
    options.run("growth", Cores::apart(), is_whole, measure, chart)
}

fn choice(arguments: &Arguments) -> anyhow::Result<Choice> {
    let usual = Rounds {
        count: 5,
        warm_up: 0.5,
        window: 2.0,
    };
    let quick = Rounds {
        count: 1,
        warm_up: 0.2,
        window: 0.5,
    };
    let (counted, most_logins) = if arguments.options.is_quick() {
        (100, 10_000)
    } else {
        (500, 1_000_000)
    };
    let kinds = match &*arguments.only {
        [] => Kind::value_variants(),
        only => only,
    };
    Ok(Choice {
        kinds: kinds.to_vec(),
        rounds: arguments.options.rounds(usual, quick)?,
        counted,
        most_logins,
        store: arguments.store.clone(),
    })
}
