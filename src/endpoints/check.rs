//! The answer to a client that asks whether its session still holds. Asking is not using.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::value_of;
use crate::domain::clock::Timestamp;
use crate::domain::session::Session;
use crate::domain::template::Template;
use crate::wire::refusal::json_answer;

/// Says how many seconds are left of `session`.
#[must_use]
pub fn answer(session: &Session, now: Timestamp, response: Option<&Template>) -> Response<Bytes> {
    let body = match response {
        Some(template) => template.fill(|place| value_of(place, session, None, now)),
        None => json!({"valid": true, "expires_in": session.expires_in(now)}),
    };
    json_answer(StatusCode::OK, &body)
}
