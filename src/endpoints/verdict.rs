//! The answer to a proxy in front that asks whether a request may pass: the one answer of the gateway that carries an
//! identity. Only whoever holds a [`FrontProxy`], the proof that the peer is one, can make it.

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response};

use crate::config::plan::IdentityPlan;
use crate::domain::front::Front;
use crate::domain::identity::Facts;
use crate::domain::peer::FrontProxy;

/// Lets a request pass, and tells on whose behalf under the names that a backend knows. A name of which nothing is known
/// is there with an empty value: where it was missing, some proxies would leave the client's own in its place.
#[must_use]
pub fn answer(
    _: FrontProxy,
    front: Front,
    identity: &IdentityPlan,
    facts: Option<Facts<'_>>,
) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = front.pass();
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for header in &identity.headers {
        let known = facts.and_then(|facts| facts.tell(header.fact));
        let value = HeaderValue::from_bytes(known.unwrap_or_default());
        let value = value.unwrap_or(HeaderValue::from_static(""));
        headers.insert(header.name.clone(), value);
    }
    answer
}
