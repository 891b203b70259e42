//! What connections cost in memory. Knows nothing of time.

use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::place::Place;
use super::process::{Process, line};
use super::setup::Setup;
use crate::usage;

/// For what is written and freed a little later.
const SETTLE: Duration = Duration::from_millis(500);

/// What connections have done before they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    /// One request each, and then nothing for a while.
    Waiting,
    /// A request each just now.
    Busy,
}

/// The memory of a subject for each of so many connections, in bytes. The sockets' buffers, which are the kernel's, do
/// not count.
pub(crate) fn memory_of_connections(
    place: &Place,
    setup: &Setup,
    connections: u32,
    activity: Activity,
) -> anyhow::Result<f64> {
    let running = place.start(setup)?;
    let mut warm = place.generator(&running);
    warm.args(["--connections", "1", "--most", "100"]);
    let (warming, mut said) = Process::start_talking(&place.cores.ends, &warm)?;
    ensure!(
        line(&mut said)? == "open" && line(&mut said)?.contains("\"errors\":0"),
        "no warm-up"
    );
    drop(warming);
    thread::sleep(SETTLE);
    let before = usage::memory(&running.process.family())?;
    let mut hold = place.generator(&running);
    hold.args(["--hold", "--connections", &connections.to_string()]);
    if activity == Activity::Busy {
        hold.arg("--ask-again");
    }
    let (mut holding, mut said) = Process::start_talking(&place.cores.ends, &hold)?;
    ensure!(line(&mut said)? == "open", "the connections are not held");
    if activity == Activity::Waiting {
        thread::sleep(SETTLE);
    }
    let after = usage::memory(&running.process.family())?;
    drop(holding.input());
    let grown = u32::try_from(after.saturating_sub(before))?;
    Ok(f64::from(grown) * 1024.0 / f64::from(connections))
}
