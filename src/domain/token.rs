//! The session token that a client holds, and the places where it may hold it. Knows nothing of sessions.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use ring::digest::{Context, SHA256, digest};

use super::byte_set::ByteSet;
use super::session_id::SessionId;

/// The random bytes in a skey.
const SKEY_BYTES: usize = 32;
/// The characters of a skey: its bytes in base64url without padding.
const SKEY_LEN: usize = 43;
/// The bytes of a digest.
const DIGEST_LEN: usize = 16;
/// What is hashed before a digest for the id of its session.
const ID_OF: &[u8] = b"the session of ";

/// A session token: 256 random bits as 43 characters of base64url. It masks itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Skey(Box<str>);

/// What is stored of a skey: the first half of the SHA-256 of its text.
///
/// Half is enough: whoever has a digest would have to hash some 2^128 texts to find one that leads there, and nobody
/// chooses two texts to meet, because all that are stored are random ones of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SkeyDigest(u64, u64);

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoEntropy(getrandom::Error);

impl Skey {
    /// Makes a new token from the system's random bytes.
    ///
    /// # Errors
    ///
    /// The system has none to give.
    pub fn generate() -> Result<Self, NoEntropy> {
        let mut bytes = [0; SKEY_BYTES];
        getrandom::fill(&mut bytes).map_err(NoEntropy)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The token itself, for the client alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What leads to the session.
    #[must_use]
    pub fn digest(&self) -> SkeyDigest {
        SkeyDigest::new(&self.0)
    }
}

impl SkeyDigest {
    /// The digest of the token that `text` is, unless no token can look like that.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let is_skey = text.len() == SKEY_LEN && ByteSet::BASE64URL.has_all(text.as_bytes());
        is_skey.then(|| Self::new(text))
    }

    /// The digest as bytes, the same on every machine.
    #[must_use]
    pub fn to_bytes(self) -> [u8; DIGEST_LEN] {
        let (first, second) = (self.0.to_ne_bytes(), self.1.to_ne_bytes());
        let mut both = first.into_iter().chain(second);
        std::array::from_fn(|_| both.next().unwrap_or_default())
    }

    /// The digest that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; DIGEST_LEN]) -> Self {
        let word = |half: Option<&[u8; 8]>| u64::from_ne_bytes(half.copied().unwrap_or_default());
        Self(word(bytes.first_chunk()), word(bytes.last_chunk()))
    }

    /// The name under which the session may be shown.
    #[must_use]
    pub fn session_id(self) -> SessionId {
        let mut hash = Context::new(&SHA256);
        hash.update(ID_OF);
        hash.update(&self.to_bytes());
        let half = hash.finish().as_ref().first_chunk().copied();
        SessionId::from_bytes(half.unwrap_or_default())
    }

    fn new(skey: &str) -> Self {
        // Every request needs one, so this is by the library that is fast even without instructions for it.
        let digest = digest(&SHA256, skey.as_bytes());
        let mut words = digest.as_ref().chunks_exact(8).map(|bytes| {
            // Eight bytes, so that there is no other case.
            u64::from_ne_bytes(bytes.try_into().unwrap_or_default())
        });
        let mut word = || words.next().unwrap_or_default();
        Self(word(), word())
    }
}

impl fmt::Debug for Skey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Skey(***)")
    }
}

/// A place of a request where a skey may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// `header:NAME`: the whole value of a header, with or without `Bearer ` before it.
    Header(HeaderName),
    /// `bearer`: `Authorization: Bearer SKEY`.
    Bearer,
    /// `query:NAME`: a parameter of the query.
    Query(String),
    /// `cookie:NAME`: a cookie.
    Cookie(String),
    /// `form:NAME`: a field of an `application/x-www-form-urlencoded` body.
    Form(String),
    /// `json:NAME`: a member of the object that is a JSON body.
    Json(String),
    /// `subprotocol:PREFIX`: what follows the prefix in one of the subprotocols that a WebSocket handshake offers.
    Subprotocol(String),
}

/// A text that names no place for a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place for a token; there are \"header:NAME\", \"bearer\", \"query:NAME\", \
     \"cookie:NAME\", \"form:NAME\", \"json:NAME\" and \"subprotocol:PREFIX\""
)]
pub struct UnknownTokenPlace(String);

impl TokenPlace {
    /// Reads a place as configs write it.
    ///
    /// # Errors
    ///
    /// `text` is none of the seven forms, or its name cannot stand there.
    pub fn parse(text: &str) -> Result<Self, UnknownTokenPlace> {
        let unknown = || UnknownTokenPlace(text.to_owned());
        if text == "bearer" {
            return Ok(Self::Bearer);
        }
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        if name.is_empty() {
            return Err(unknown());
        }
        let owned = name.to_owned();
        match kind {
            "header" => name.parse().map(Self::Header).map_err(|_| unknown()),
            "query" => Ok(Self::Query(owned)),
            "cookie" => Ok(Self::Cookie(owned)),
            "form" => Ok(Self::Form(owned)),
            "json" => Ok(Self::Json(owned)),
            // A header's name may have the same characters.
            "subprotocol" => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(_) => Ok(Self::Subprotocol(owned)),
                Err(_) => Err(unknown()),
            },
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_generated_skey_is_read_back_with_the_same_digest() {
        let skey = Skey::generate().unwrap();
        assert_eq!(SkeyDigest::of(skey.reveal()), Some(skey.digest()));
        assert_ne!(Skey::generate().unwrap().digest(), skey.digest());
    }

    #[test]
    fn the_id_of_a_session_is_its_own_and_tells_neither_token_nor_digest() {
        let skey = Skey::generate().unwrap();
        let id = skey.digest().session_id().to_string();
        assert_eq!(skey.digest().session_id().to_string(), id);
        let other = Skey::generate().unwrap().digest();
        assert_ne!(other.session_id().to_string(), id);
        assert_eq!(SkeyDigest::of(&id), None);
        let digest = skey.digest().to_bytes();
        let digest = SessionId::from_bytes(digest).to_string();
        assert!(!digest.contains(&id[..8]), "{digest} {id}");
    }

    #[test]
    fn the_id_of_a_session_stays_the_same_from_version_to_version() {
        // printf 'the session of 0123456789abcdef' | sha256sum
        let digest = SkeyDigest::from_bytes(*b"0123456789abcdef");
        let id = "454ef5554354a4a8530653df55eaf261";
        assert_eq!(digest.session_id().to_string(), id);
    }

    #[test]
    fn a_digest_is_the_first_half_of_sha_256() {
        let skey = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq";
        let SkeyDigest(first, second) = SkeyDigest::of(skey).unwrap();
        let half = [first.to_ne_bytes(), second.to_ne_bytes()].concat();
        assert_eq!(half, Sha256::digest(skey)[..16]);
        let bytes = SkeyDigest(first, second).to_bytes();
        assert_eq!(bytes, half[..]);
        assert_eq!(SkeyDigest::from_bytes(bytes), SkeyDigest(first, second));
    }

    #[test]
    fn what_cannot_be_a_skey_is_none() {
        let almost = "a".repeat(SKEY_LEN - 1);
        for text in [
            "",
            &almost,
            &format!("{almost}aa"),
            &format!("{almost}+"),
            "{skey}",
        ] {
            assert_eq!(SkeyDigest::of(text), None, "{text}");
        }
    }

    #[test]
    fn a_skey_does_not_show_in_debug_output() {
        let skey = Skey::generate().unwrap();
        assert!(!format!("{skey:?}").contains(skey.reveal()));
    }

    #[test]
    fn all_seven_places_are_read() {
        let places = [
            "header:X-Skey",
            "bearer",
            "query:t",
            "cookie:t",
            "form:t",
            "json:t",
            "subprotocol:wxgate.skey.",
        ];
        for text in places {
            TokenPlace::parse(text).unwrap();
        }
        for text in [
            "",
            "header:",
            "header:a b",
            "body:t",
            "Bearer",
            "query",
            "subprotocol:a,b",
        ] {
            let error = TokenPlace::parse(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no place for a token")),
                "{error}"
            );
        }
    }
}
