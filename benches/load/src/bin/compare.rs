//! The comparison as a process; benches/compare.sh builds what it needs. Prints tables, and writes JSON and a chart.

use std::io::{self, Write};

use clap::{Parser, ValueEnum};
use wxgate_load::compare::{self, Case, Choice, Results};
use wxgate_load::stage::{Cores, Options, Place, Rounds, Subject};

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
    #[command(flatten)]
    options: Options,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let options = &arguments.options;
    let chart = |results: &Results| Some(results.chart());
    if options.redraw("compare", chart)? {
        return Ok(());
    }
    let choice = choice(&arguments)?;
    let measure = |place: &Place| compare::run(place, &choice);
    options.run("compare", Cores::apart(), is_whole(&choice), measure, chart)
}

/// Whether nothing is left out.
fn is_whole(choice: &Choice) -> bool {
    let count = |chosen: &[Subject]| chosen.iter().filter(|it| **it != Subject::Nginx).count();
    let has_all = count(&choice.subjects) == count(Subject::value_variants());
    let has_cases = choice.cases.len() == Case::value_variants().len();
    has_all && has_cases
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
        window: 1.0,
    };
    Ok(Choice {
        cases: or_all(&arguments.cases),
        subjects: subjects(arguments)?,
        rounds: arguments.options.rounds(usual, quick)?,
    })
}

fn subjects(arguments: &Arguments) -> anyhow::Result<Vec<Subject>> {
    let mut chosen = or_all(&arguments.subjects);
    chosen.retain(|subject| *subject != Subject::Nginx);
    let missing = chosen.extract_if(.., |subject| {
        !subject.is_installed(arguments.options.wxgate())
    });
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
