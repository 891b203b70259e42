//! What was counted in the window of a measurement. Knows nothing of connections.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::tls::Terms;

/// What latencies are told apart: a microsecond to a minute.
const LEAST_NANOS: u64 = 1_000;
const MOST_NANOS: u64 = 60_000_000_000;

/// The result of a run, as the generator prints it and the comparison reads it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whole answers.
    pub answers: u64,
    /// Answers by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests that got no answer.
    pub errors: u64,
    /// Connections that were opened in place of one that the other side had closed after an answer.
    pub reopened: u64,
    /// Answers by what their connection agreed on under TLS.
    pub terms: BTreeMap<String, u64>,
    /// The bytes of all answers' bodies.
    pub body_bytes: u64,
    /// How long the window was, in seconds.
    pub seconds: f64,
    /// The CPU time of the generator in it, in nanoseconds.
    pub cpu_ns: u64,
    /// How long requests took, in microseconds.
    pub latency_us: Latency,
}

impl Report {
    /// Requests without an answer that says success.
    #[must_use]
    pub fn failed(&self) -> u64 {
        let answered = self
            .statuses
            .iter()
            .filter(|(status, _)| !(200..300).contains(*status));
        answered.map(|(_, count)| count).sum::<u64>() + self.errors
    }
}

/// Quantiles in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// Counts while a run is under way.
#[derive(Debug)]
pub(super) struct Counts {
    report: Report,
    terms: Vec<(Terms, u64)>,
    nanos: Histogram<u64>,
}

impl Counts {
    pub(super) fn new() -> Self {
        // These bounds are among those that it takes.
        let nanos = Histogram::new_with_bounds(LEAST_NANOS, MOST_NANOS, 3);
        let nanos = nanos.unwrap_or_else(|_| unreachable!());
        Self {
            report: Report::default(),
            terms: Vec::new(),
            nanos,
        }
    }

    pub(super) fn answer(&mut self, status: u16, body_bytes: u64, took: Duration) {
        self.report.answers += 1;
        self.report.body_bytes += body_bytes;
        *self.report.statuses.entry(status).or_default() += 1;
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.saturating_record(nanos);
    }

    /// Counts what the connection of an answer agreed on.
    pub(super) fn agreed(&mut self, terms: Terms) {
        match self.terms.iter_mut().find(|(known, _)| *known == terms) {
            Some((_, count)) => *count += 1,
            None => self.terms.push((terms, 1)),
        }
    }

    pub(super) fn error(&mut self) {
        self.report.errors += 1;
    }

    pub(super) fn reopened(&mut self) {
        self.report.reopened += 1;
    }

    pub(super) fn answers(&self) -> u64 {
        self.report.answers
    }

    pub(super) fn errors(&self) -> u64 {
        self.report.errors
    }

    /// Requests without an answer that says success.
    pub(super) fn failed(&self) -> u64 {
        self.report.failed()
    }

    pub(super) fn report(mut self, window: Duration, cpu_ns: u64) -> Report {
        let at = |quantile| micros(self.nanos.value_at_quantile(quantile));
        self.report.latency_us = Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.nanos.max()),
        };
        let terms = self.terms.iter();
        self.report.terms = terms
            .map(|(terms, count)| (terms.to_string(), *count))
            .collect();
        self.report.seconds = window.as_secs_f64();
        self.report.cpu_ns = cpu_ns;
        self.report
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no wait is longer than 2^53 ns, which are 104 days"
)]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}
