//! What is known of one request at its end: the access line and the counts. Knows nothing of how it was answered.

use std::future::Future;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::config::plan::Plan;
use crate::domain::peer::Peer;
use crate::metrics::WorkerMetrics;
use crate::upstream::X_REQUEST_ID;
use crate::wire::refusal::Refusal;
use crate::wire::request_id::RequestId;

/// Where visits are written down: the names for the log, and one worker's counts. It belongs to one thread, so that a
/// request does not touch a count of references that another core touches.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) plan: Arc<Plan>,
    pub(super) metrics: Arc<WorkerMetrics>,
}

/// One request, as the log and the metrics will see it.
pub(super) struct Visit {
    pub(super) request_id: RequestId,
    /// The place of its route.
    pub(super) route: Option<usize>,
    /// The place of its app.
    pub(super) app: Option<usize>,
    /// The place of its upstream.
    pub(super) upstream: Option<usize>,
    pub(super) status: Option<StatusCode>,
    pub(super) refusal: Option<Refusal>,
    upstream_took: Option<Duration>,
    asked: Option<(Method, Uri)>,
    client: Option<IpAddr>,
    since: Instant,
    ledger: Rc<Ledger>,
}

impl Visit {
    /// Begins with a request's head. The id of a trusted proxy is taken over.
    pub(super) fn begin(head: &Parts, peer: &Peer, ledger: &Rc<Ledger>) -> Self {
        let told = head.headers.get(X_REQUEST_ID).filter(|_| peer.is_trusted());
        Self {
            request_id: told
                .and_then(RequestId::parse)
                .unwrap_or_else(RequestId::generate),
            asked: Some((head.method.clone(), head.uri.clone())),
            ..Self::unread(peer, ledger)
        }
    }

    /// Begins with something that never became a request.
    pub(super) fn unread(peer: &Peer, ledger: &Rc<Ledger>) -> Self {
        Self {
            request_id: RequestId::generate(),
            route: None,
            app: None,
            upstream: None,
            status: None,
            refusal: None,
            upstream_took: None,
            asked: None,
            client: peer.address(),
            since: Instant::now(),
            ledger: Rc::clone(ledger),
        }
    }

    /// Notes how long an upstream takes to answer.
    pub(super) async fn time_upstream<T>(&mut self, sending: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let answer = sending.await;
        self.upstream_took = Some(since.elapsed());
        answer
    }

    /// Whether the request was HEAD.
    pub(super) fn is_to_head(&self) -> bool {
        self.asked
            .as_ref()
            .is_some_and(|(method, _)| method == Method::HEAD)
    }

    /// Ends after `bytes` of a body, whole or cut off: writes the access line and counts.
    pub(super) fn end(&self, bytes: u64, is_whole: bool) {
        let took = self.since.elapsed();
        let status = self.status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Ledger { plan, metrics } = &*self.ledger;
        metrics.request(self.route, status, took);
        let route = self.route.and_then(|index| plan.routes.get(index));
        let app = self.app.and_then(|index| plan.apps.get(index));
        let upstream = self.upstream.and_then(|index| plan.upstreams.get(index));
        tracing::info!(
            target: "wxgate::access",
            request_id = self.request_id.as_str(),
            client = self.client.map(tracing::field::display),
            method = self.asked.as_ref().map(|(method, _)| method.as_str()),
            path = self.asked.as_ref().map(|(_, uri)| uri.path()),
            route = route.map(|route| route.label.as_str()),
            app = app.map(|plan| plan.app.name.as_str()),
            status = status.as_u16(),
            upstream = upstream.map(|upstream| upstream.name.as_str()),
            upstream_ms = self.upstream_took.map(millis),
            duration_ms = millis(took),
            bytes,
            cut = (!is_whole).then_some(true),
            refusal = self.refusal.as_ref().map(|refusal| refusal.code.as_str()),
            reason = self.refusal.as_ref().map(|refusal| refusal.reason.as_ref()),
            "request"
        );
    }
}

/// Milliseconds, to the microsecond.
fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}
