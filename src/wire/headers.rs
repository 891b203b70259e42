//! Which headers must not pass: those of one hop, and those that a backend could take for the gateway's own word.
//! Knows nothing of what is put in their place.

use http::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Headers that a proxy sets for a backend, and that no client may.
const PROXY_NAMES: [&str; 6] = [
    "forwarded",
    "x-real-ip",
    "x-request-id",
    "x-original-url",
    "x-rewrite-url",
    "proxy",
];
/// The start, folded, of a family of them.
const PROXY_FAMILY: &[u8] = b"x_forwarded";

/// The headers of one hop, beside `Connection`.
const HOP_BY_HOP: [HeaderName; 8] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The names that no client may send and no backend may answer with, in whatever spelling: a backend may fold every
/// character but letters and digits to `_`, as CGI and PHP do, and ignore case.
#[derive(Clone, Debug, Default)]
pub struct ManagedNames {
    folded: Vec<Vec<u8>>,
    /// A bit for each length, so that most headers are passed by without a comparison.
    lengths: u64,
    with_family: bool,
}

impl ManagedNames {
    /// Just these names.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let folded: Vec<_> = names.into_iter().map(|name| fold(name.as_str())).collect();
        let lengths = folded
            .iter()
            .fold(0, |bits, name| bits | length_bit(name.len()));
        Self {
            folded,
            lengths,
            with_family: false,
        }
    }

    /// These names, all that proxies set, such as `X-Forwarded-*` and `X-Real-IP`, and those of one hop: a backend that
    /// folds names must not take `Transfer_Encoding` for what it is not.
    #[must_use]
    pub fn with_proxy_names(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let proxy_names = PROXY_NAMES.map(HeaderName::from_static);
        Self {
            with_family: true,
            ..Self::of(names.into_iter().chain(proxy_names).chain(HOP_BY_HOP))
        }
    }

    /// Whether a backend could take `name` for one of these.
    #[must_use]
    pub fn cover(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let is_member = self.lengths & length_bit(name.len()) != 0
            && self.folded.iter().any(|managed| is_folded(name, managed));
        is_member || (self.with_family && is_of_family(name))
    }

    /// Removes all headers that a backend could take for one of these.
    pub fn strip(&self, headers: &mut HeaderMap) {
        let doomed: Vec<_> = headers
            .keys()
            .filter(|name| self.cover(name))
            .cloned()
            .collect();
        for name in doomed {
            headers.remove(name);
        }
    }
}

/// Removes the headers of this one hop and those that `Connection` names, but `Host`, which every hop needs.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in connection_names(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes `Expect`, which this hop has met by reading the body.
pub fn strip_expect(headers: &mut HeaderMap) {
    headers.remove(EXPECT);
}

fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let options = values.flat_map(|value| value.as_bytes().split(|b| *b == b','));
    let names = options.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    names.filter(|name| name != HOST).collect()
}

fn fold(name: &str) -> Vec<u8> {
    name.bytes().map(fold_byte).collect()
}

fn fold_byte(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() {
        byte.to_ascii_lowercase()
    } else {
        b'_'
    }
}

fn is_folded(name: &[u8], folded: &[u8]) -> bool {
    name.len() == folded.len() && name.iter().zip(folded).all(|(a, b)| fold_byte(*a) == *b)
}

fn is_of_family(name: &[u8]) -> bool {
    let Some((start, rest)) = name.split_at_checked(PROXY_FAMILY.len()) else {
        return false;
    };
    is_folded(start, PROXY_FAMILY) && rest.first().is_none_or(|b| fold_byte(*b) == b'_')
}

fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const OPENID: HeaderName = HeaderName::from_static("x-openid");

    fn headers(names: &[&str]) -> HeaderMap {
        let value = HeaderValue::from_static("v");
        names
            .iter()
            .map(|name| (name.parse().unwrap(), value.clone()))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_spelling_that_a_backend_could_fold_is_stripped() {
        let mut map = headers(&[
            "X-OpenId",
            "X_OpenId",
            "X.OpenId",
            "x-openid",
            "X!OPENID",
            "X-Open-Id",
            "XOpenId",
        ]);
        ManagedNames::of([OPENID]).strip(&mut map);
        assert_eq!(names(&map), ["x-open-id", "xopenid"]);
    }

    #[test]
    fn what_proxies_set_is_stripped_as_a_family() {
        let mut map = headers(&[
            "X-Forwarded",
            "X-Forwarded-For",
            "X_Forwarded_Proto",
            "X-Forwarded-User",
            "Forwarded",
            "X-Real-IP",
            "X_Real_IP",
            "X-Request-Id",
            "X-Original-URL",
            "X-Rewrite-URL",
            "Proxy",
            "X-Forwardedness",
            "Accept",
        ]);
        ManagedNames::with_proxy_names([OPENID]).strip(&mut map);
        assert_eq!(names(&map), ["accept", "x-forwardedness"]);
    }

    #[test]
    fn names_that_connection_lists_go_with_the_hop() {
        let mut map = headers(&[
            "X-Secret",
            "X-Kept",
            "Keep-Alive",
            "Upgrade",
            "TE",
            "Trailer",
            "Host",
        ]);
        map.append(CONNECTION, HeaderValue::from_static("close, x-secret"));
        map.append(
            CONNECTION,
            HeaderValue::from_static("Host,, not a name ,x-absent"),
        );
        strip_hop_by_hop(&mut map);
        assert_eq!(names(&map), ["host", "x-kept"]);
    }

    proptest! {
        #[test]
        fn no_name_that_folds_to_a_managed_one_survives(
            separators in prop::collection::vec("[-_.!#$%&'*+^`|~]", 2),
            upper in any::<bool>(),
        ) {
            let name = format!("x{}open{}id", separators[0], separators[1]);
            let name = if upper { name.to_uppercase() } else { name };
            let mut map = headers(&[&name]);
            ManagedNames::of([HeaderName::from_static("x-open-id")]).strip(&mut map);
            prop_assert!(map.is_empty(), "{name}");
        }
    }
}
