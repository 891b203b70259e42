//! The comparison as a process; benches/compare.sh builds what it needs. Prints tables, and writes JSON and a chart.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use wxgate_load::compare::{self, Case, Choice, Results};
use wxgate_load::stage::{self, Cores, Output, Place, Subject};

/// Measures wxgate and its peers, each between two measurements of nginx without any auth.
#[derive(Debug, Parser)]
#[command(name = "benches/compare.sh")]
struct Arguments {
    /// Which cases, separated by commas; all without it
    #[arg(long, value_enum, value_delimiter = ',')]
    cases: Vec<Case>,
    /// Which subjects beside the reference, separated by commas; all that are installed without it
    #[arg(long, value_enum, value_delimiter = ',')]
    subjects: Vec<Subject>,
    /// How many times each is measured
    #[arg(long)]
    rounds: Option<usize>,
    /// How long each measurement is, in seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// One short round: less than three minutes, for a first impression
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
    /// Draw the chart and the tables of this directory again from its compare.json, and measure nothing
    #[arg(long)]
    redraw: Option<PathBuf>,
    /// The core of the proxy
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of the generator, the backend and the session service
    #[arg(long, default_value_t = 1)]
    ends_core: usize,
    /// The wxgate to measure
    #[arg(long, default_value = "target/release/wxgate")]
    wxgate: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(directory) = &arguments.redraw {
        let json = fs::read_to_string(directory.join("compare.json"))?;
        return write(&Results::read(&json)?, directory);
    }
    let choice = choice(&arguments)?;
    let directory = arguments.output.directory(is_whole(&arguments, &choice))?;
    let cores = Cores {
        proxy: vec![arguments.proxy_core],
        ends: vec![arguments.ends_core],
    };
    let place = Place::open(cores, arguments.wxgate.clone())?;
    let results = compare::run(&place, &choice)?;
    writeln!(io::stdout(), "{results}")?;
    write(&results, directory)
}

/// Whether nothing is left out.
fn is_whole(arguments: &Arguments, choice: &Choice) -> bool {
    let count = |chosen: &[Subject]| chosen.iter().filter(|it| **it != Subject::Nginx).count();
    let has_all = count(&choice.subjects) == count(Subject::value_variants());
    let has_cases = choice.cases.len() == Case::value_variants().len();
    !arguments.quick && has_all && has_cases
}

fn choice(arguments: &Arguments) -> anyhow::Result<Choice> {
    let (rounds, warm_up, window) = if arguments.quick {
        (1, 0.2, 1.0)
    } else {
        (5, 0.5, 2.0)
    };
    let choice = Choice {
        cases: or_all(&arguments.cases),
        subjects: subjects(arguments)?,
        rounds: arguments.rounds.unwrap_or(rounds),
        warm_up,
        window: arguments.seconds.unwrap_or(window),
    };
    ensure!(
        choice.rounds > 0 && choice.window > 0.0,
        "nothing would be measured"
    );
    Ok(choice)
}

fn subjects(arguments: &Arguments) -> anyhow::Result<Vec<Subject>> {
    let mut chosen = or_all(&arguments.subjects);
    chosen.retain(|subject| *subject != Subject::Nginx);
    let missing = chosen.extract_if(.., |subject| !subject.is_installed(&arguments.wxgate));
    for subject in missing {
        writeln!(io::stderr(), "not installed, so left out: {subject:?}")?;
    }
    Ok(chosen)
}

fn or_all<T: ValueEnum>(chosen: &[T]) -> Vec<T> {
    let all = if chosen.is_empty() {
        T::value_variants()
    } else {
        chosen
    };
    all.to_vec()
}

fn write(results: &Results, to: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(results)? + "\n";
    let files = [
        ("compare.json", json),
        ("compare.svg", results.chart()),
        ("compare.md", results.to_string()),
    ];
    stage::write(to, &files)
}
