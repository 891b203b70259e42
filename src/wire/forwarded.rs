//! What trusted proxies tell of a client, in `X-Forwarded-*` or in `Forwarded`. Knows nothing of what is passed on.
//!
//! Both are read from their end, which the nearest proxy wrote: what stands before the first address that is not of a
//! trusted proxy is that stranger's own word, and may be made up.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;
use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::domain::host::Host;
use crate::domain::peer::{Peer, ProxyHeaders, Scheme, Told, is_within};

/// The addresses that a request came by.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How the client spoke to the first proxy.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The peer with the client behind it, as it tells in `form`; alone if it is not trusted, and its word counts for nothing.
#[must_use]
pub fn read(headers: &HeaderMap, peer: &Peer, form: ProxyHeaders, trusted: &[IpNet]) -> Peer {
    if !peer.is_trusted() {
        return peer.clone();
    }
    let told = match form {
        ProxyHeaders::XForwarded => x_forwarded(headers, trusted),
        ProxyHeaders::Forwarded => forwarded(headers, trusted),
    };
    peer.telling(told)
}

fn x_forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Told {
    let last = |name| headers.get_all(name).iter().next_back()?.to_str().ok();
    let addresses = from_the_end(headers, X_FORWARDED_FOR).map_while(|text| address(text?));
    let mut told = Told {
        way: Vec::new(),
        scheme: last(X_FORWARDED_PROTO).and_then(Scheme::parse),
        host: last(X_FORWARDED_HOST).and_then(host),
    };
    for address in addresses {
        told.way.push(address);
        if !is_within(address, trusted) {
            break;
        }
    }
    told.way.reverse();
    told
}

/// Of the proxies that tell, the one that is farthest away says how the client came to it.
fn forwarded(headers: &HeaderMap, trusted: &[IpNet]) -> Told {
    let mut told = Told::default();
    for hop in from_the_end(headers, FORWARDED).map_while(|text| Hop::parse(text?)) {
        told.scheme = hop.scheme;
        told.host = hop.host;
        let Some(address) = hop.address else { break };
        told.way.push(address);
        if !is_within(address, trusted) {
            break;
        }
    }
    told.way.reverse();
    told
}

/// The elements of all headers of a name, the last one first; none for one that is no text.
fn from_the_end(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Option<&str>> {
    // No word that a proxy writes has a comma in quotes, and a quotation mark that is opened by a stranger does not
    // swallow what follows.
    let values = headers.get_all(name).iter().rev();
    let elements = values.flat_map(|value| value.as_bytes().rsplit(|b| *b == b','));
    let elements = elements.map(|element| std::str::from_utf8(element).ok().map(str::trim_ascii));
    elements.filter(|element| *element != Some(""))
}

/// What one proxy tells of whoever came to it, in one element of `Forwarded`.
#[derive(Default)]
struct Hop {
    address: Option<IpAddr>,
    scheme: Option<Scheme>,
    host: Option<HeaderValue>,
}

impl Hop {
    /// Reads `for=…;proto=…;host=…;by=…`; none if that is not what it is, or if it says something twice.
    fn parse(element: &str) -> Option<Self> {
        let mut hop = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let pairs = element.split(';').map(str::trim_ascii);
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.to_ascii_lowercase(), unquoted(value)?);
            match name.as_str() {
                "for" => hop.address = address(value),
                "proto" => hop.scheme = Scheme::parse(value),
                "host" => hop.host = host(value),
                _ => {}
            }
            if seen.contains(&name) {
                return None;
            }
            seen.push(name);
        }
        Some(hop)
    }
}

/// What stands in quotation marks, or without; none if one of them is missing, or if something is escaped, which no
/// address, scheme or host needs.
fn unquoted(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => value,
    };
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// An address, with or without a port; one of IPv6 may stand in brackets. None for `unknown` and names that hide one.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let alone = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|both| both.ip());
    alone
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

fn host(text: &str) -> Option<HeaderValue> {
    Host::parse(text)?;
    HeaderValue::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProxyHeaders::{Forwarded, XForwarded};
    use proptest::prelude::*;

    /// Client, way, scheme and host, as the peer 10.0.0.1 tells them in some headers.
    fn told(form: ProxyHeaders, lines: &[(&str, &str)]) -> [String; 4] {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48"];
        let trusted = networks.map(|network| network.parse().unwrap());
        let peer = Peer::new(Some([10, 0, 0, 1].into()), Scheme::Http, &trusted);
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let peer = read(&headers, &peer, form, &trusted);
        let word = |value: Option<&HeaderValue>| {
            value.map_or("-".to_owned(), |v| v.to_str().unwrap().to_owned())
        };
        let (client, way, host) = (peer.client(), peer.way(), peer.host());
        [
            word(client),
            word(way),
            peer.client_scheme().as_str().to_owned(),
            word(host),
        ]
    }

    fn chain(value: &str) -> String {
        let [_, way, ..] = told(XForwarded, &[("x-forwarded-for", value)]);
        way
    }

    fn client(value: &str) -> String {
        let [client, ..] = told(Forwarded, &[("forwarded", value)]);
        client
    }

    #[test]
    fn the_client_is_the_last_that_is_no_trusted_proxy() {
        let cases = [
            ("192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("192.0.2.7, 10.0.0.2", "192.0.2.7, 10.0.0.2, 10.0.0.1"),
            ("6.6.6.6, 192.0.2.7", "192.0.2.7, 10.0.0.1"),
            (
                "10.0.0.9, 192.0.2.7, 10.0.0.2",
                "192.0.2.7, 10.0.0.2, 10.0.0.1",
            ),
            ("10.0.0.3,10.0.0.2", "10.0.0.3, 10.0.0.2, 10.0.0.1"),
            ("192.0.2.7:4711 ,, ", "192.0.2.7, 10.0.0.1"),
            ("::ffff:192.0.2.7", "192.0.2.7, 10.0.0.1"),
            (
                "2001:db8::7, [2001:db8:1::2]:443",
                "2001:db8::7, 2001:db8:1::2, 10.0.0.1",
            ),
            ("192.0.2.7, unknown, 10.0.0.2", "10.0.0.2, 10.0.0.1"),
            ("192.0.2.7, <script>", "10.0.0.1"),
            ("\u{e9}, 192.0.2.7", "192.0.2.7, 10.0.0.1"),
            ("", "10.0.0.1"),
        ];
        for (value, way) in cases {
            assert_eq!(chain(value), way, "{value}");
        }
        let lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "192.0.2.7, 10.0.0.2"),
        ];
        assert_eq!(told(XForwarded, &lines)[0], "192.0.2.7");
    }

    #[test]
    fn forwarded_tells_address_scheme_and_host_in_all_its_forms() {
        let cases = [
            ("for=192.0.2.7", "192.0.2.7"),
            ("For=\"192.0.2.7:4711\"", "192.0.2.7"),
            ("for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            (
                "for=\"[2001:db8::7]\";proto=http;by=10.0.0.1",
                "2001:db8::7",
            ),
            ("for=192.0.2.7, for=10.0.0.2;by=10.0.0.1", "192.0.2.7"),
            ("for=6.6.6.6,for=192.0.2.7", "192.0.2.7"),
            ("for=192.0.2.7;secret=_x", "192.0.2.7"),
        ];
        for (value, address) in cases {
            assert_eq!(client(value), address, "{value}");
        }
        let whole = "for=192.0.2.7;Proto=HTTPS;host=\"a.example:8443\", for=10.0.0.2;proto=http;host=b.example";
        let told = told(Forwarded, &[("forwarded", whole)]);
        let way = "192.0.2.7, 10.0.0.2, 10.0.0.1";
        assert_eq!(told, ["192.0.2.7", way, "https", "a.example:8443"]);
    }

    #[test]
    fn what_a_stranger_writes_before_a_proxy_does_not_change_what_that_proxy_tells() {
        for before in [
            "for=\"",
            "for=\"x",
            "for=6.6.6.6;proto=https;for=",
            "\\",
            ";;;",
            "for=\"a\\\"",
            "\u{e9}",
        ] {
            let value = format!("{before}, for=192.0.2.7;proto=http;host=b.example");
            let told = told(Forwarded, &[("forwarded", &value)]);
            assert_eq!(
                told,
                ["192.0.2.7", "192.0.2.7, 10.0.0.1", "http", "b.example"]
            );
        }
    }

    #[test]
    fn an_element_that_says_nothing_sure_ends_the_way() {
        for value in [
            "for=unknown",
            "for=_hidden",
            "for=192.0.2.7;for=192.0.2.8",
            "for=\"192.0.2.7",
            "192.0.2.7",
            "for",
        ] {
            assert_eq!(client(value), "10.0.0.1", "{value}");
        }
        let hidden = told(
            Forwarded,
            &[(
                "forwarded",
                "for=6.6.6.6;proto=http, for=_a;proto=https;host=a.b",
            )],
        );
        assert_eq!(hidden, ["10.0.0.1", "10.0.0.1", "https", "a.b"]);
    }

    #[test]
    fn only_the_configured_headers_count() {
        let both = [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a.b"),
            ("forwarded", "for=192.0.2.8;proto=https;host=c.d"),
        ];
        assert_eq!(
            told(XForwarded, &both),
            ["192.0.2.7", "192.0.2.7, 10.0.0.1", "https", "a.b"]
        );
        assert_eq!(
            told(Forwarded, &both[..3]),
            ["10.0.0.1", "10.0.0.1", "http", "-"]
        );
        assert_eq!(
            told(XForwarded, &both[3..]),
            ["10.0.0.1", "10.0.0.1", "http", "-"]
        );
    }

    #[test]
    fn of_several_schemes_and_hosts_the_last_counts_and_only_if_it_is_one() {
        let twice = |last| [("x-forwarded-proto", "https"), ("x-forwarded-proto", last)];
        assert_eq!(told(XForwarded, &twice("http"))[2], "http");
        assert_eq!(told(XForwarded, &twice("gopher"))[2], "http");
        let twice = |last| [("x-forwarded-host", "a.b"), ("x-forwarded-host", last)];
        assert_eq!(told(XForwarded, &twice("c.d:1"))[3], "c.d:1");
        assert_eq!(told(XForwarded, &twice("c.d, e.f"))[3], "-");
    }

    #[test]
    fn the_word_of_a_stranger_counts_for_nothing() {
        let peer = Peer::new(Some([192, 0, 2, 1].into()), Scheme::Http, &[]);
        let headers =
            HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("192.0.2.7"))]);
        let alone = read(&headers, &peer, XForwarded, &[]);
        assert_eq!(alone.client().unwrap(), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn no_beginning_of_a_header_changes_the_client(start in "[ -~\u{e9}]{0,40}") {
            let list = format!("{start}, 192.0.2.7");
            prop_assert_eq!(chain(&list), "192.0.2.7, 10.0.0.1");
            prop_assert_eq!(client(&format!("{start},for=192.0.2.7")), "192.0.2.7");
        }

        #[test]
        fn whatever_is_told_is_one_list_of_addresses(value in "([0-9a-f.:,\\[\\]\"; ]|for=|10[.]0[.]0[.]2){0,12}") {
            for form in [XForwarded, Forwarded] {
                let lines = [("x-forwarded-for", value.as_str()), ("forwarded", value.as_str())];
                let [client, way, ..] = told(form, &lines);
                let addresses: Vec<_> = way.split(", ").collect();
                prop_assert!(addresses.iter().all(|a| a.parse::<IpAddr>().is_ok()), "{}", way);
                prop_assert_eq!(addresses[0], client);
            }
        }
    }
}
