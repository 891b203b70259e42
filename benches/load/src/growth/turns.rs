//! Rounds in which wxgate and nginx take turns at each size. Knows nothing of what is measured.

use super::kind::Line;
use super::results::Found;
use super::run::Choice;
use crate::stage::{Place, Running, Setup, Subject};

/// Whoever takes turns, and the line that shows it.
pub(super) const SUBJECTS: [(Subject, Line); 2] = [
    (Subject::Wxgate, Line::Wxgate),
    (Subject::Nginx, Line::Nginx),
];

/// Has each of the running subjects measured at each size, round by round, and says what is found.
pub(super) fn of_running(
    place: &Place,
    choice: &Choice,
    sizes: &[u32],
    measure: impl Fn(&Running, Line, u32) -> anyhow::Result<Vec<Found>>,
) -> anyhow::Result<Vec<Found>> {
    let running = SUBJECTS.map(|(subject, line)| Ok((place.start(&Setup::of(subject))?, line)));
    let running = running.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    of(&running, choice, sizes, measure)
}

/// Has each of `subjects` measured at each size, round by round, and says what is found.
pub(super) fn of<T>(
    subjects: &[(T, Line)],
    choice: &Choice,
    sizes: &[u32],
    measure: impl Fn(&T, Line, u32) -> anyhow::Result<Vec<Found>>,
) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for _ in 0..choice.rounds.count {
        for &size in sizes {
            for (subject, line) in subjects {
                for point in measure(subject, *line, size)? {
                    found.push(point.said()?);
                }
            }
        }
    }
    Ok(found)
}
