//! Where the client of a request is: the peer itself, or the one whom a trusted peer names.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use crate::domain::peer::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client; none if it came over a unix socket, or through a trusted proxy that does not tell.
#[must_use]
pub fn address(peer: &Peer, headers: &HeaderMap) -> Option<IpAddr> {
    if !peer.is_trusted() {
        return parse(peer.as_header()?.to_str().ok()?);
    }
    // The last word is the proxy's own; what stands before it came from its client.
    let told = headers.get_all(X_FORWARDED_FOR).iter().next_back()?;
    parse(told.to_str().ok()?.rsplit(',').next()?)
}

fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let address = text.parse().ok().or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::peer::Scheme;

    fn found(peer: &str, told: &[&str]) -> Option<String> {
        let peer = peer.parse().unwrap();
        let peer = Peer::new(Some(peer), Scheme::Http, &["10.0.0.0/8".parse().unwrap()]);
        let told = told
            .iter()
            .map(|value| (X_FORWARDED_FOR, value.parse().unwrap()));
        address(&peer, &told.collect()).map(|address| address.to_string())
    }

    #[test]
    fn the_client_is_the_peer_or_the_last_whom_a_trusted_proxy_names() {
        assert_eq!(
            found("192.0.2.1", &["192.0.2.9"]).as_deref(),
            Some("192.0.2.1")
        );
        assert_eq!(
            found("10.0.0.1", &["192.0.2.9"]).as_deref(),
            Some("192.0.2.9")
        );
        let chain = ["192.0.2.7, 192.0.2.8", "192.0.2.8, ::ffff:192.0.2.9"];
        assert_eq!(found("10.0.0.1", &chain).as_deref(), Some("192.0.2.9"));
        assert_eq!(
            found("10.0.0.1", &["[2001:db8::1]:80"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(found("10.0.0.1", &["unknown"]), None);
        assert_eq!(found("10.0.0.1", &[]), None);
        let local = Peer::new(None, Scheme::Http, &[]);
        assert_eq!(address(&local, &HeaderMap::new()), None);
    }
}
