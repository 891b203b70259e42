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

/// The headers of one hop.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The names that one side may not say to the other through the gateway, in whatever spelling: a backend may fold every
/// character but letters and digits to `_`, as CGI and PHP do, and ignore case.
#[derive(Clone, Debug)]
pub struct ManagedNames {
    folded: Vec<Vec<u8>>,
    /// A bit for each length, so that most headers are passed by without a comparison.
    lengths: u64,
    with_family: bool,
}

impl ManagedNames {
    /// What no client may say to a backend: `names`, what proxies set, such as `X-Forwarded-*` and `X-Real-IP`, what
    /// concerns one hop, and `Expect`, which the gateway meets by reading the body.
    #[must_use]
    pub fn of_clients(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let proxy_names = PROXY_NAMES.map(HeaderName::from_static);
        Self::new(names.into_iter().chain(proxy_names).chain([EXPECT]), true)
    }

    /// What no backend may say to a client: `names`, and what concerns one hop.
    #[must_use]
    pub fn of_backends(names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self::new(names.into_iter(), false)
    }

    fn new(names: impl Iterator<Item = HeaderName>, with_family: bool) -> Self {
        let names = names.chain(HOP_BY_HOP);
        let folded: Vec<_> = names.map(|name| fold(name.as_str())).collect();
        let lengths = folded
            .iter()
            .fold(0, |bits, name| bits | length_bit(name.len()));
        Self {
            folded,
            lengths,
            with_family,
        }
    }

    /// Removes all headers that the other side could take for one of these, but first what `Connection` names.
    pub fn strip(&self, headers: &mut HeaderMap) {
        for name in connection_names(headers) {
            headers.remove(name);
        }
        let doomed: Vec<_> = headers
            .keys()
            .filter(|name| self.cover(name))
            .cloned()
            .collect();
        for name in doomed {
            headers.remove(name);
        }
    }

    fn cover(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let is_member = self.lengths & length_bit(name.len()) != 0
            && self.folded.iter().any(|managed| is_folded(name, managed));
        is_member || (self.with_family && is_of_family(name))
    }
}

/// What `Connection` names, but `Host`, which every hop needs.
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
        ManagedNames::of_backends([OPENID]).strip(&mut map);
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
        ManagedNames::of_clients([OPENID]).strip(&mut map);
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
        ManagedNames::of_backends([]).strip(&mut map);
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
            ManagedNames::of_backends([HeaderName::from_static("x-open-id")]).strip(&mut map);
            prop_assert!(map.is_empty(), "{name}");
        }
    }
}
