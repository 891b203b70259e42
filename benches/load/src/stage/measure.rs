//! One measurement: what a request costs a proxy in a window. Knows nothing of other measurements.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::place::{Place, Running};
use super::process::{Process, line};
use crate::load::{Offer, Report};
use crate::usage;

/// Where the ends of a measurement use more of their core than this, they are what is measured.
const MOST_OF_ENDS: f64 = 0.9;
/// At a fixed rate, so much of it must have been answered.
const LEAST_OF_RATE: f64 = 0.98;

/// What the generator is to ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// The path, where the subject was not started with targets of its own.
    pub(crate) path: &'a str,
    /// How many bytes to POST; 0 for a GET.
    pub(crate) body_bytes: u32,
    pub(crate) connections: u32,
    /// Requests a second; none for as many as are answered.
    pub(crate) rate: Option<u32>,
    pub(crate) way: Way,
}

/// On what connections requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// On those that were opened before.
    Kept,
    /// On those that were opened before, over HTTP/2, and so many at a time on each.
    Http2(u32),
    /// Each on one of its own.
    Anew,
    /// Each on one of its own, that resumes the TLS session of one before.
    Resumed,
}

/// How long a measurement takes, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spans {
    pub(crate) warm_up: f64,
    pub(crate) window: f64,
}

/// What a measurement found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measurement {
    /// The proxy's CPU time for a request, in microseconds.
    pub(crate) cpu_us: f64,
    /// Answers a second.
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// How much of its core the proxy used.
    pub(crate) proxy_share: f64,
    /// How much of theirs the generator, the backend and the session service used.
    pub(crate) ends_share: f64,
    /// Whether it says anything: nothing failed, the rate was kept, and the ends had time to spare.
    pub(crate) is_valid: bool,
}

/// What processes had used at one moment.
struct Moment {
    at: Instant,
    proxy: u64,
    far_end: u64,
}

/// Measures `running` once.
pub(crate) fn measure(
    place: &Place,
    running: &Running,
    asking: Asking<'_>,
    spans: Spans,
) -> anyhow::Result<Measurement> {
    let (proxy, far_end) = (running.process.family(), place.far_end());
    let moment = || Moment {
        at: Instant::now(),
        proxy: usage::cpu_time(&proxy),
        far_end: usage::cpu_time(&far_end),
    };
    let command = generator(place, running, asking, spans);
    let (generator, mut said) = Process::start_talking(&place.cores.ends, &command)?;
    ensure!(
        line(&mut said)? == "open",
        "the generator says something else than `open`"
    );
    let before = moment();
    let report = line(&mut said);
    let after = moment();
    drop(generator);
    let report = report.with_context(|| format!("{}: {asking:?}", running.subject.title()))?;
    let report: Report = serde_json::from_str(&report)?;
    if running.is_tls {
        check_terms(&report, asking.way).with_context(|| running.subject.title())?;
    }
    Ok(found(&report, &before, &after, asking.rate))
}

fn generator(place: &Place, running: &Running, asking: Asking<'_>, spans: Spans) -> Command {
    let mut command = place.generator(running);
    let mut option = |name: &str, value: String| {
        command.arg(name).arg(value);
    };
    option("--path", asking.path.to_owned());
    if asking.body_bytes > 0 {
        option("--body-bytes", asking.body_bytes.to_string());
    }
    option("--connections", asking.connections.to_string());
    option("--warm-up", spans.warm_up.to_string());
    option("--seconds", spans.window.to_string());
    if let Some(rate) = asking.rate {
        option("--rate", rate.to_string());
    }
    match asking.way {
        Way::Kept => &mut command,
        Way::Http2(streams) => command.arg("--http2").arg(streams.to_string()),
        Way::Anew => command.args(["--on", "anew"]),
        Way::Resumed => command.args(["--on", "resumed"]),
    };
    command
}

/// Holds a subject to what was offered: figures under another cipher, or of another handshake, say nothing beside
/// those of the reference.
fn check_terms(report: &Report, way: Way) -> anyhow::Result<()> {
    let offer = Offer {
        is_http2: matches!(way, Way::Http2(_)),
        resumes: way == Way::Resumed,
    };
    let taken = offer.taken().to_string();
    ensure!(
        report.terms.keys().eq([&taken]),
        "it should agree on `{taken}`, not on {:?}",
        report.terms
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no figure here is above 2^53")]
fn found(report: &Report, before: &Moment, after: &Moment, asked_rate: Option<u32>) -> Measurement {
    let wall = (after.at - before.at).as_nanos() as f64;
    let proxy = after.proxy.saturating_sub(before.proxy) as f64;
    let ends = after.far_end.saturating_sub(before.far_end) + report.cpu_ns;
    let rate = report.answers as f64 / report.seconds;
    let kept = asked_rate.is_none_or(|asked| rate >= LEAST_OF_RATE * f64::from(asked));
    let ends_share = ends as f64 / wall;
    Measurement {
        cpu_us: proxy / report.answers as f64 / 1000.0,
        rate,
        p50_us: report.latency_us.p50,
        p99_us: report.latency_us.p99,
        proxy_share: proxy / wall,
        ends_share,
        is_valid: kept && report.answers > 0 && report.failed() == 0 && ends_share <= MOST_OF_ENDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_on_something_else_is_not_measured() {
        let report = |terms: &[&str]| Report {
            terms: terms.iter().map(|&terms| (terms.to_owned(), 1)).collect(),
            ..Report::default()
        };
        let full = "TLS13_AES_128_GCM_SHA256, X25519, full handshake, http/1.1";
        let resumed = "TLS13_AES_128_GCM_SHA256, X25519, resumed handshake, http/1.1";
        let check = |terms: &[&str], way| check_terms(&report(terms), way);
        assert!(check(&[full], Way::Kept).is_ok());
        assert!(check(&[resumed], Way::Resumed).is_ok());
        for (terms, way) in [
            (&[full, resumed][..], Way::Resumed),
            (&[full], Way::Http2(4)),
            (&[resumed], Way::Anew),
            (&[], Way::Kept),
        ] {
            let error = check(terms, way).unwrap_err().to_string();
            assert!(
                error.starts_with("it should agree on `TLS13_AES_128"),
                "{error}"
            );
        }
    }
}
