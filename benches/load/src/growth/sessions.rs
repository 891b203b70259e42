//! How cost grows with the sessions that are kept: in the store itself, and for a whole request.

use std::process::Command;

use serde::Deserialize;

use super::kind::{Line, Panel};
use super::results::Found;
use super::run::Choice;
use crate::stage::{Counter, Place, Process, Setup, Subject, WXGATE, line};

const COUNTS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// More room than is needed, so that no session has to go.
const CAPACITY: &str = "[sessions]\ncapacity = 4000000";

/// What benches/inside/store.rs says.
#[derive(Debug, Deserialize)]
struct Said {
    bytes: f64,
    find_ns: f64,
    open_ns: f64,
    close_ns: f64,
}

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for _ in 0..choice.rounds.count {
        for size in COUNTS {
            let Said {
                bytes,
                find_ns,
                open_ns,
                close_ns,
            } = inside(place, choice, size)?;
            let figures = [
                (Panel::SessionsTime, Line::Find, find_ns),
                (Panel::SessionsTime, Line::Open, open_ns),
                (Panel::SessionsTime, Line::Close, close_ns),
                (Panel::SessionsMemory, Line::Wxgate, bytes),
            ];
            for (panel, line, figure) in figures {
                found.push(one(panel, line, size, figure).said()?);
            }
        }
    }
    for size in COUNTS
        .into_iter()
        .filter(|size| *size <= choice.most_logins)
    {
        found.extend(whole_requests(place, choice, size)?);
    }
    Ok(found)
}

/// Measures the store in a process of its own.
fn inside(place: &Place, choice: &Choice, sessions: u64) -> anyhow::Result<Said> {
    let mut command = Command::new(&choice.store);
    command.arg("--sessions").arg(sessions.to_string());
    let (_process, mut said) = Process::start_talking(&place.cores.proxy, &command)?;
    Ok(serde_json::from_str(&line(&mut said)?)?)
}

/// Counts the instructions of a request, with sessions of real logins.
fn whole_requests(place: &Place, choice: &Choice, sessions: u64) -> anyhow::Result<Vec<Found>> {
    let running = place.start(&Setup {
        wxgate: WXGATE.replace("[sessions]", CAPACITY),
        sessions: usize::try_from(sessions)?,
        is_counted: true,
        ..Setup::of(Subject::Wxgate)
    })?;
    let mut counter = Counter::begin(place, &running)?;
    let counts = (0..choice.rounds.count).map(|_| {
        let figure = counter.count(choice.counted)?;
        Ok(one(Panel::SessionsInstructions, Line::Wxgate, sessions, figure).said()?)
    });
    counts.collect()
}

fn one(panel: Panel, line: Line, size: u64, figure: f64) -> Found {
    Found {
        panel,
        line,
        size,
        figure,
        is_valid: true,
    }
}
