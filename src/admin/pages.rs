//! What the operator's listener answers. Knows nothing of connections.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use super::Admin;
use super::bearer::Bearer;
use super::decrypt::{Closed, Decrypter};
use super::readiness::{Phase, Readiness};
use crate::metrics::Metrics;
use crate::store::State;
use crate::wire::body::{self, READ_LIMIT};

/// Until the body of a request is whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a gateway says that is ready, but would lose sessions if it were started anew.
const UNSAVED: &str = "ready, but the sessions cannot be saved: the log says why";

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// All pages, with what they show.
pub(super) struct Pages {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    bearer: Option<Bearer>,
    decrypter: Decrypter,
    state: Option<Arc<State>>,
}

impl Pages {
    pub(super) fn new(admin: Admin) -> Self {
        Self {
            metrics: admin.metrics,
            readiness: admin.readiness,
            bearer: admin.token.as_ref().map(Bearer::new),
            decrypter: admin.decrypter,
            state: admin.state,
        }
    }

    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut answer = match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" if !is_read => not_read(),
            "/livez" => plain(StatusCode::OK, "ok"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            path if path == "/api" || path.starts_with("/api/") => {
                match self.refuse_stranger(request.headers()) {
                    Some(refusal) => refusal,
                    None => self.api(request).await,
                }
            }
            _ => plain(StatusCode::NOT_FOUND, "not found"),
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    fn readyz(&self) -> Answer {
        match self.readiness.phase() {
            Phase::Starting => plain(StatusCode::SERVICE_UNAVAILABLE, "not started"),
            Phase::Ready if self.is_in_trouble() => plain(StatusCode::OK, UNSAVED),
            Phase::Ready => plain(StatusCode::OK, "ready"),
            Phase::Draining => plain(StatusCode::SERVICE_UNAVAILABLE, "draining"),
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

    /// What those are told who may not enter; without a token nobody may, and nothing is there.
    fn refuse_stranger(&self, headers: &HeaderMap) -> Option<Answer> {
        let Some(bearer) = &self.bearer else {
            return Some(no_entry());
        };
        if bearer.admits(headers) {
            return None;
        }
        let message = "this needs the token of [admin]";
        let mut answer = error(StatusCode::UNAUTHORIZED, "unauthorized", message);
        let scheme = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        Some(answer)
    }

    /// Answers those who may enter.
    async fn api(&self, request: Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/api/decrypt" if *request.method() != Method::POST => not_posted(),
            "/api/decrypt" => self.decrypt(request).await.unwrap_or_else(|closed| {
                let (status, code, message) = closed.told();
                error(status, code, message)
            }),
            _ => no_entry(),
        }
    }

    async fn decrypt(&self, request: Request<Incoming>) -> Result<Answer, Closed> {
        let body = body::read(request.into_body(), READ_LIMIT, BODY_TIMEOUT).await?;
        let opened = self.decrypter.open(&body).await?;
        let media_type = HeaderValue::from_static("application/json");
        Ok(page(StatusCode::OK, media_type, opened.to_string()))
    }
}

fn no_entry() -> Answer {
    error(StatusCode::NOT_FOUND, "not_found", "there is no such entry")
}

fn not_read() -> Answer {
    allowing(
        plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        "GET, HEAD",
    )
}

fn not_posted() -> Answer {
    let (status, message) = (StatusCode::METHOD_NOT_ALLOWED, "this takes POST");
    allowing(error(status, "method_not_allowed", message), "POST")
}

fn allowing(mut answer: Answer, methods: &'static str) -> Answer {
    let methods = HeaderValue::from_static(methods);
    answer.headers_mut().insert(ALLOW, methods);
    answer
}

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"error": code, "message": message}).to_string();
    page(status, HeaderValue::from_static("application/json"), body)
}

fn plain(status: StatusCode, body: &'static str) -> Answer {
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    page(status, media_type, body)
}

fn page(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    answer
}
