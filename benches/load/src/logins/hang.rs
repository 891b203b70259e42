//! What piles up while WeChat takes logins and does not answer. Knows nothing of speed.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::Choice;
use super::crowd::Crowd;
use super::results::{Hang, Memory};
use crate::stage::Place;

/// More logins a second than the gateway lets wait within the time for one call.
const RATE: u64 = 3000;
/// Enough for all that wait, and some for those that are refused meanwhile.
const CONNECTIONS: &str = "5000";
/// After this, no login waits any more.
const GIVEN_UP: Duration = Duration::from_secs(5);
/// After this, what they held is free.
const SETTLE: Duration = Duration::from_secs(20);
/// Logins that must go well once WeChat answers.
const AFTERWARDS: u64 = 1000;

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Hang> {
    let asked = RATE * choice.hang_seconds;
    let mut crowd = Crowd::gather(place, &choice.simulator, asked + AFTERWARDS)?;
    let (before, _) = crowd.memory()?;
    let calls_before = crowd.simulator.tell("hang")?;
    let (rate, seconds) = (RATE.to_string(), choice.hang_seconds.to_string());
    let options = [
        "--connections",
        CONNECTIONS,
        "--rate",
        &rate,
        "--seconds",
        &seconds,
    ];
    let report = crowd.log_in(asked, &options)?.report;
    let (during, most) = crowd.memory()?;
    writeln!(io::stderr(), "{report:?}")?;
    ensure!(
        report.errors == 0 && report.statuses.keys().all(|status| *status == 503),
        "a login got something else than 503: {report:?}"
    );
    let told = crowd.simulator.tell("answer")?;
    thread::sleep(GIVEN_UP);
    let outcome = |code: &str| crowd.counted("wxgate_logins_total", &format!("outcome=\"{code}\""));
    let (given_up, overloaded) = (outcome("wechat_unavailable")?, outcome("overloaded")?);
    let again = crowd
        .log_in(AFTERWARDS, &["--connections", "64", "--seconds", "60"])?
        .report;
    ensure!(again.failed() == 0, "logins fail afterwards: {again:?}");
    thread::sleep(SETTLE);
    Ok(Hang {
        seconds: choice.hang_seconds,
        asked_rate: RATE,
        given_up,
        overloaded,
        wechat_connections: told.connections - calls_before.connections,
        logins_afterwards: again.answers,
        memory_kib: Memory {
            before,
            during,
            most,
            after: crowd.memory()?.0,
        },
    })
}
