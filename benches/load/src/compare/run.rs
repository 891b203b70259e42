//! The order of a comparison: rounds, and in each the reference before and after every subject. Knows nothing of how
//! one is measured.

use std::io::{self, Write};

use super::case::{Case, Mode};
use super::results::{Compared, IdleRow, Results, Row};
use crate::stage::{
    Activity, Machine, Measurement, Place, Rounds, Running, Setup, Spread, Subject, measure,
    memory_of_connections,
};

/// How many connections wait.
pub(super) const IDLE_CONNECTIONS: u32 = 5000;

/// What is to be compared.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Which cases.
    pub cases: Vec<Case>,
    /// Which subjects beside the reference.
    pub subjects: Vec<Subject>,
    /// How many times, and for how long.
    pub rounds: Rounds,
}

/// Compares, and says on stderr how far it is.
///
/// # Errors
///
/// A subject does not start, or answers nothing.
pub fn run(place: &Place, choice: &Choice) -> anyhow::Result<Results> {
    let subjects = std::iter::once(&Subject::Nginx)
        .chain(&choice.subjects)
        .copied();
    let mut results = Results {
        machine: Machine::this(subjects),
        rounds: choice.rounds.count,
        window_seconds: choice.rounds.window,
        rows: Vec::new(),
        idle: Vec::new(),
    };
    for &case in &choice.cases {
        if case == Case::Idle {
            results.idle = compare_idle(place, choice)?;
        } else {
            results.rows.extend(compare(place, choice, case)?);
        }
    }
    Ok(results)
}

fn compare(place: &Place, choice: &Choice, case: Case) -> anyhow::Result<Vec<Row>> {
    let start = |subject: Subject| {
        place.start(&Setup {
            is_tls: case.is_tls(),
            ..Setup::of(subject)
        })
    };
    let reference = start(Subject::Nginx)?;
    let subjects = choice.subjects.iter().copied();
    let subjects = subjects.filter(|&subject| case.has(subject)).map(start);
    let subjects = subjects.collect::<anyhow::Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for mode in Mode::ALL {
        let measure = |running: &Running| {
            let found = measure(place, running, case.asking(mode), choice.rounds.spans())?;
            say(case, mode, running.subject, found)?;
            Ok(found)
        };
        let found = rounds(choice.rounds.count, &reference, &subjects, measure)?;
        let names = std::iter::once(&reference).chain(&subjects);
        let found = names.zip(&found);
        rows.extend(found.map(|(running, all)| Row::new(case, mode, running.subject, all)));
    }
    Ok(rows)
}

/// Measures all in turn; the reference's own measurements come first, then those of the subjects in their order.
fn rounds(
    count: usize,
    reference: &Running,
    subjects: &[Running],
    measure: impl Fn(&Running) -> anyhow::Result<Measurement>,
) -> anyhow::Result<Vec<Vec<Compared>>> {
    let mut of_reference = Vec::new();
    let mut of_subjects = vec![Vec::new(); subjects.len()];
    for _ in 0..count {
        let mut before = measure(reference)?;
        of_reference.push(Compared::reference(before));
        for (subject, all) in subjects.iter().zip(&mut of_subjects) {
            let own = measure(subject)?;
            let after = measure(reference)?;
            of_reference.push(Compared::reference(after));
            all.push(Compared::new(before, own, after));
            before = after;
        }
    }
    of_subjects.insert(0, of_reference);
    Ok(of_subjects)
}

fn compare_idle(place: &Place, choice: &Choice) -> anyhow::Result<Vec<IdleRow>> {
    let subjects = std::iter::once(&Subject::Nginx).chain(&choice.subjects);
    let subjects = subjects.filter(|&&subject| subject != Subject::NginxInMemory);
    let row = |&subject: &Subject| {
        let setup = Setup::of(subject);
        let measure = || memory_of_connections(place, &setup, IDLE_CONNECTIONS, Activity::Waiting);
        let bytes = (0..choice.rounds.count).map(|_| measure());
        let bytes = bytes.collect::<anyhow::Result<Vec<_>>>()?;
        let bytes = Spread::of(bytes.into_iter());
        writeln!(
            io::stderr(),
            "idle, {}: {:.0} bytes",
            subject.title(),
            bytes.median
        )?;
        Ok(IdleRow { subject, bytes })
    };
    subjects.map(row).collect()
}

fn say(case: Case, mode: Mode, subject: Subject, found: Measurement) -> io::Result<()> {
    writeln!(
        io::stderr(),
        "{}, {}, {}: {:.1} µs, {:.0}/s, p99 {:.0} µs, proxy {:.0} %, ends {:.0} %{}",
        case.title(),
        mode.title(),
        subject.title(),
        found.cpu_us,
        found.rate,
        found.p99_us,
        found.proxy_share * 100.0,
        found.ends_share * 100.0,
        if found.is_valid { "" } else { ", invalid" },
    )
}
