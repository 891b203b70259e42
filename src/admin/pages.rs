//! What the operator's listener answers. Knows nothing of connections.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;

use super::Admin;
use super::answer::{Answer, error, json, no_entry, not_read, not_taken, page, plain};
use super::decrypt::{Closed, Decrypter};
use super::entrance::Entrance;
use super::readiness::{Phase, Readiness};
use super::sessions::{self, Sessions};
use super::views::Views;
use crate::metrics::Metrics;
use crate::store::{Condition, State};
use crate::wire::body::{self, READ_LIMIT};

/// Until the body of a request is whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a gateway says that is ready, but would lose sessions if it were started anew.
const UNSAVED: &str = "ready, but the sessions cannot be saved: the log says why";

/// All pages, with what they show.
pub(super) struct Pages {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    entrance: Entrance,
    decrypter: Decrypter,
    sessions: Sessions,
    views: Views,
    state: Option<Arc<State>>,
}

impl Pages {
    pub(super) fn new(admin: Admin) -> Self {
        Self {
            metrics: admin.metrics,
            readiness: admin.readiness,
            entrance: Entrance::new(admin.token.as_ref(), admin.clock),
            decrypter: admin.decrypter,
            sessions: admin.sessions,
            views: admin.views,
            state: admin.state,
        }
    }

    /// Answers a request from `peer`.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let is_read = is_read(&request);
        let mut answer = match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" if !is_read => not_read(),
            "/livez" => plain(StatusCode::OK, "ok"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            path if path == "/api" || path.starts_with("/api/") => {
                match self.entrance.refuse(request.headers(), peer) {
                    Some(refusal) => refusal,
                    None => self.api(request, peer).await,
                }
            }
            path => match self.views.page(path) {
                Some(_) if !is_read => not_read(),
                Some(answer) => answer,
                None => plain(StatusCode::NOT_FOUND, "not found"),
            },
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    fn readyz(&self) -> Answer {
        match self.readiness.phase() {
            Phase::Starting => plain(StatusCode::SERVICE_UNAVAILABLE, "not started"),
            Phase::Ready => self.ready(),
            Phase::Draining => plain(StatusCode::SERVICE_UNAVAILABLE, "draining"),
        }
    }

    /// Without its store a gateway serves only those whom it knows, and for a while: others should come elsewhere.
    fn ready(&self) -> Answer {
        match self.decrypter.store.condition() {
            Condition::Down(reason) => {
                let said = format!("not ready: {reason}");
                plain(StatusCode::SERVICE_UNAVAILABLE, said)
            }
            Condition::ReadOnly(reason) => plain(StatusCode::OK, format!("ready, but {reason}")),
            Condition::Up if self.is_in_trouble() => plain(StatusCode::OK, UNSAVED),
            Condition::Up => plain(StatusCode::OK, "ready"),
        }
    }

    fn is_in_trouble(&self) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|state| state.is_in_trouble())
    }

    fn metrics(&self) -> Answer {
        let media_type = HeaderValue::from_static(Metrics::CONTENT_TYPE);
        page(StatusCode::OK, media_type, self.metrics.encode())
    }

    /// Answers those who may enter.
    async fn api(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let is_read = is_read(&request);
        match request.uri().path() {
            "/api/decrypt" if *request.method() != Method::POST => not_taken("POST"),
            "/api/decrypt" => self.decrypt(request).await.unwrap_or_else(|closed| {
                let (status, code, message) = closed.told();
                error(status, code, message)
            }),
            path if path.starts_with(sessions::PATH) => self.sessions.answer(request, peer).await,
            path => match self.views.entry(path) {
                Some(_) if !is_read => not_taken("GET, HEAD"),
                Some(answer) => answer,
                None => no_entry(),
            },
        }
    }

    async fn decrypt(&self, request: Request<Incoming>) -> Result<Answer, Closed> {
        let body = body::read(request.into_body(), READ_LIMIT, BODY_TIMEOUT).await?;
        let opened = self.decrypter.open(&body).await?;
        Ok(json(StatusCode::OK, &opened))
    }
}

fn is_read(request: &Request<Incoming>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}
