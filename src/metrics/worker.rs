//! What one worker counts with every request. Knows nothing of the other workers, nor of how it is read.

use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;

use tokio::time::Instant;

use super::Labels;
use super::cell::{Count, Durations, Level, Statuses};
use super::health::{Condition, ServerCells, Servers};
use super::refused::{Kind, Refused};
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;

/// The numbers of one worker: its thread alone writes them, without a lock and without a line of memory that another
/// worker writes to. Written from two threads, they come out too small.
#[derive(Debug)]
#[repr(align(64))]
pub struct WorkerMetrics {
    pub(super) routes: Box<[RouteCells]>,
    /// Requests that came to no route.
    pub(super) unrouted: RouteCells,
    pub(super) refusals: [Count; RefusalCode::ALL.len()],
    pub(super) refused: Refused,
    pub(super) upstreams: Box<[UpstreamCells]>,
    pub(super) connections: Level,
    /// Since when it is counted.
    begin: Instant,
}

/// The numbers of one route.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct RouteCells {
    pub(super) statuses: Statuses,
    pub(super) durations: Durations,
    /// WebSockets, from the first one on.
    pub(super) websockets: OnceLock<Level>,
}

/// The numbers of one upstream.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct UpstreamCells {
    pub(super) outcomes: [Count; UpstreamOutcome::ALL.len()],
    pub(super) open: Level,
    pub(super) taken: Level,
    pub(super) servers: Servers,
}

/// What became of a request that was sent to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamOutcome {
    /// A response head came.
    Ok,
    /// No connection.
    Unreachable,
    /// An answer that is not HTTP, or none before the connection broke.
    Failed,
    /// No answer in time.
    Timeout,
    /// The client went away first.
    Aborted,
    /// It was sent once more, over another connection.
    Retried,
}

impl UpstreamOutcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Unreachable,
        Self::Failed,
        Self::Timeout,
        Self::Aborted,
        Self::Retried,
    ];

    /// The outcome as metrics write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Retried => "retried",
        }
    }
}

impl WorkerMetrics {
    pub(super) fn new(labels: &Labels, begin: Instant) -> Self {
        Self {
            routes: labels
                .routes
                .iter()
                .map(|_| RouteCells::default())
                .collect(),
            unrouted: RouteCells::default(),
            refusals: Default::default(),
            refused: Refused::default(),
            begin,
            upstreams: labels
                .upstreams
                .iter()
                .map(|_| UpstreamCells::default())
                .collect(),
            connections: Level::default(),
        }
    }

    /// A request was answered; `route` is the place of the route that it came to.
    pub fn request(&self, route: Option<usize>, status: StatusCode, took: Duration) {
        let known = route.and_then(|place| self.routes.get(place));
        let cells = known.unwrap_or(&self.unrouted);
        cells.statuses.add(status);
        cells.durations.add(took);
    }

    /// A request to the route at this place has become a WebSocket.
    pub fn websocket_opened(&self, route: Option<usize>) {
        if let Some(cells) = route.and_then(|place| self.routes.get(place)) {
            cells.websockets.get_or_init(Level::default).rise();
        }
    }

    /// A WebSocket of the route at this place is gone.
    pub fn websocket_closed(&self, route: Option<usize>) {
        let cells = route.and_then(|place| self.routes.get(place));
        if let Some(level) = cells.and_then(|cells| cells.websockets.get()) {
            level.fall();
        }
    }

    /// A request to the route at this place was refused under `code`, for a reason in words of wxgate's own.
    pub fn refusal(
        &self,
        code: RefusalCode,
        reason: &'static str,
        route: Option<usize>,
        now: Timestamp,
    ) {
        if let Some(count) = self.refusals.get(code as usize) {
            count.add(1);
        }
        let kind = Kind {
            code,
            reason,
            route,
        };
        self.refused.add(kind, now);
    }

    /// The upstream at this place has so many servers.
    pub fn servers(&self, upstream: usize, count: usize) {
        if let Some(cells) = self.upstreams.get(upstream) {
            cells.servers.meet(count);
        }
    }

    /// A server of an upstream, each at its place, is passed over until then; none if it is no more.
    pub fn server_rests(&self, upstream: usize, server: usize, until: Option<Instant>) {
        if let Some(cells) = self.server(upstream, server) {
            cells.set_rest(until, self.begin);
        }
    }

    /// A server has left so many requests in a row without an answer.
    pub fn server_fails(&self, upstream: usize, server: usize, fails: u32) {
        if let Some(cells) = self.server(upstream, server) {
            cells.set_fails(fails);
        }
    }

    /// A server says whether it is well.
    pub fn server_is_well(&self, upstream: usize, server: usize, is_well: bool) {
        if let Some(cells) = self.server(upstream, server) {
            cells.set_ill(!is_well);
        }
    }

    /// How this worker finds a server.
    pub(super) fn condition(&self, upstream: usize, server: usize) -> Option<Condition> {
        let cells = self.server(upstream, server)?;
        Some(cells.condition(self.begin))
    }

    fn server(&self, upstream: usize, server: usize) -> Option<&ServerCells> {
        self.upstreams.get(upstream)?.servers.get(server)
    }

    /// A request to the upstream at this place came to its end, or to its next try.
    pub fn upstream_request(&self, upstream: usize, outcome: UpstreamOutcome) {
        let cells = self.upstreams.get(upstream);
        if let Some(count) = cells.and_then(|c| c.outcomes.get(outcome as usize)) {
            count.add(1);
        }
    }

    /// A connection to the upstream at this place stands; it is idle until it is taken.
    pub fn upstream_connection_opened(&self, upstream: usize) {
        if let Some(cells) = self.upstreams.get(upstream) {
            cells.open.rise();
        }
    }

    /// A connection to the upstream at this place is gone; one that was taken has been returned before.
    pub fn upstream_connection_closed(&self, upstream: usize) {
        if let Some(cells) = self.upstreams.get(upstream) {
            cells.open.fall();
        }
    }

    /// A connection to the upstream at this place is in use.
    pub fn upstream_connection_taken(&self, upstream: usize) {
        if let Some(cells) = self.upstreams.get(upstream) {
            cells.taken.rise();
        }
    }

    /// A connection to the upstream at this place is no longer in use, be it whole or broken.
    pub fn upstream_connection_returned(&self, upstream: usize) {
        if let Some(cells) = self.upstreams.get(upstream) {
            cells.taken.fall();
        }
    }

    /// A client connected.
    pub fn connection_opened(&self) {
        self.connections.rise();
    }

    /// A client's connection is gone.
    pub fn connection_closed(&self) {
        self.connections.fall();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_outcomes_are_numbered_as_they_are_listed() {
        for (place, code) in RefusalCode::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, place, "{code}");
        }
        for (place, outcome) in UpstreamOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, place, "{outcome:?}");
        }
    }
}
