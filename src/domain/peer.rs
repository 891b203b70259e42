//! Who is at the other end of a connection, and whether its word counts. Knows no sockets.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;
use ipnet::IpNet;

/// The other end of a connection, and who is behind it, where it may tell that.
#[derive(Clone, Debug)]
pub struct Peer {
    as_header: Option<HeaderValue>,
    is_trusted: bool,
    scheme: Scheme,
    told: Option<Box<Behind>>,
}

/// The proof that a peer is a proxy in front, to which an answer may tell who a user is. Only a [`Peer`] gives it.
#[derive(Clone, Copy, Debug)]
pub struct FrontProxy(());

/// The client behind a peer, in the words that a backend and the log are told.
#[derive(Clone, Debug)]
struct Behind {
    address: Option<IpAddr>,
    client: Option<HeaderValue>,
    way: Option<HeaderValue>,
    scheme: Option<Scheme>,
    host: Option<HeaderValue>,
}

/// How two speak HTTP to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

/// In which headers trusted proxies tell of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded`, as RFC 7239 has it.
    Forwarded,
}

/// What trusted proxies tell of the client of one request.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The addresses from the client's on, without the peer's own; none where nothing is told that can be believed.
    pub way: Vec<IpAddr>,
    /// How the client speaks to the first of them.
    pub scheme: Option<Scheme>,
    /// The host that the client asked it for.
    pub host: Option<HeaderValue>,
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

    /// The scheme that is written `text`, in capitals or not, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Http, Self::Https];
        all.into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

impl Peer {
    /// A peer at `address`, or at a unix socket, which has none. Its word counts if one of `trusted` holds it.
    #[must_use]
    pub fn new(address: Option<IpAddr>, scheme: Scheme, trusted: &[IpNet]) -> Self {
        let address = address.map(|address| address.to_canonical());
        Self {
            as_header: address.and_then(as_header),
            is_trusted: address.is_some_and(|address| is_within(address, trusted)),
            scheme,
            told: None,
        }
    }

    /// This peer with the client behind it, as it tells.
    #[must_use]
    pub fn telling(&self, told: Told) -> Self {
        let Told { way, scheme, host } = told;
        let address = way.first().copied();
        let client = address.and_then(as_header);
        let own = self.as_header.as_ref().and_then(|own| own.to_str().ok());
        let way = way.iter().map(ToString::to_string);
        let way: Vec<_> = way.chain(own.map(str::to_owned)).collect();
        Self {
            told: Some(Box::new(Behind {
                address,
                client: client.or_else(|| self.as_header.clone()),
                way: HeaderValue::from_str(&way.join(", ")).ok(),
                scheme,
                host,
            })),
            ..self.clone()
        }
    }

    /// The address of the client as the value of a header, as far as it is known: the peer's own, or that behind it.
    #[must_use]
    pub fn client(&self) -> Option<&HeaderValue> {
        match &self.told {
            Some(behind) => behind.client.as_ref(),
            None => self.as_header.as_ref(),
        }
    }

    /// The address of the client; none if it came over a unix socket, or through a trusted proxy that does not tell it.
    #[must_use]
    pub fn client_address(&self) -> Option<IpAddr> {
        match &self.told {
            Some(behind) => behind.address,
            None => self.as_header.as_ref()?.to_str().ok()?.parse().ok(),
        }
    }

    /// The addresses from the client to the gateway, as the value of `X-Forwarded-For`.
    #[must_use]
    pub fn way(&self) -> Option<&HeaderValue> {
        match &self.told {
            Some(behind) => behind.way.as_ref(),
            None => self.as_header.as_ref(),
        }
    }

    /// The host that the client asked a trusted proxy for, if that tells it.
    #[must_use]
    pub fn host(&self) -> Option<&HeaderValue> {
        self.told.as_ref()?.host.as_ref()
    }

    /// Whether what it tells of a client and the id that it gives a request are believed.
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

    /// How the client speaks to the gateway, or to the trusted proxy that tells it.
    #[must_use]
    pub fn client_scheme(&self) -> Scheme {
        let told = self.told.as_ref().and_then(|behind| behind.scheme);
        told.unwrap_or(self.scheme)
    }
}

/// Whether one of `networks` holds an address, in either of the forms that one of IPv4 may have.
#[must_use]
pub fn is_within(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

fn as_header(address: IpAddr) -> Option<HeaderValue> {
    HeaderValue::from_str(&address.to_string()).ok()
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

    #[test]
    fn a_proxy_that_does_not_tell_is_not_its_client() {
        let peer = Peer::new(Some([10, 0, 0, 1].into()), Scheme::Http, &[]);
        assert_eq!(peer.client_address(), Some([10, 0, 0, 1].into()));
        assert_eq!(peer.telling(Told::default()).client_address(), None);
        let client = IpAddr::from([192, 0, 2, 7]);
        let told = Told {
            way: vec![client, [10, 0, 0, 2].into()],
            ..Told::default()
        };
        assert_eq!(peer.telling(told).client_address(), Some(client));
        let local = Peer::new(None, Scheme::Http, &[]);
        assert_eq!(local.client_address(), None);
    }

    #[test]
    fn the_client_is_the_peer_or_the_one_behind_it() {
        let peer = Peer::new(Some([10, 0, 0, 1].into()), Scheme::Http, &[]);
        let words = |peer: &Peer| {
            let word = |value: Option<&HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
            (word(peer.client()), word(peer.way()), peer.client_scheme())
        };
        let own = "10.0.0.1".to_owned();
        assert_eq!(words(&peer), (own.clone(), own.clone(), Scheme::Http));
        let silent = peer.telling(Told::default());
        assert_eq!(words(&silent), (own.clone(), own, Scheme::Http));
        let told = peer.telling(Told {
            way: vec![[192, 0, 2, 7].into(), "2001:db8::1".parse().unwrap()],
            scheme: Some(Scheme::Https),
            host: None,
        });
        let way = "192.0.2.7, 2001:db8::1, 10.0.0.1".to_owned();
        assert_eq!(words(&told), ("192.0.2.7".to_owned(), way, Scheme::Https));
        assert_eq!(told.scheme(), Scheme::Http);
    }
}
