//! The comparison as a process; benches/compare.sh builds what it needs. Prints tables, and writes JSON and a chart.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};
use wxgate_load::compare::{self, Case, Choice, Cores, Place, Results, Subject};

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
    /// One short round: less than three minutes, for a first impression; writes no files without --write
    #[arg(long)]
    quick: bool,
    /// The directory for compare.json, compare.svg and compare.md
    #[arg(long)]
    write: Option<PathBuf>,
    /// Draw the chart and the tables of this directory again from its compare.json, and measure nothing
    #[arg(long, conflicts_with = "write")]
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
    ensure!(
        arguments.wxgate.exists(),
        "there is no {}",
        arguments.wxgate.display()
    );
    let own = std::env::current_exe()?;
    let tools = own
        .parent()
        .context("this program lies nowhere")?
        .to_owned();
    let cores = Cores {
        proxy: arguments.proxy_core,
        ends: arguments.ends_core,
    };
    let choice = choice(&arguments)?;
    let place = Place::open(cores, arguments.wxgate.clone(), tools)?;
    let results = compare::run(&place, &choice)?;
    writeln!(io::stdout(), "{results}")?;
    let to = arguments
        .write
        .or_else(|| (!arguments.quick).then(|| "docs/performance".into()));
    to.map_or(Ok(()), |to| write(&results, &to))
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
    fs::create_dir_all(to)?;
    fs::write(
        to.join("compare.json"),
        serde_json::to_string_pretty(results)? + "\n",
    )?;
    fs::write(to.join("compare.svg"), results.chart())?;
    fs::write(to.join("compare.md"), results.to_string())?;
    Ok(())
}
