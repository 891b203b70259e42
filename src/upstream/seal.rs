//! Sealing: the one way to make a request that goes to a backend. Strip always, inject last.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::body::SealedBody;
use super::fastcgi::{Run, drop_ambiguous, shown, write_head};
use super::server::user_of;
use crate::config::plan::{
    Balance, FastCgiPlan, IdentityHeader, IdentityPlan, RouteChanges, UpstreamPlan,
};
use crate::domain::header_edits::HeaderEdits;
use crate::domain::identity::Facts;
use crate::domain::managed_names::{ManagedNames, X_REQUEST_ID, X_WXGATE_EVENT};
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::prefix::PathPrefix;
use crate::domain::token::TokenPlace;
use crate::wire::body::Inbound;
use crate::wire::forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::wire::header_lines::write_line;
use crate::wire::request_id::RequestId;
use crate::wire::tokens::{strip_headers, strip_query};

/// In which header a backend finds what was taken off the path that a client asked for.
const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// How a body of unknown length is sent.
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
/// What a head takes at once, in bytes; most are shorter.
const USUAL_HEAD: usize = 1024;
/// A request that is clean: no name of ours in it but what we put there.
#[derive(Debug)]
pub struct Sealed {
    /// The request line and the headers, as they are sent.
    head: Vec<u8>,
    is_idempotent: bool,
    is_to_head: bool,
    user: Option<u64>,
    body: SealedBody,
    /// Where a script answers, and the head is its environment.
    run: Option<Box<Run>>,
}

/// What is to be sent, and on whose behalf.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// The client's head; what must not pass is taken out of it.
    pub head: &'a mut Parts,
    /// Its path, as it was matched, or as the route changes it.
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
    /// What is sent otherwise than it came.
    pub changes: Changes<'a>,
}

/// What the config changes of a request on its way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes<'a> {
    /// The `Host` of the upstream; without it, the client's.
    pub host: Option<&'a HeaderValue>,
    /// What was taken off the beginning of the path.
    pub stripped: Option<&'a HeaderValue>,
    /// Whether it matters to which server a user comes.
    pub by_user: bool,
    /// Headers that the client sends in vain, and those that take their place.
    pub headers: Option<&'a HeaderEdits>,
    /// The scripts that answer, if no server does.
    pub scripts: Option<&'a FastCgiPlan>,
}

impl<'a> Changes<'a> {
    /// Those of an upstream.
    #[must_use]
    pub fn of(upstream: Option<&'a UpstreamPlan>) -> Self {
        Self {
            host: upstream.and_then(|upstream| upstream.host.as_ref()),
            by_user: upstream.is_some_and(|upstream| upstream.balance == Balance::OpenId),
            scripts: upstream.and_then(|upstream| upstream.fastcgi.as_deref()),
            ..Self::default()
        }
    }

    /// The same on a route that has its own.
    #[must_use]
    pub fn under(self, route: &'a RouteChanges) -> Self {
        let prefix = route.prefix.as_ref();
        let stripped = prefix.and_then(|change| change.strip.as_ref());
        Self {
            stripped: stripped.map(PathPrefix::as_header),
            headers: route.request.as_ref(),
            ..self
        }
    }

    /// Takes out of the client's headers what others take the place of, and gives the host that it asked for, if that is
    /// one of them.
    fn make_room(&self, headers: &mut HeaderMap) -> Option<HeaderValue> {
        if self.scripts.is_some() {
            drop_ambiguous(headers);
        }
        if let Some(edits) = self.headers {
            edits.take_out(headers);
        }
        headers.insert(HOST, self.host?.clone())
    }

    /// Writes what nobody else may say, and so not before what the client says.
    fn write(&self, text: &mut Vec<u8>) {
        if let Some(prefix) = self.stripped {
            write_header(&X_FORWARDED_PREFIX, prefix, text);
        }
        for (name, value) in self.headers.map_or(&[][..], HeaderEdits::put_in) {
            write_header(name, value, text);
        }
    }
}

/// Why wxgate itself calls a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A user logs in.
    Login,
    /// Is the server well?
    Health,
}

impl Event {
    const fn as_header(self) -> HeaderValue {
        match self {
            Self::Login => HeaderValue::from_static("login"),
            Self::Health => HeaderValue::from_static("health"),
        }
    }
}

/// The names that are managed, and the places that are emptied.
#[derive(Clone, Debug)]
pub struct Sealer {
    identity: IdentityPlan,
    tokens: Vec<TokenPlace>,
    from_clients: ManagedNames,
    identities: ManagedNames,
}

impl Sealer {
    /// Seals with these identity headers, takes tokens out of these places, and away what stands `beside` them.
    #[must_use]
    pub fn new(identity: IdentityPlan, tokens: Vec<TokenPlace>, beside: Vec<HeaderName>) -> Self {
        let names = identity.names();
        let token_names = tokens.iter().filter_map(|place| match place {
            TokenPlace::Header(name) => Some(name.clone()),
            _ => None,
        });
        let clients = names.chain(token_names).chain(beside);
        Self {
            from_clients: ManagedNames::of_clients(clients),
            identities: ManagedNames::of(identity.names()),
            identity,
            tokens,
        }
    }

    /// The names that no answer carries to a client: what says who a user is, and those that the gateway tells itself.
    #[must_use]
    pub fn hidden(&self, own: impl IntoIterator<Item = HeaderName>) -> ManagedNames {
        ManagedNames::of_backends(self.identity.names().chain(own))
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
            head,
            path,
            body,
            peer,
            request_id,
            identity,
            event,
            changes,
        } = outbound;
        strip_headers(&self.tokens, &mut head.headers);
        let asked = changes.make_room(&mut head.headers);
        let body = SealedBody::new(body);
        let mut text = Vec::with_capacity(USUAL_HEAD);
        self.write_request_line(head, path, &mut text);
        let seen = self.write_passing(&head.headers, &mut text);
        write_framing(seen.has_length, &body, &mut text);
        write_forwarded(asked.as_ref().or(seen.host), peer, &mut text);
        write_line(&mut text, X_REQUEST_ID.as_str(), request_id.as_bytes());
        changes.write(&mut text);
        if let Some(identity) = identity {
            self.write_identity(identity, &mut text);
        }
        if let Some(event) = event {
            write_header(&X_WXGATE_EVENT, &event.as_header(), &mut text);
        }
        text.extend_from_slice(b"\r\n");
        let run = changes.scripts.map(|scripts| {
            text = write_head(&text, scripts, path, peer);
            Box::new(Run::of(scripts, request_id))
        });
        Sealed {
            run,
            head: text,
            is_idempotent: head.method.is_idempotent(),
            is_to_head: head.method == Method::HEAD,
            user: identity.filter(|_| changes.by_user).map(user),
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

    fn write_passing<'h>(&self, headers: &'h HeaderMap, text: &mut Vec<u8>) -> Seen<'h> {
        let mut seen = Seen::default();
        let connection = headers.get_all(CONNECTION).iter();
        let sieve = self
            .from_clients
            .sieve(connection.map(HeaderValue::as_bytes));
        for (name, value) in headers {
            match *name {
                // It is told anew.
                CONTENT_LENGTH => {
                    seen.has_length = true;
                    continue;
                }
                HOST => seen.host = Some(value),
                _ => {}
            }
            if sieve.passes(name.as_str().as_bytes()) {
                write_header(name, value, text);
            }
        }
        seen
    }

    fn write_identity(&self, facts: Facts<'_>, text: &mut Vec<u8>) {
        for IdentityHeader { name, fact } in &self.identity.headers {
            if let Some(value) = facts.tell(*fact) {
                // Of a type that is always a valid value.
                write_line(text, name.as_str(), value);
            }
        }
    }
}

/// What was met among the headers of a client.
#[derive(Default)]
struct Seen<'h> {
    host: Option<&'h HeaderValue>,
    has_length: bool,
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
        match self.run {
            Some(_) => shown(&self.head),
            None => String::from_utf8_lossy(&self.head).replace("\r\n", "\n"),
        }
    }

    /// The same request once more, if it may be repeated.
    pub(super) fn spare(&self) -> Option<Self> {
        let spare = || Self {
            head: self.head.clone(),
            body: SealedBody::Empty,
            run: self.run.clone(),
            ..*self
        };
        self.is_repeatable().then(spare)
    }

    /// Whether the answer to it has no body, whatever its head says.
    pub(super) fn is_to_head(&self) -> bool {
        self.is_to_head
    }

    /// Whose it is, where that says to which server it goes.
    pub(super) fn user(&self) -> Option<u64> {
        self.user
    }

    /// The bytes of the head, the body, and the script, if one answers.
    pub(super) fn into_parts(self) -> (Vec<u8>, SealedBody, Option<Box<Run>>) {
        (self.head, self.body, self.run)
    }
}

fn user(facts: Facts<'_>) -> u64 {
    user_of(facts.openid.as_str())
}

fn write_header(name: &HeaderName, value: &HeaderValue, text: &mut Vec<u8>) {
    write_line(text, name.as_str(), value.as_bytes());
}

/// How far the body goes: one way to tell it, ours.
fn write_framing(has_length: bool, body: &SealedBody, text: &mut Vec<u8>) {
    match body.length() {
        // No body at all and an empty one are not the same to every backend.
        Some(0) if !has_length => {}
        Some(length) => write_header(&CONTENT_LENGTH, &HeaderValue::from(length), text),
        None => write_header(&TRANSFER_ENCODING, &CHUNKED, text),
    }
}

/// What a backend is told about where a request came from, and which host it asked for.
fn write_forwarded(asked: Option<&HeaderValue>, peer: &Peer, text: &mut Vec<u8>) {
    let scheme = peer.client_scheme().as_str();
    write_line(text, X_FORWARDED_PROTO.as_str(), scheme.as_bytes());
    if let Some(way) = peer.way() {
        write_header(&X_FORWARDED_FOR, way, text);
    }
    if let Some(host) = peer.host().or(asked) {
        write_header(&X_FORWARDED_HOST, host, text);
    }
}

#[cfg(test)]
mod tests;
