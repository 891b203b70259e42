//! Logins against the simulator, as a process; benches/logins.sh builds what it needs. Prints tables, and writes JSON.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use wxgate_load::logins::{self, Choice, Results};
use wxgate_load::stage::{Cores, Options, Place, Rounds};

/// Measures how many users log in a second, with gateway, simulator and generator on two cores, and what the gateway
/// holds while WeChat hangs. A round is a window of logins, and the seconds are those of the hang.
#[derive(Debug, Parser)]
#[command(name = "benches/logins.sh")]
struct Arguments {
    /// Only what happens when WeChat hangs
    #[arg(long)]
    hang: bool,
    #[command(flatten)]
    options: Options,
    /// The simulator as a process
    #[arg(long, default_value = "target/release/examples/simulator")]
    simulator: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = &arguments.options;
    let chart = |_: &Results| None;
    if options.redraw("logins", chart)? {
        return Ok(());
    }
    let choice = choice(&arguments)?;
    let measure = |place: &Place| logins::run(place, &choice);
    options.run("logins", Cores::together(), !arguments.hang, measure, chart)
}

fn choice(arguments: &Arguments) -> anyhow::Result<Choice> {
    let usual = Rounds {
        count: 5,
        warm_up: 0.0,
        window: 15.0,
    };
    let quick = Rounds {
        count: 1,
        window: 6.0,
        ..usual
    };
    let codes = if arguments.options.is_quick() {
        5_000
    } else {
        20_000
    };
    let rounds = arguments.options.rounds(usual, quick)?;
    Ok(Choice {
        windows: if arguments.hang {
            0
        } else {
            u64::try_from(rounds.count)?
        },
        codes,
        hang_seconds: Duration::try_from_secs_f64(rounds.window)?.as_secs().max(1),
        simulator: arguments.simulator.clone(),
    })
}
