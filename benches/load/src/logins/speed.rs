//! How many logins a second there are. Knows nothing of a WeChat that hangs.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use anyhow::ensure;

use super::Choice;
use super::crowd::{Came, Crowd, requests};
use super::results::{Memory, Speed};
use crate::load::Report;
use crate::stage::{Place, Spread};

const CONNECTIONS: &str = "64";
/// After this, codes are forgotten and what they held is free.
const SETTLE: Duration = Duration::from_secs(20);

/// What one window found.
#[derive(Debug, Clone, Copy)]
struct Window {
    rate: f64,
    gateway_us: f64,
    simulator_us: f64,
    generator_us: f64,
    p50_us: f64,
    p99_us: f64,
}

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Speed> {
    // As many for the warm-up as for one window.
    let codes = choice.codes * (choice.windows + 1);
    let mut crowd = Crowd::gather(place, &choice.simulator, codes)?;
    let (before, _) = crowd.memory()?;
    let mut log_in = || window(&crowd.log_in(requests(choice.codes), &OPTIONS)?);
    log_in()?;
    let windows = (0..choice.windows).map(|_| log_in());
    let windows = windows.collect::<anyhow::Result<Vec<_>>>()?;
    check(&mut crowd, codes)?;
    let (during, most) = crowd.memory()?;
    thread::sleep(SETTLE);
    let spread = |figure: fn(&Window) -> f64| Spread::of(windows.iter().map(figure));
    Ok(Speed {
        windows: choice.windows,
        logins_in_window: requests(choice.codes),
        codes_in_window: choice.codes,
        rate: spread(|it| it.rate),
        gateway_us: spread(|it| it.gateway_us),
        simulator_us: spread(|it| it.simulator_us),
        generator_us: spread(|it| it.generator_us),
        p50_us: spread(|it| it.p50_us),
        p99_us: spread(|it| it.p99_us),
        wechat_connections: crowd.simulator.tell("count")?.connections,
        sessions: codes,
        memory_kib: Memory {
            before,
            during,
            most,
            after: crowd.memory()?.0,
        },
    })
}

/// Closed loop, and long enough for all.
const OPTIONS: [&str; 4] = ["--connections", CONNECTIONS, "--seconds", "300"];

#[expect(clippy::cast_precision_loss, reason = "no figure here is above 2^53")]
fn window(came: &Came) -> anyhow::Result<Window> {
    let Came {
        report,
        gateway,
        simulator,
    } = came;
    ensure!(
        report.failed() == 0,
        "not every login went well: {report:?}"
    );
    let Report {
        answers,
        seconds,
        cpu_ns,
        latency_us,
        ..
    } = report;
    let each = |nanos: u64| nanos as f64 / *answers as f64 / 1000.0;
    let window = Window {
        rate: *answers as f64 / seconds,
        gateway_us: each(*gateway),
        simulator_us: each(*simulator),
        generator_us: each(*cpu_ns),
        p50_us: latency_us.p50,
        p99_us: latency_us.p99,
    };
    writeln!(io::stderr(), "{window:.0?}")?;
    Ok(window)
}

/// Holds the gateway and the simulator to one exchange and one session for each code, however often it was sent.
fn check(crowd: &mut Crowd<'_>, codes: u64) -> anyhow::Result<()> {
    let ok = "outcome=\"ok\"";
    let logins = crowd.counted("wxgate_logins_total", ok)?;
    let exchanges = crowd.counted("wxgate_wechat_requests_total", ok)?;
    let sessions = crowd.counted("wxgate_sessions", "")?;
    let calls = crowd.simulator.tell("count")?.calls;
    ensure!(
        logins == requests(codes) && [exchanges, sessions, calls] == [codes; 3],
        "{codes} codes made {logins} logins, {exchanges} exchanges, {sessions} sessions, {calls} calls"
    );
    Ok(())
}
