//! Logins against the simulator of WeChat: how many a second on two cores together with it, and what piles up when it
//! hangs. Knows nothing of how a login is done.

mod crowd;
mod hang;
mod results;
mod simulator;
mod speed;
mod table;

use std::path::PathBuf;

pub use self::results::Results;

use crate::stage::{Machine, Place};

/// What is to be measured.
#[derive(Debug, Clone)]
pub struct Choice {
    /// How many windows logins are counted in; none to leave that out.
    pub windows: u64,
    /// How many codes a window takes; every tenth is sent twice.
    pub codes: u64,
    /// How long WeChat hangs, in seconds.
    pub hang_seconds: u64,
    /// The simulator as a process.
    pub simulator: PathBuf,
}

/// Measures, and says on stderr how far it is.
///
/// # Errors
///
/// A process does not start, or a login goes wrong that should not.
pub fn run(place: &Place, choice: &Choice) -> anyhow::Result<Results> {
    let machine = Machine::this(std::iter::empty());
    let speed = (choice.windows > 0).then(|| speed::measure(place, choice));
    Ok(Results {
        machine,
        speed: speed.transpose()?,
        hang: hang::measure(place, choice)?,
    })
}
