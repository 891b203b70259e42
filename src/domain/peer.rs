//! Who is at the other end of a connection, and whether its word counts. Knows no sockets.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;
use ipnet::IpNet;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    as_header: Option<HeaderValue>,
    is_trusted: bool,
    scheme: Scheme,
}

/// The proof that a peer is a proxy in front, to which an answer may tell who a user is. Only a [`Peer`] gives it.
#[derive(Clone, Copy, Debug)]
pub struct FrontProxy(());

/// How the peer speaks to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As `X-Forwarded-Proto` writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Peer {
    /// A peer at `address`, or at a unix socket, which has none. Its word counts if one of `trusted` holds it.
    #[must_use]
    pub fn new(address: Option<IpAddr>, scheme: Scheme, trusted: &[IpNet]) -> Self {
        let address = address.map(|address| address.to_canonical());
        Self {
            as_header: address.and_then(|a| HeaderValue::from_str(&a.to_string()).ok()),
            is_trusted: address.is_some_and(|a| trusted.iter().any(|net| net.contains(&a))),
            scheme,
        }
    }

    /// Its address as the value of a header, if it has one.
    #[must_use]
    pub fn as_header(&self) -> Option<&HeaderValue> {
        self.as_header.as_ref()
    }

    /// Whether its `X-Forwarded-*` and `X-Request-Id` are believed.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// The proof that it is a proxy in front, if its word counts.
    #[must_use]
    pub fn as_front_proxy(&self) -> Option<FrontProxy> {
        self.is_trusted.then_some(FrontProxy(()))
    }

    /// How it speaks to the gateway.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// What of an IPv6 address one customer has, who may change the rest at will.
const CUSTOMER: u128 = !0 << 64;

/// The address under which a client is counted: its own, or of an IPv6 one the network of its customer.
#[must_use]
pub fn customer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & CUSTOMER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_peer_in_a_trusted_network_is_trusted() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let is_trusted = |address: &str| {
            Peer::new(Some(address.parse().unwrap()), Scheme::Http, &trusted).is_trusted()
        };
        assert!(is_trusted("10.1.2.3") && is_trusted("::1") && is_trusted("::ffff:10.1.2.3"));
        assert!(!is_trusted("11.1.2.3") && !is_trusted("127.0.0.1"));
        assert!(!Peer::new(None, Scheme::Http, &trusted).is_trusted());
    }

    #[test]
    fn all_addresses_of_one_customer_are_one() {
        let of = |text: &str| customer(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
