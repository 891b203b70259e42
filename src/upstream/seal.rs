//! Sealing: the one way to make a request that goes to a backend. Strip always, inject last.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::body::SealedBody;
use crate::config::plan::{IdentityHeader, IdentityPlan};
use crate::domain::identity::Facts;
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::token::TokenPlace;
use crate::wire::body::Inbound;
use crate::wire::headers::ManagedNames;
use crate::wire::request_id::RequestId;
use crate::wire::tokens::{strip_headers, strip_query};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// What a trusted proxy in front may say of the client.
pub(super) const FORWARDED_NAMES: [HeaderName; 3] =
    [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST];
/// Under which header the client, the backend and the log find one request's id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// In which header a backend finds that wxgate itself calls it, and why.
const X_WXGATE_EVENT: HeaderName = HeaderName::from_static("x-wxgate-event");

/// How a body of unknown length is sent.
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
/// What a head takes at once, in bytes; most are shorter.
const USUAL_HEAD: usize = 1024;
/// Under which names backends look for an identity, wxgate's own and those of WeChat CloudRun.
const USUAL_NAMES: [&str; 12] = [
    "x-openid",
    "x-unionid",
    "x-appid",
    "x-user-id",
    "x-wx-openid",
    "x-wx-unionid",
    "x-wx-appid",
    "x-wx-source",
    "x-wx-env",
    "x-wx-from-openid",
    "x-wx-from-unionid",
    "x-wx-from-appid",
];

/// A request that is clean: no name of ours in it but what we put there.
#[derive(Debug)]
pub struct Sealed {
    /// The request line and the headers, as they are sent.
    head: Bytes,
    is_idempotent: bool,
    is_to_head: bool,
    body: SealedBody,
}

/// What is to be sent, and on whose behalf.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// The client's head.
    pub head: Parts,
    /// Its path, as it was matched.
    pub path: &'a RequestPath<'a>,
    /// Its body.
    pub body: Inbound,
    /// Who sent it.
    pub peer: &'a Peer,
    /// Its id.
    pub request_id: &'a RequestId,
    /// The user, if there is one.
    pub identity: Option<Facts<'a>>,
    /// Why wxgate itself asks; none where a client does.
    pub event: Option<Event>,
}

/// Why wxgate itself calls a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user logs in.
    Login,
}

impl Event {
    const fn as_header(self) -> HeaderValue {
        match self {
            Self::Login => HeaderValue::from_static("login"),
        }
    }
}

/// The names that are managed, and the places that are emptied.
#[derive(Clone, Debug)]
pub struct Sealer {
    identity: IdentityPlan,
    tokens: Vec<TokenPlace>,
    from_clients: ManagedNames,
    from_backends: ManagedNames,
    identities: ManagedNames,
}

impl Sealer {
    /// Seals with these identity headers, takes tokens out of these places, and away what stands `beside` them.
    #[must_use]
    pub fn new(identity: IdentityPlan, tokens: Vec<TokenPlace>, beside: Vec<HeaderName>) -> Self {
        let names = identity_names(&identity);
        let token_names = tokens.iter().filter_map(|place| match place {
            TokenPlace::Header(name) => Some(name.clone()),
            _ => None,
        });
        let clients = names.iter().cloned().chain(token_names).chain(beside);
        Self {
            from_clients: ManagedNames::of_clients(clients),
            identities: ManagedNames::of(names.iter().cloned()),
            from_backends: ManagedNames::of_backends(names),
            identity,
            tokens,
        }
    }

    /// The names that no answer carries to a client.
    #[must_use]
    pub fn hidden(&self) -> &ManagedNames {
        &self.from_backends
    }

    /// The first header that a backend could take for an identity, and that stays when those under the configured names
    /// are set anew: another spelling of one, or another name that some backends believe.
    #[must_use]
    pub fn impostor<'h>(&self, headers: &'h HeaderMap) -> Option<&'h HeaderName> {
        let told = &self.identity.headers;
        let is_set_anew = |name: &HeaderName| told.iter().any(|header| header.name == name);
        let mut others = headers.keys().filter(|name| !is_set_anew(name));
        others.find(|name| self.identities.cover(name.as_str().as_bytes()))
    }

    /// Makes the request that goes to a backend.
    #[must_use]
    pub fn seal(&self, outbound: Outbound<'_>) -> Sealed {
        let Outbound {
            mut head,
            path,
            body,
            peer,
            request_id,
            identity,
            event,
        } = outbound;
        strip_headers(&self.tokens, &mut head.headers);
        let body = SealedBody::new(body);
        let mut text = Vec::with_capacity(USUAL_HEAD);
        self.write_request_line(&head, path, &mut text);
        self.write_passing(&head.headers, &mut text);
        write_framing(&head.headers, &body, &mut text);
        write_forwarded(&head.headers, peer, &mut text);
        write_header(&X_REQUEST_ID, request_id.as_header(), &mut text);
        if let Some(identity) = identity {
            self.write_identity(identity, &mut text);
        }
        if let Some(event) = event {
            write_header(&X_WXGATE_EVENT, &event.as_header(), &mut text);
        }
        text.extend_from_slice(b"\r\n");
        Sealed {
            head: Bytes::from(text),
            is_idempotent: head.method.is_idempotent(),
            is_to_head: head.method == Method::HEAD,
            body,
        }
    }

    fn write_request_line(&self, head: &Parts, path: &RequestPath<'_>, text: &mut Vec<u8>) {
        text.extend_from_slice(head.method.as_str().as_bytes());
        text.push(b' ');
        text.extend_from_slice(path.sent().as_bytes());
        let query = head.uri.query();
        if let Some(query) = query.and_then(|query| strip_query(&self.tokens, query)) {
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
        }
        text.extend_from_slice(b" HTTP/1.1\r\n");
    }

    fn write_passing(&self, headers: &HeaderMap, text: &mut Vec<u8>) {
        let connection = headers.get_all(CONNECTION).iter();
        let sieve = self
            .from_clients
            .sieve(connection.map(HeaderValue::as_bytes));
        for (name, value) in headers {
            if name != CONTENT_LENGTH && sieve.passes(name.as_str().as_bytes()) {
                write_header(name, value, text);
            }
        }
    }

    fn write_identity(&self, facts: Facts<'_>, text: &mut Vec<u8>) {
        for IdentityHeader { name, fact } in &self.identity.headers {
            if let Some(value) = facts.tell(*fact) {
                write_line(name, value, text);
            }
        }
    }
}

impl Sealed {
    /// Whether it may be sent again although it may have arrived: idempotent, and without a body.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.is_idempotent && self.body.is_empty()
    }

    /// The request line and the headers, line by line, for those who only want to see them.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.head).replace("\r\n", "\n")
    }

    /// The same request once more, if it may be repeated.
    pub(super) fn spare(&self) -> Option<Self> {
        let spare = || Self {
            head: self.head.clone(),
            body: SealedBody::Empty,
            ..*self
        };
        self.is_repeatable().then(spare)
    }

    /// Whether the answer to it has no body, whatever its head says.
    pub(super) fn is_to_head(&self) -> bool {
        self.is_to_head
    }

    /// The bytes of the head, and the body.
    pub(super) fn into_parts(self) -> (Bytes, SealedBody) {
        (self.head, self.body)
    }
}

fn write_header(name: &HeaderName, value: &HeaderValue, text: &mut Vec<u8>) {
    write_line(name, value.as_bytes(), text);
}

/// Writes a header whose `value` is of a type that is always a valid one.
fn write_line(name: &HeaderName, value: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(name.as_str().as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// How far the body goes: one way to tell it, ours.
fn write_framing(headers: &HeaderMap, body: &SealedBody, text: &mut Vec<u8>) {
    match body.length() {
        // No body at all and an empty one are not the same to every backend.
        Some(0) if !headers.contains_key(CONTENT_LENGTH) => {}
        Some(length) => write_header(&CONTENT_LENGTH, &HeaderValue::from(length), text),
        None => write_header(&TRANSFER_ENCODING, &CHUNKED, text),
    }
}

/// What a backend is told about where a request came from; what the client says of it counts if it is trusted.
fn write_forwarded(headers: &HeaderMap, peer: &Peer, text: &mut Vec<u8>) {
    let told = |name| peer.is_trusted().then(|| headers.get(name)).flatten();
    let is_scheme = |value: &&HeaderValue| *value == "http" || *value == "https";
    let proto = told(X_FORWARDED_PROTO).filter(is_scheme);
    let own = HeaderValue::from_static(peer.scheme().as_str());
    write_header(&X_FORWARDED_PROTO, proto.unwrap_or(&own), text);
    if let Some(client) = client_chain(headers, peer) {
        write_header(&X_FORWARDED_FOR, &client, text);
    }
    if let Some(host) = told(X_FORWARDED_HOST).or_else(|| headers.get(HOST)) {
        write_header(&X_FORWARDED_HOST, host, text);
    }
}

/// The peer's address, behind what a trusted peer says of those before it.
fn client_chain(headers: &HeaderMap, peer: &Peer) -> Option<HeaderValue> {
    let last = peer.as_header()?;
    if !peer.is_trusted() || !headers.contains_key(X_FORWARDED_FOR) {
        return Some(last.clone());
    }
    let told = headers.get_all(X_FORWARDED_FOR).iter().chain([last]);
    let chain: Vec<_> = told.map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&chain.join(&b", "[..])).ok()
}

/// What backends believe: the identity headers, and the usual names of such, since whoever renames one or turns it off
/// may still have code that reads it; and the header that says that wxgate itself asks.
fn identity_names(plan: &IdentityPlan) -> Vec<HeaderName> {
    let usual = USUAL_NAMES.map(HeaderName::from_static);
    let named = plan.headers.iter().map(|header| header.name.clone());
    named.chain(usual).chain([X_WXGATE_EVENT]).collect()
}

#[cfg(test)]
mod tests;
