//! The order of a run: one kind of growth after the other. Knows nothing of how one is measured.

use std::io::{self, Write};
use std::path::PathBuf;

use super::kind::Kind;
use super::results::{Found, Results, curves};
use super::{connections, routes, sessions, sizes};
use crate::stage::{Machine, Place, Rounds, Subject};

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What grows.
    pub kinds: Vec<Kind>,
    /// How many times, and for how long.
    pub rounds: Rounds,
    /// Over how many requests instructions are counted.
    pub counted: u32,
    /// The most sessions for which a whole request is counted, since all of them log in before.
    pub most_logins: u64,
    /// What measures the store from inside.
    pub store: PathBuf,
}

/// Measures, and says on stderr how far it is.
///
/// # Errors
///
/// A subject does not start, or answers nothing.
pub fn run(place: &Place, choice: &Choice) -> anyhow::Result<Results> {
    let machine = Machine::this([Subject::Nginx].into_iter());
    let mut found = Vec::new();
    for kind in &choice.kinds {
        found.extend(match kind {
            Kind::Routes => routes::measure(place, choice)?,
            Kind::Sessions => sessions::measure(place, choice)?,
            Kind::Connections => connections::measure(place, choice)?,
            Kind::Sizes => sizes::measure(place, choice)?,
        });
    }
    Ok(Results {
        machine,
        rounds: choice.rounds.count,
        window_seconds: choice.rounds.window,
        curves: curves(&found),
    })
}

impl Found {
    /// Says on stderr what was found.
    pub(super) fn said(self) -> io::Result<Self> {
        let kind = self.panel.kind();
        writeln!(
            io::stderr(),
            "{} {}, {}: {:.*} {}{}",
            kind.write(self.size),
            kind.title(),
            self.line.title(),
            self.panel.digits(),
            self.figure,
            self.panel.title(),
            if self.is_valid { "" } else { ", invalid" },
        )?;
        Ok(self)
    }
}
