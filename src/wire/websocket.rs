//! The words of a WebSocket handshake: what a client may ask, and what a backend may answer to it. Knows no connections.

mod frames;

use std::mem::MaybeUninit;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use httparse::{Header, ParserConfig, Response};
use sha1::{Digest, Sha1};

use super::framing::{is_named, lists_upgrade, read_length};
use super::refusal::Refusal;
use super::tokens::{find_in_head, is_subprotocol};
use crate::domain::cors::Cors;
use crate::domain::token::TokenPlace;

pub use frames::{Farewell, Frames};

/// The one version that there is.
pub const VERSION: HeaderValue = HeaderValue::from_static("13");
/// What `Upgrade` calls it.
pub const WEBSOCKET: &str = "websocket";
/// What is hashed behind a key, so that nobody agrees who does not know of WebSocket (RFC 6455, 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The bytes of a key.
const KEY_BYTES: usize = 16;
/// The most headers of an answer.
const MOST_ANSWERED: usize = 128;

/// What a client asks, as far as the answer depends on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What only who has seen the key can answer.
    accept: String,
    /// The subprotocols that a backend may choose from.
    protocols: Vec<String>,
    /// The names of the extensions that it may use.
    extensions: Vec<String>,
}

/// Why a request opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHandshake {
    /// Not GET.
    #[error("a WebSocket is opened with GET")]
    Method,
    /// There is something behind the head.
    #[error("a WebSocket handshake has no body")]
    Body,
    /// Not version 13.
    #[error("a WebSocket handshake says Sec-WebSocket-Version: 13, once")]
    Version,
    /// No key, or several.
    #[error("a WebSocket handshake has one Sec-WebSocket-Key, of 16 bytes in base64")]
    Key,
    /// Names that are none, or the same one twice.
    #[error("Sec-WebSocket-Protocol names each subprotocol once")]
    Protocols,
    /// Nothing would be left to choose from, and who offers subprotocols waits for one to be chosen.
    #[error("the client offers no subprotocol beside its token, so that none can be chosen")]
    OnlyToken,
    /// A browser sends cookies along whoever's page it is.
    #[error("a page of another origin opens a WebSocket with the user's cookie")]
    Origin,
}

impl From<BadHandshake> for Refusal {
    fn from(error: BadHandshake) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// Why an answer of 101 does not open the WebSocket that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSwitch {
    /// It cannot be read.
    #[error("its head cannot be read")]
    Head,
    /// Another protocol, or none.
    #[error("it does not say Upgrade: websocket and Connection: upgrade")]
    Upgrade,
    /// It has not seen the key.
    #[error("its Sec-WebSocket-Accept is not the one for the client's key")]
    Accept,
    /// A subprotocol that the client did not offer, or several.
    #[error("it chooses a subprotocol that the client does not offer")]
    Protocol,
    /// An extension that the client did not offer.
    #[error("it uses an extension that the client does not offer")]
    Extension,
    /// What comes behind is not the WebSocket.
    #[error("it tells of a body")]
    Body,
}

/// Whether a request wants to become a WebSocket. That `Connection` lists `Upgrade` is told by whoever read it.
#[must_use]
pub fn is_asked(headers: &HeaderMap) -> bool {
    let wanted = headers.get_all(UPGRADE).iter();
    let mut wanted = wanted.flat_map(|value| items(value.as_bytes()));
    wanted.any(|item| item.eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
}

/// The refusal of a WebSocket where the config has none.
#[must_use]
pub fn not_taken() -> Refusal {
    Refusal::bad_request("the route has no `websocket = true`, and so takes none")
}

impl Handshake {
    /// Reads what a client asks. What stands in one of the `tokens` is none of the subprotocols that it offers.
    ///
    /// # Errors
    ///
    /// It is no handshake as RFC 6455 has it, or one that no browser should have made.
    pub fn read(head: &Parts, has_body: bool, tokens: &[TokenPlace]) -> Result<Self, BadHandshake> {
        if head.method != Method::GET {
            return Err(BadHandshake::Method);
        }
        if has_body {
            return Err(BadHandshake::Body);
        }
        if only(&head.headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION.as_bytes()) {
            return Err(BadHandshake::Version);
        }
        let key = only(&head.headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key));
        let key = key.ok_or(BadHandshake::Key)?;
        Ok(Self {
            accept: accept(key),
            protocols: offered(&head.headers, tokens)?,
            extensions: head
                .headers
                .get_all(SEC_WEBSOCKET_EXTENSIONS)
                .iter()
                .flat_map(|value| items(value.as_bytes()))
                .map(extension)
                .collect(),
        })
    }

    /// Holds the head of an answer of 101 against what was asked.
    ///
    /// # Errors
    ///
    /// It is not the answer to this handshake.
    pub fn check(&self, head: &[u8]) -> Result<(), BadSwitch> {
        let mut headers = [const { MaybeUninit::uninit() }; MOST_ANSWERED];
        let mut answer = Response::new(&mut []);
        let config = ParserConfig::default();
        let read = config.parse_response_with_uninit_headers(&mut answer, head, &mut headers);
        if !read.is_ok_and(|status| status.is_complete()) {
            return Err(BadSwitch::Head);
        }
        let answered = Answered(answer.headers);
        let is_switch = answered.only(&UPGRADE).is_some_and(is_websocket)
            && answered.values(&CONNECTION).any(lists_upgrade);
        if !is_switch {
            return Err(BadSwitch::Upgrade);
        }
        if answered.only(&SEC_WEBSOCKET_ACCEPT) != Some(self.accept.as_bytes()) {
            return Err(BadSwitch::Accept);
        }
        if !self.offers_protocol(&answered) {
            return Err(BadSwitch::Protocol);
        }
        let mut used = answered.items(&SEC_WEBSOCKET_EXTENSIONS).map(extension);
        if !used.all(|extension| self.extensions.contains(&extension)) {
            return Err(BadSwitch::Extension);
        }
        let mut lengths = answered.values(&CONTENT_LENGTH);
        if answered.values(&TRANSFER_ENCODING).next().is_some()
            || lengths.any(|length| read_length(length) != Some(0))
        {
            return Err(BadSwitch::Body);
        }
        Ok(())
    }

    fn offers_protocol(&self, answered: &Answered<'_>) -> bool {
        let mut chosen = answered.values(&SEC_WEBSOCKET_PROTOCOL);
        match (chosen.next(), chosen.next()) {
            (None, _) => true,
            (Some(chosen), None) => {
                let mut offered = self.protocols.iter();
                offered.any(|protocol| protocol.as_bytes() == chosen.trim_ascii())
            }
            (Some(_), Some(_)) => false,
        }
    }
}

/// Holds that the session of a request is no cookie's that a page of another origin makes a browser send: to pages, unlike
/// answers, a WebSocket is open whoever's it is. The pages in `cors` may.
///
/// # Errors
///
/// It is.
pub fn check_origin(
    head: &Parts,
    host: Option<&HeaderValue>,
    cors: Option<&Cors>,
    tokens: &[TokenPlace],
) -> Result<(), BadHandshake> {
    let place = tokens
        .iter()
        .find(|place| find_in_head(place, head).is_some());
    if !matches!(place, Some(TokenPlace::Cookie(_))) || !head.headers.contains_key(ORIGIN) {
        return Ok(());
    }
    let origin = Cors::origin(&head.headers);
    let is_own = origin
        .zip(host)
        .is_some_and(|(origin, host)| is_of(origin, host));
    if is_own || cors.is_some_and(|cors| cors.lets_read(origin)) {
        return Ok(());
    }
    Err(BadHandshake::Origin)
}

/// Whether a page comes from `host` itself.
fn is_of(origin: &HeaderValue, host: &HeaderValue) -> bool {
    let schemes: [&[u8]; 2] = [b"https://", b"http://"];
    let mut schemes = schemes.into_iter();
    let authority = schemes.find_map(|scheme| origin.as_bytes().strip_prefix(scheme));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_bytes()))
}

/// The subprotocols that a client offers, less tokens.
fn offered(headers: &HeaderMap, tokens: &[TokenPlace]) -> Result<Vec<String>, BadHandshake> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols: Vec<String> = Vec::new();
    let mut has_token = false;
    for item in values.flat_map(|value| items(value.as_bytes())) {
        let name = std::str::from_utf8(item).map_err(|_| BadHandshake::Protocols)?;
        if is_subprotocol(tokens, name) {
            has_token = true;
        } else if is_name(name) && !protocols.iter().any(|known| known == name) {
            protocols.push(name.to_owned());
        } else {
            return Err(BadHandshake::Protocols);
        }
    }
    if has_token && protocols.is_empty() {
        return Err(BadHandshake::OnlyToken);
    }
    Ok(protocols)
}

/// Whether a text is a token as HTTP has it, which a header's name is as well.
fn is_name(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

fn is_websocket(value: &[u8]) -> bool {
    value
        .trim_ascii()
        .eq_ignore_ascii_case(WEBSOCKET.as_bytes())
}

fn is_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|key| key.len() == KEY_BYTES)
}

/// What answers a key.
fn accept(key: &[u8]) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    STANDARD.encode(hash)
}

/// The name of an extension, without what is said of it.
fn extension(item: &[u8]) -> String {
    let name = item.split(|b| *b == b';').next().unwrap_or_default();
    String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase()
}

/// The one value of a header that has one.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes().trim_ascii();
    values.next().is_none().then_some(first)
}

/// What a list names, piece by piece.
fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = value.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    items.filter(|item| !item.is_empty())
}

/// The headers of an answer.
struct Answered<'h>(&'h [Header<'h>]);

impl<'h> Answered<'h> {
    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
        let Self(headers) = self;
        let named = headers
            .iter()
            .filter(move |header| is_named(header.name, name));
        named.map(|header| header.value)
    }

    fn only(&self, name: &HeaderName) -> Option<&'h [u8]> {
        let mut values = self.values(name);
        let first = values.next()?.trim_ascii();
        values.next().is_none().then_some(first)
    }

    fn items(&self, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
        self.values(name).flat_map(items)
    }
}

#[cfg(test)]
mod tests;
