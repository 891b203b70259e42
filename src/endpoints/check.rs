//! The answer to a client that asks whether its session still holds. Asking is not using.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::domain::clock::Timestamp;
use crate::domain::session::Session;
use crate::domain::template::{Placeholder, Template};
use crate::wire::refusal::json_answer;

/// Says how many seconds are left of `session`.
#[must_use]
pub fn answer(session: &Session, now: Timestamp, response: Option<&Template>) -> Response<Bytes> {
    let expires_in = session.time_left(now).as_secs();
    let body = match response {
        Some(template) => template.fill(|place| match place {
            Placeholder::ExpiresIn => expires_in.into(),
            Placeholder::OpenId => session.identity.openid.as_str().into(),
            Placeholder::UnionId => {
                session.identity.unionid.as_ref().map(|id| id.as_str().into()).unwrap_or_default()
            }
            Placeholder::Skey
            | Placeholder::Code
            | Placeholder::Message
            | Placeholder::RequestId
            | Placeholder::Null => Value::Null,
        }),
        None => json!({"valid": true, "expires_in": expires_in}),
    };
    json_answer(StatusCode::OK, &body)
}
