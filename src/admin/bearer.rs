//! The token that the operator's interface asks for. Knows nothing of what lies behind it.

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::domain::secret::Secret;

/// What is kept of the token: its SHA-256, because comparing texts would tell their lengths.
pub(super) struct Bearer([u8; 32]);

impl Bearer {
    pub(super) fn new(token: &Secret) -> Self {
        Self(digest(token.reveal().as_bytes()))
    }

    /// Whether a request with these headers carries the token, as its one `Authorization: Bearer TOKEN`.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return false;
        };
        let Some((scheme, token)) = value.as_bytes().split_at_checked(b"Bearer ".len()) else {
            return false;
        };
        let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty();
        is_bearer && digest(token).ct_eq(&self.0).into()
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(***)")
    }
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn admits(token: &str, values: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        Bearer::new(&Secret::new(token)).admits(&headers)
    }

    #[test]
    fn the_token_itself_is_admitted() {
        assert!(admits("s3cret", &["Bearer s3cret"]));
        assert!(admits("s3cret", &["bearer s3cret"]));
    }

    #[test]
    fn nothing_else_is_admitted() {
        for value in [
            "s3cret",
            "Bearer",
            "Bearers3cret",
            "Bearer ",
            "Bearer s3cre",
            "Bearer s3crets",
            "Bearer  s3cret",
            "Bearer S3CRET",
            "Basic s3cret",
        ] {
            assert!(!admits("s3cret", &[value]), "{value}");
        }
        assert!(!admits("s3cret", &[]));
        assert!(
            !admits("", &["Bearer "]),
            "an empty token locks, it does not open"
        );
        assert!(!admits("s3cret", &["Bearer s3cret", "Bearer s3cret"]));
    }
}
