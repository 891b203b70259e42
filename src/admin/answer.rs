//! The forms of what the operator's listener answers. Knows nothing of what is asked.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn no_entry() -> Answer {
    error(StatusCode::NOT_FOUND, "not_found", "there is no such entry")
}

/// A page that was asked for otherwise than to be read.
pub(super) fn not_read() -> Answer {
    let answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    with(answer, ALLOW, HeaderValue::from_static("GET, HEAD"))
}

/// An entry of `/api` that takes other methods: those, as `Allow` lists them.
pub(super) fn not_taken(methods: &'static str) -> Answer {
    let message = format!("this takes {methods}");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let answer = error(status, "method_not_allowed", &message);
    with(answer, ALLOW, HeaderValue::from_static(methods))
}

pub(super) fn unauthorized() -> Answer {
    let message = "this needs the token of [admin]";
    let answer = error(StatusCode::UNAUTHORIZED, "unauthorized", message);
    with(answer, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// To somebody who has tried too many wrong tokens, and may try again after so many seconds.
pub(super) fn locked_out(seconds: u64) -> Answer {
    let message = "too many wrong tokens came from this address: wait, then try again";
    let answer = error(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
    with(answer, RETRY_AFTER, seconds.max(1).into())
}

pub(super) fn bad_request(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "bad_request", message)
}

pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    json(status, &json!({"error": code, "message": message}))
}

pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
    let media_type = HeaderValue::from_static("application/json");
    page(status, media_type, body.to_string())
}

pub(super) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    page(status, media_type, body)
}

pub(super) fn page(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    with(answer, CONTENT_TYPE, media_type)
}

fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}
