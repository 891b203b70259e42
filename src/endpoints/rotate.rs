//! A new skey for a session that goes on. Whoever has the old one has it for a little longer, as there are requests under
//! way with it.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::{RETRY_AFTER, value_of};
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;
use crate::domain::template::Template;
use crate::store::{OpenError, Opened};
use crate::wire::refusal::{Refusal, json_answer};

/// Holds a request to POST: no address that somebody is made to open should change a skey.
///
/// # Errors
///
/// `method_not_allowed`.
pub fn check_method(method: &Method) -> Result<(), Refusal> {
    if *method == Method::POST {
        return Ok(());
    }
    Err(Refusal::method_not_allowed(vec![Method::POST]))
}

/// Tells the new skey, and how long the session has left.
#[must_use]
pub fn answer(opened: &Opened, now: Timestamp, response: Option<&Template>) -> Response<Bytes> {
    let Opened { skey, session } = opened;
    let body = match response {
        Some(template) => template.fill(|place| value_of(place, session, Some(skey), now)),
        None => json!({"skey": skey.reveal(), "expires_in": session.expires_in(now)}),
    };
    json_answer(StatusCode::OK, &body)
}

/// The refusal of a rotation that the store did not do.
#[must_use]
pub fn refuse(error: OpenError) -> Refusal {
    match error {
        OpenError::Trouble(trouble) => trouble.into(),
        OpenError::NoEntropy(error) => {
            Refusal::because(RefusalCode::Overloaded, &error).retry_after(RETRY_AFTER)
        }
    }
}
