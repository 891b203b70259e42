//! What the operator's listener answers. Knows nothing of connections.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use super::Admin;
use super::bearer::Bearer;
use super::readiness::{Phase, Readiness};
use crate::metrics::Metrics;

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// All pages, with what they show.
pub(super) struct Pages {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    bearer: Option<Bearer>,
}

impl Pages {
    pub(super) fn new(admin: Admin) -> Self {
        Self {
            metrics: admin.metrics,
            readiness: admin.readiness,
            bearer: admin.token.as_ref().map(Bearer::new),
        }
    }

    /// Answers a request, whatever its body is.
    pub(super) fn answer<B>(&self, request: &Request<B>) -> Answer {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut answer = match request.uri().path() {
            "/livez" | "/readyz" | "/metrics" if !is_read => not_allowed(),
            "/livez" => plain(StatusCode::OK, "ok"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            "/api" => self.api(request.headers()),
            path if path.starts_with("/api/") => self.api(request.headers()),
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
            Phase::Ready => plain(StatusCode::OK, "ready"),
            Phase::Draining => plain(StatusCode::SERVICE_UNAVAILABLE, "draining"),
        }
    }

    fn metrics(&self) -> Answer {
        let media_type = HeaderValue::from_static(Metrics::CONTENT_TYPE);
        page(StatusCode::OK, media_type, self.metrics.encode())
    }

    /// Has no entries, but tells so only to those who may enter; without a token nobody may.
    fn api(&self, headers: &HeaderMap) -> Answer {
        match &self.bearer {
            Some(bearer) if !bearer.admits(headers) => {
                let message = "this needs the token of [admin]";
                let mut answer = error(StatusCode::UNAUTHORIZED, "unauthorized", message);
                let scheme = HeaderValue::from_static("Bearer");
                answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
                answer
            }
            Some(_) | None => error(StatusCode::NOT_FOUND, "not_found", "there is no such entry"),
        }
    }
}

fn not_allowed() -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    let methods = HeaderValue::from_static("GET, HEAD");
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
