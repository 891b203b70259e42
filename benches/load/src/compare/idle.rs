//! What a connection costs that only waits. Knows nothing of time.

use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::place::Place;
use super::process::{Process, line};
use super::subject::Subject;
use crate::usage;

/// How many connections wait.
pub(super) const CONNECTIONS: u32 = 5000;
/// For what is written and freed a little later.
const SETTLE: Duration = Duration::from_millis(500);

/// The memory of `subject` for each of [`CONNECTIONS`] that wait after one request, in bytes. The sockets' buffers,
/// which are the kernel's, do not count.
pub(super) fn measure(place: &Place, subject: Subject) -> anyhow::Result<f64> {
    let running = place.start(subject, false)?;
    let mut warm = place.generator(&running);
    warm.args(["--connections", "1", "--most", "100"]);
    let (warming, mut said) = Process::start_talking(place.cores.ends, &warm)?;
    ensure!(
        line(&mut said)? == "open" && line(&mut said)?.contains("\"errors\":0"),
        "no warm-up"
    );
    drop(warming);
    thread::sleep(SETTLE);
    let before = usage::memory(&running.process.family())?;
    let mut hold = place.generator(&running);
    hold.args(["--hold", "--connections", &CONNECTIONS.to_string()]);
    let (mut holding, mut said) = Process::start_talking(place.cores.ends, &hold)?;
    ensure!(line(&mut said)? == "open", "the connections are not held");
    thread::sleep(SETTLE);
    let after = usage::memory(&running.process.family())?;
    drop(holding.input());
    let grown = u32::try_from(after.saturating_sub(before))?;
    Ok(f64::from(grown) * 1024.0 / f64::from(CONNECTIONS))
}
