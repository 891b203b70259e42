//! What was counted, as numbers and not as a page of metrics. Writes none of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::Metrics;
use super::apps::AppReading;
use super::cell::{Count, DurationSum, Level};
use super::health::Condition;
use super::merge::NO_ROUTE;
use super::refused::{Kind, Times};
use super::worker::{RouteCells, UpstreamOutcome};
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;

/// What was counted so far, and what there is now.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Connections of clients.
    pub connections: i64,
    /// What each route answered, and at last what came to none.
    pub routes: Vec<RouteReading>,
    /// Each code that was refused with, and how often.
    pub refusals: Vec<(RefusalCode, u64)>,
    /// Each upstream.
    pub upstreams: Vec<UpstreamReading>,
    /// Each app.
    pub apps: Vec<AppReading>,
}

/// What one route answered.
#[derive(Clone, Debug)]
pub struct RouteReading {
    /// What it is called.
    pub label: String,
    /// How often it answered with each status.
    pub statuses: BTreeMap<u16, u64>,
    /// How long all that took.
    pub took: Duration,
    /// WebSockets that are open.
    pub websockets: i64,
}

/// What was sent to one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamReading {
    /// What it is called.
    pub label: String,
    /// How often each outcome came.
    pub outcomes: Vec<(UpstreamOutcome, u64)>,
    /// Connections in use.
    pub active: i64,
    /// Connections that wait.
    pub idle: i64,
}

/// A kind of refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalReading {
    /// The code, the reason in words of wxgate's own, and the route; none for what is told apart no further.
    pub kind: Option<(RefusalCode, &'static str, Option<String>)>,
    /// How often it came.
    pub count: u64,
    /// When last.
    pub last: Timestamp,
}

impl Metrics {
    /// What was counted so far.
    #[must_use]
    pub fn read(&self) -> Reading {
        let routes = self.labels.routes.iter().enumerate().map(|(place, label)| {
            let cells = self.workers.iter().filter_map(|w| w.routes.get(place));
            RouteReading::of(label, cells)
        });
        let unrouted = self.workers.iter().map(|worker| &worker.unrouted);
        let upstreams = self.labels.upstreams.iter().enumerate();
        let codes = RefusalCode::ALL.into_iter().enumerate();
        let refusals = codes.map(|(place, code)| {
            let counts = self.workers.iter().filter_map(|w| w.refusals.get(place));
            (code, counts.map(Count::get).sum())
        });
        Reading {
            connections: self.workers.iter().map(|w| w.connections.get()).sum(),
            routes: routes
                .chain([RouteReading::of(NO_ROUTE, unrouted)])
                .collect(),
            refusals: refusals.filter(|(_, count)| *count > 0).collect(),
            upstreams: upstreams
                .map(|(place, label)| self.read_upstream(place, label))
                .collect(),
            apps: self.apps.read(),
        }
    }

    /// How the workers find the server at a place of the upstream at another, those of them that know it.
    pub fn conditions(&self, upstream: usize, server: usize) -> impl Iterator<Item = Condition> {
        self.workers
            .iter()
            .filter_map(move |worker| worker.condition(upstream, server))
    }

    /// The refusals by what is alike of them, the latest first.
    #[must_use]
    pub fn read_refusals(&self) -> Vec<RefusalReading> {
        let mut kinds: BTreeMap<Option<Kind>, (u64, Timestamp)> = BTreeMap::new();
        let mut add = |kind, times: &Times| {
            let sum = kinds.entry(kind).or_insert((0, times.last()));
            *sum = (sum.0 + times.count(), sum.1.max(times.last()));
        };
        for worker in self.workers.iter() {
            for tally in worker.refused.tallies() {
                add(Some(tally.kind), &tally.times);
            }
            add(None, worker.refused.rest());
        }
        let read = kinds
            .into_iter()
            .map(|(kind, (count, last))| RefusalReading {
                kind: kind.map(|kind| (kind.code, kind.reason, self.route_label(kind.route))),
                count,
                last,
            });
        let mut read: Vec<_> = read.filter(|one| one.count > 0).collect();
        read.sort_by_key(|one| Reverse(one.last));
        read
    }

    fn read_upstream(&self, place: usize, label: &str) -> UpstreamReading {
        let cells = || self.workers.iter().filter_map(|w| w.upstreams.get(place));
        let outcomes = UpstreamOutcome::ALL.into_iter().enumerate();
        let outcomes = outcomes.map(|(place, outcome)| {
            let counts = cells().filter_map(|cells| cells.outcomes.get(place));
            (outcome, counts.map(Count::get).sum())
        });
        let open: i64 = cells().map(|cells| cells.open.get()).sum();
        let active: i64 = cells().map(|cells| cells.taken.get()).sum();
        UpstreamReading {
            label: label.to_owned(),
            outcomes: outcomes.collect(),
            active,
            // A worker may be between two steps of one connection while it is read.
            idle: (open - active).max(0),
        }
    }

    fn route_label(&self, place: Option<usize>) -> Option<String> {
        self.labels.routes.get(place?).cloned()
    }
}

impl RouteReading {
    fn of<'a>(label: &str, cells: impl Iterator<Item = &'a RouteCells>) -> Self {
        let mut durations = DurationSum::new();
        let mut reading = Self {
            label: label.to_owned(),
            statuses: BTreeMap::new(),
            took: Duration::ZERO,
            websockets: 0,
        };
        for cells in cells {
            for (status, count) in cells.statuses.counts() {
                *reading.statuses.entry(status).or_default() += count;
            }
            durations.add(&cells.durations);
            reading.websockets += cells.websockets.get().map_or(0, Level::get);
        }
        reading.took = durations.total;
        reading
    }
}
