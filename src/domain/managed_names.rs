//! Which headers must not pass: those of one hop, and those that a backend could take for the gateway's own word.
//! Knows nothing of what is put in their place.

use std::collections::BTreeSet;

use http::header::{
    CONNECTION, EXPECT, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
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

/// Under which names backends look for an identity, wxgate's own and those of WeChat CloudRun: whoever renames one or turns
/// it off may still have code that reads it.
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
/// Under which header the client, the backend and the log find one request's id.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// In which header a backend finds that wxgate itself calls it, and why.
pub const X_WXGATE_EVENT: HeaderName = HeaderName::from_static("x-wxgate-event");

/// The names that one side may not say to the other through the gateway, in whatever spelling: a backend may fold every
/// character but letters and digits to `_`, as CGI and PHP do, and ignore case.
#[derive(Clone, Debug)]
pub struct ManagedNames {
    /// Folded, by their lengths: most headers are passed by without a comparison.
    folded: Vec<Vec<Vec<u8>>>,
    with_family: bool,
}

impl ManagedNames {
    /// What no client may say to a backend: `names` and the usual ones of an identity, what proxies set, such as `X-Forwarded-*` and `X-Real-IP`, what
    /// concerns one hop, and `Expect`, which the gateway meets by reading the body.
    #[must_use]
    pub fn of_clients(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let proxy_names = PROXY_NAMES.map(HeaderName::from_static);
        let names = names.into_iter().chain(proxy_names).chain(HOP_BY_HOP);
        Self::new(names.chain([EXPECT]), true)
    }

    /// What no backend may say to a client: `names` and the usual ones of an identity, and what concerns one hop.
    #[must_use]
    pub fn of_backends(names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self::new(names.into_iter().chain(HOP_BY_HOP), false)
    }

    /// What a backend could take for an identity: `names` and the usual ones.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = HeaderName>) -> Self {
        Self::new(names.into_iter(), false)
    }

    /// A sieve for one message, whose `Connection` headers have these values.
    pub fn sieve<'v>(&self, connection: impl IntoIterator<Item = &'v [u8]>) -> Sieve<'_> {
        let options = connection.into_iter().flat_map(|value| {
            let options = value.split(|b| *b == b',');
            options.map(<[u8]>::trim_ascii)
        });
        Sieve {
            managed: self,
            listed: options
                .filter(is_a_header)
                .map(<[u8]>::to_ascii_lowercase)
                .collect(),
        }
    }

    fn new(names: impl Iterator<Item = HeaderName>, with_family: bool) -> Self {
        let usual = USUAL_NAMES.map(HeaderName::from_static);
        let names = names.chain(usual).chain([X_WXGATE_EVENT]);
        let mut folded: Vec<Vec<Vec<u8>>> = Vec::new();
        for name in names.map(|name| fold(name.as_str())) {
            let length = name.len();
            folded.resize(folded.len().max(length + 1), Vec::new());
            if let Some(alike) = folded.get_mut(length) {
                alike.push(name);
            }
        }
        Self {
            folded,
            with_family,
        }
    }

    /// Whether a header of this name could be taken for one of them.
    #[must_use]
    pub fn cover(&self, name: &[u8]) -> bool {
        let alike = self.folded.get(name.len()).map(Vec::as_slice);
        let mut alike = alike.unwrap_or_default().iter();
        alike.any(|managed| is_folded(name, managed)) || (self.with_family && is_of_family(name))
    }
}

/// What of the headers of one message must not pass: all that the other side could take for a managed name, and what
/// its own `Connection` lists.
#[derive(Debug)]
pub struct Sieve<'a> {
    managed: &'a ManagedNames,
    /// In lower case; nothing for most messages.
    listed: BTreeSet<Vec<u8>>,
}

impl Sieve<'_> {
    /// Whether a header of this name may pass.
    #[must_use]
    pub fn passes(&self, name: &[u8]) -> bool {
        !self.managed.cover(name) && !self.lists(name)
    }

    fn lists(&self, name: &[u8]) -> bool {
        !self.listed.is_empty() && self.listed.contains(&name.to_ascii_lowercase())
    }
}

/// Whether an option of `Connection` may name a header that goes with the hop. `Host` does not, since every hop needs
/// it, and the two usual options name none that is not managed.
fn is_a_header(option: &&[u8]) -> bool {
    let others: [&[u8]; 4] = [b"", b"host", b"keep-alive", b"close"];
    !others
        .iter()
        .any(|other| option.eq_ignore_ascii_case(other))
}

/// The name as CGI and PHP see it, where `X-OpenId`, `x_openid` and `X.OpenId` are one.
#[must_use]
pub fn fold(name: &str) -> Vec<u8> {
    name.bytes().map(fold_byte).collect()
}

fn fold_byte(byte: u8) -> u8 {
    FOLDED.get(usize::from(byte)).copied().unwrap_or(b'_')
}

/// What each byte is folded to, so that to fold one is one look.
#[expect(
    clippy::indexing_slicing,
    reason = "done while compiling: a slip would be an error then"
)]
const FOLDED: [u8; 256] = {
    let mut folded = [b'_'; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

fn is_folded(name: &[u8], folded: &[u8]) -> bool {
    name.len() == folded.len() && name.iter().zip(folded).all(|(a, b)| fold_byte(*a) == *b)
}

fn is_of_family(name: &[u8]) -> bool {
    let Some((start, rest)) = name.split_at_checked(PROXY_FAMILY.len()) else {
        return false;
    };
    is_folded(start, PROXY_FAMILY) && rest.first().is_none_or(|b| fold_byte(*b) == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPENID: HeaderName = HeaderName::from_static("x-openid");

    /// Those of the names that pass, in a message without `Connection`.
    fn passing<'n>(managed: &ManagedNames, names: &[&'n str]) -> Vec<&'n str> {
        passing_beside(managed, &[], names)
    }

    /// The same in a message with these `Connection` headers.
    fn passing_beside<'n>(
        managed: &ManagedNames,
        connection: &[&str],
        names: &[&'n str],
    ) -> Vec<&'n str> {
        let sieve = managed.sieve(connection.iter().map(|value| value.as_bytes()));
        let names = names.iter().copied();
        names.filter(|name| sieve.passes(name.as_bytes())).collect()
    }

    #[test]
    fn every_spelling_that_a_backend_could_fold_is_stripped() {
        let names = [
            "X-OpenId",
            "X_OpenId",
            "X.OpenId",
            "x-openid",
            "X!OPENID",
            "X-Open-Id",
            "XOpenId",
        ];
        let managed = ManagedNames::of_backends([OPENID]);
        assert_eq!(passing(&managed, &names), ["X-Open-Id", "XOpenId"]);
    }

    #[test]
    fn what_proxies_set_is_stripped_as_a_family() {
        let names = [
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
        ];
        let managed = ManagedNames::of_clients([OPENID]);
        assert_eq!(passing(&managed, &names), ["X-Forwardedness", "Accept"]);
    }

    #[test]
    fn names_that_connection_lists_go_with_the_hop() {
        let names = [
            "X-Secret",
            "X-Kept",
            "Keep-Alive",
            "Upgrade",
            "TE",
            "Trailer",
            "Host",
        ];
        let connection = ["close, x-secret", "Host,, not a name ,x-absent"];
        let managed = ManagedNames::of_backends([]);
        let left = passing_beside(&managed, &connection, &names);
        assert_eq!(left, ["X-Kept", "Host"]);
    }

    proptest! {
        #[test]
        fn no_name_that_folds_to_a_managed_one_survives(
            separators in prop::collection::vec("[-_.!#$%&'*+^`|~]", 2),
            upper in any::<bool>(),
        ) {
            let name = format!("x{}open{}id", separators[0], separators[1]);
            let name = if upper { name.to_uppercase() } else { name };
            let managed = ManagedNames::of_backends([HeaderName::from_static("x-open-id")]);
            prop_assert_eq!(passing(&managed, &[&name]), [""; 0]);
        }
    }
}
