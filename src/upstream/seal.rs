//! Sealing: the one way to make a request that goes to a backend. Strip always, inject last.

use bytes::Bytes;
use http::header::{HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;

use super::body::SealedBody;
use crate::config::plan::{IdentityHeader, IdentityPlan};
use crate::domain::identity::Identity;
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::token::TokenPlace;
use crate::wire::body::Inbound;
use crate::wire::headers::ManagedNames;
use crate::wire::refusal::Refusal;
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
    head: Head,
    body: SealedBody,
}

#[derive(Clone, Debug)]
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// A path and query that cannot be written as a request target.
#[derive(Debug, thiserror::Error)]
#[error("the target cannot be sent on")]
pub struct Unsealable;

impl From<Unsealable> for Refusal {
    fn from(error: Unsealable) -> Self {
        Self::bad_request(error.to_string())
    }
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
    pub identity: Option<&'a Identity>,
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

    /// Makes the request that goes to a backend.
    ///
    /// # Errors
    ///
    /// The target cannot be written, which no target that was parsed should come to.
    pub fn seal(&self, outbound: Outbound<'_>) -> Result<Sealed, Unsealable> {
        let Outbound {
            head,
            path,
            body,
            peer,
            request_id,
            identity,
            event,
        } = outbound;
        let Parts {
            method,
            uri,
            mut headers,
            ..
        } = head;
        let uri = self.target(&uri, path).ok_or(Unsealable)?;
        let forwarded = Forwarded::of(&headers, peer);
        self.from_clients.strip(&mut headers);
        strip_headers(&self.tokens, &mut headers);
        forwarded.inject(&mut headers);
        headers.insert(X_REQUEST_ID, request_id.as_header().clone());
        if let Some(identity) = identity {
            self.inject(identity, &mut headers);
        }
        if let Some(event) = event {
            headers.insert(X_WXGATE_EVENT, event.as_header());
        }
        Ok(Sealed {
            head: Head {
                method,
                uri,
                headers,
            },
            body: SealedBody::new(body),
        })
    }

    fn target(&self, uri: &Uri, path: &RequestPath<'_>) -> Option<Uri> {
        let query = uri
            .query()
            .and_then(|query| strip_query(&self.tokens, query));
        let is_as_it_came = path.sent() == uri.path() && query.as_deref() == uri.query();
        let target = if is_as_it_came {
            uri.path_and_query()?.clone()
        } else {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let target = Bytes::from(format!("{}{query}", path.sent()));
            PathAndQuery::from_maybe_shared(target).ok()?
        };
        Some(Uri::from(target))
    }

    fn inject(&self, identity: &Identity, headers: &mut HeaderMap) {
        for IdentityHeader { name, fact } in &self.identity.headers {
            if let Some(value) = identity.tell(*fact) {
                headers.insert(name.clone(), value);
            }
        }
    }
}

impl Sealed {
    /// Whether it may be sent again although it may have arrived: idempotent, and without a body.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.head.method.is_idempotent() && self.body.is_empty()
    }

    /// The request line and the headers, for those who only want to see them.
    #[must_use]
    pub fn shown(&self) -> (&Method, &Uri, &HeaderMap) {
        (&self.head.method, &self.head.uri, &self.head.headers)
    }

    pub(super) fn body(&self) -> &SealedBody {
        &self.body
    }

    /// The same request once more, if it may be repeated.
    pub(super) fn spare(&self) -> Option<Self> {
        let spare = || Self {
            head: self.head.clone(),
            body: SealedBody::empty(),
        };
        self.is_repeatable().then(spare)
    }

    pub(super) fn into_request(self) -> Request<SealedBody> {
        let Self { mut head, body } = self;
        if body.size_hint().exact().is_none() {
            // Left to itself, the library sends a GET of unknown length without its body.
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(TRANSFER_ENCODING, chunked);
        }
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = head.headers;
        request
    }

    /// Takes back a request of which nothing was sent.
    pub(super) fn unsent(request: Request<SealedBody>) -> Self {
        let (
            Parts {
                method,
                uri,
                headers,
                ..
            },
            body,
        ) = request.into_parts();
        Self {
            head: Head {
                method,
                uri,
                headers,
            },
            body,
        }
    }
}

/// What a backend is told about where a request came from.
struct Forwarded {
    client: Option<HeaderValue>,
    proto: HeaderValue,
    host: Option<HeaderValue>,
}

impl Forwarded {
    fn of(headers: &HeaderMap, peer: &Peer) -> Self {
        let told = |name| headers.get(name).filter(|_| peer.is_trusted()).cloned();
        let is_scheme = |value: &HeaderValue| value == "http" || value == "https";
        let proto = told(X_FORWARDED_PROTO).filter(is_scheme);
        Self {
            client: client_chain(headers, peer),
            proto: proto.unwrap_or(HeaderValue::from_static(peer.scheme().as_str())),
            host: told(X_FORWARDED_HOST).or_else(|| headers.get(HOST).cloned()),
        }
    }

    fn inject(self, headers: &mut HeaderMap) {
        headers.insert(X_FORWARDED_PROTO, self.proto);
        headers.extend(self.client.map(|client| (X_FORWARDED_FOR, client)));
        headers.extend(self.host.map(|host| (X_FORWARDED_HOST, host)));
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
