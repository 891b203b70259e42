//! How cost grows with the connections of clients: of a request, while one rate is spread over all of them; and of a
//! connection, in memory.

use super::kind::Panel;
use super::results::Found;
use super::run::Choice;
use super::turns::{self, SUBJECTS};
use crate::stage::{
    Activity, Asking, Place, Setup, Spans, Way, measure as measure_once, memory_of_connections,
};

const COUNTS: [u32; 5] = [64, 256, 1_000, 4_000, 10_000];
/// Requests a second, over all connections in turn.
const RATE: u32 = 2000;

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    let mut found = turns::of_running(place, choice, &COUNTS, |running, line, connections| {
        let asking = Asking {
            path: "/bytes/1024",
            body_bytes: 0,
            connections,
            rate: Some(RATE),
            way: Way::Kept,
        };
        let once = measure_once(place, running, asking, spans(choice, connections))?;
        Ok(vec![Found {
            panel: Panel::ConnectionsCpu,
            line,
            size: u64::from(connections),
            figure: once.cpu_us,
            is_valid: once.is_valid,
        }])
    })?;
    found.extend(memory(place, choice)?);
    Ok(found)
}

fn memory(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    turns::of(&SUBJECTS, choice, &COUNTS, |&subject, line, connections| {
        let setup = Setup::of(subject);
        let bytes = memory_of_connections(place, &setup, connections, Activity::Busy)?;
        Ok(vec![Found {
            panel: Panel::ConnectionsMemory,
            line,
            size: u64::from(connections),
            figure: bytes / 1024.0,
            is_valid: true,
        }])
    })
}

/// Long enough for every connection to have its turn, before the window and in it.
fn spans(choice: &Choice, connections: u32) -> Spans {
    let turn = f64::from(connections) / f64::from(RATE);
    Spans {
        warm_up: choice.rounds.warm_up.max(turn),
        window: choice.rounds.window.max(turn),
    }
}
