//! What is known of one request at its end: the access line and the counts. Knows nothing of how it was answered.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use tokio::time::Instant;

use super::cors::Page;
use super::crowds::Seat;
use crate::config::plan::Plan;
use crate::domain::managed_names::X_REQUEST_ID;
use crate::domain::peer::Peer;
use crate::metrics::WorkerMetrics;
use crate::telemetry::{AccessLog, Rendered, name};
use crate::wire::refusal::Refusal;
use crate::wire::request_id::RequestId;

/// Where visits are written down: the names for the log, and one worker's counts. It belongs to one thread, so that a
/// request does not touch a count of references that another core touches.
pub(super) struct Ledger {
    pub(super) metrics: Arc<WorkerMetrics>,
    log: AccessLog,
    message: Rendered,
    /// What a line says of each route, app and upstream.
    routes: Vec<Rendered>,
    apps: Vec<Rendered>,
    upstreams: Vec<Rendered>,
}

impl Ledger {
    /// Writes down visits to what is in `plan`, in this thread's log.
    pub(super) fn new(plan: &Plan, metrics: Arc<WorkerMetrics>) -> Self {
        let log = AccessLog::here();
        let field = |name, value: &str| log.render(|line| line.text(name, value));
        let (routes, apps, upstreams) = (&plan.routes, &plan.apps, &plan.upstreams);
        Self {
            message: log.render(|line| line.message("request")),
            routes: routes
                .iter()
                .map(|route| field(name!("route"), &route.label))
                .collect(),
            apps: apps
                .iter()
                .map(|app| field(name!("app"), &app.app.name))
                .collect(),
            upstreams: upstreams
                .iter()
                .map(|one| field(name!("upstream"), &one.name))
                .collect(),
            metrics,
            log,
        }
    }
}

/// One request, as the log and the metrics will see it: when it is dropped, it writes the access line and counts, so
/// that a client that goes away in the middle leaves a line as well.
pub(super) struct Visit {
    pub(super) request_id: RequestId,
    /// The place of its route.
    pub(super) route: Option<usize>,
    /// The place of its app.
    pub(super) app: Option<usize>,
    /// The place of its upstream.
    pub(super) upstream: Option<usize>,
    /// The page that makes it.
    pub(super) page: Page,
    /// The status of its answer, once there is one.
    pub(super) status: Option<StatusCode>,
    pub(super) refusal: Option<Refusal>,
    /// How much of the answer's body was handed over.
    pub(super) bytes: u64,
    /// Whether that was all of it.
    pub(super) is_whole: bool,
    /// How long its upstream took to answer.
    pub(super) upstream_took: Option<Duration>,
    /// Its place at its upstream, which comes free when the visit ends.
    pub(super) seat: Seat,
    asked: Option<(Method, Uri)>,
    client: Option<HeaderValue>,
    since: Instant,
    ledger: Rc<Ledger>,
}

impl Visit {
    /// Begins with a request's head, which came at a time. The id of a trusted proxy is taken over.
    pub(super) fn begin(head: &Parts, at: Instant, peer: &Peer, ledger: &Rc<Ledger>) -> Self {
        let told = || head.headers.get(X_REQUEST_ID);
        let told = peer.is_trusted().then(told).flatten();
        let request_id = told
            .and_then(RequestId::parse)
            .unwrap_or_else(RequestId::generate);
        let asked = (head.method.clone(), head.uri.clone());
        Self::new(request_id, Some(asked), at, peer, ledger)
    }

    /// Begins with something that never became a request.
    pub(super) fn unread(peer: &Peer, ledger: &Rc<Ledger>) -> Self {
        Self::new(RequestId::generate(), None, Instant::now(), peer, ledger)
    }

    fn new(
        request_id: RequestId,
        asked: Option<(Method, Uri)>,
        since: Instant,
        peer: &Peer,
        ledger: &Rc<Ledger>,
    ) -> Self {
        Self {
            request_id,
            route: None,
            app: None,
            upstream: None,
            page: None,
            status: None,
            refusal: None,
            bytes: 0,
            is_whole: false,
            upstream_took: None,
            seat: None,
            asked,
            client: peer.client().cloned(),
            since,
            ledger: Rc::clone(ledger),
        }
    }

    /// Whether the request was HEAD.
    pub(super) fn is_to_head(&self) -> bool {
        self.asked
            .as_ref()
            .is_some_and(|(method, _)| method == Method::HEAD)
    }

    fn end(&self) {
        let now = Instant::now();
        let took = now - self.since;
        let status = self.status.unwrap_or_else(client_gone);
        let ledger = &*self.ledger;
        ledger.metrics.request(self.route, status, took);
        let route = self.route.and_then(|index| ledger.routes.get(index));
        let app = self.app.and_then(|index| ledger.apps.get(index));
        let upstream = self.upstream.and_then(|index| ledger.upstreams.get(index));
        ledger.log.write(&ledger.message, now, |line| {
            if self.request_id.is_own() {
                line.word(name!("request_id"), self.request_id.as_str());
            } else {
                line.text(name!("request_id"), self.request_id.as_str());
            }
            if let Some(client) = self.client.as_ref().and_then(|client| client.to_str().ok()) {
                line.word(name!("client"), client);
            }
            if let Some((method, uri)) = &self.asked {
                line.word(name!("method"), method.as_str());
                line.text(name!("path"), uri.path());
            }
            route
                .into_iter()
                .chain(app)
                .for_each(|named| line.add(named));
            line.number(name!("status"), status.as_u16().into());
            if let Some(upstream) = upstream {
                line.add(upstream);
            }
            if let Some(took) = self.upstream_took {
                line.millis(name!("upstream_ms"), took);
            }
            line.millis(name!("duration_ms"), took);
            line.number(name!("bytes"), self.bytes);
            if !self.is_whole {
                line.flag(name!("cut"));
            }
            if let Some(refusal) = &self.refusal {
                line.word(name!("refusal"), refusal.code.as_str());
                line.text(name!("reason"), &refusal.reason);
            }
        });
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.end();
    }
}

/// What stands for the status of an answer that nobody waited for, as other servers have it.
fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}
