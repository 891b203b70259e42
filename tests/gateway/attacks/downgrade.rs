//! Requests of HTTP/2 that would be others, or several, once they are written in HTTP/1.1.

use super::{Case, Expected, SKEY, Sent, smuggled};
use crate::harness::{Frame, kind};

const KETTLE: &str = "“HTTP/2: The Sequel is Always Worse” (Kettle, 2021)";
const HTTPD: &str = "CVE-2021-33193 (httpd: a method with spaces)";
const HAPROXY: &str = "CVE-2021-39240 (HAProxy: `:scheme` and `:path`)";
const HAPROXY_HOST: &str = "CVE-2021-39242 (HAProxy: host beside `:authority`)";
const NETTY: &str = "CVE-2021-21295 (Netty: a length that the body does not have)";
const VARNISH: &str = "CVE-2021-36740 (Varnish: a length that the body does not have)";
const RULE: &str = "RFC 9113, 8.2.1 (fields that are malformed)";

/// A head with these fields in the place of the usual ones, or behind them.
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let usual = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/open/x"),
        (":authority", "api.example.com"),
    ];
    let is_told = |name: &str| fields.iter().any(|(known, _)| *known == name);
    let usual = usual.into_iter().filter(|(name, _)| !is_told(name));
    let (pseudo, usual_ones): (Vec<_>, Vec<_>) = fields
        .iter()
        .copied()
        .partition(|(name, _)| name.starts_with(':'));
    let all: Vec<_> = usual.chain(pseudo).chain(usual_ones).collect();
    crate::harness::fields_of(&all)
}

fn frames(fields: &[(&str, &str)], body: Option<&str>) -> Sent {
    let end = if body.is_none() { Frame::END_STREAM } else { 0 };
    let mut frames = vec![Frame::new(
        kind::HEADERS,
        Frame::END_HEADERS | end,
        1,
        head(fields),
    )];
    if let Some(body) = body {
        frames.push(Frame::new(kind::DATA, Frame::END_STREAM, 1, body));
    }
    Sent::Frames(frames)
}

pub(super) fn cases() -> Vec<Case> {
    let all = [heads(), rules(), bodies()];
    all.into_iter().flatten().collect()
}

fn turned(name: &'static str, precedent: &'static str, fields: &[(&str, &str)]) -> Case {
    Case {
        name,
        precedent,
        sent: frames(fields, None),
        expected: Expected::Turned,
    }
}

fn heads() -> Vec<Case> {
    let inner = smuggled();
    let breaks = format!("a\r\n\r\n{inner}");
    vec![
        turned("line breaks in a value", KETTLE, &[("x-a", &breaks)]),
        turned(
            "a line feed in a value",
            RULE,
            &[("x-a", "a\nx-openid: forged")],
        ),
        turned("a NUL in a value", RULE, &[("x-a", "a\0b")]),
        turned(
            "line breaks in a name",
            KETTLE,
            &[("x-a\r\nx-openid", "forged")],
        ),
        turned(
            "a colon in a name",
            KETTLE,
            &[("x-openid: forged\r\nx", "a")],
        ),
        turned("capitals in a name", RULE, &[("X-OpenId", "forged")]),
        turned(
            "a method with a request",
            HTTPD,
            &[(
                ":method",
                "GET /open/smuggled HTTP/1.1\r\nHost: a\r\n\r\nGET",
            )],
        ),
        turned(
            "a method with a space",
            HTTPD,
            &[(":method", "GET /open/smuggled")],
        ),
        turned(
            "line breaks in the path",
            KETTLE,
            &[(":path", "/open/x HTTP/1.1\r\nX-OpenId: forged\r\n\r\n")],
        ),
        turned(
            "a space in the path",
            HTTPD,
            &[(":path", "/open/smuggled HTTP/1.1 /x")],
        ),
        turned(
            "a scheme with a path",
            HAPROXY,
            &[(":scheme", "http://a/open/smuggled?")],
        ),
        turned(
            "line breaks in the authority",
            KETTLE,
            &[(":authority", "a\r\nX-OpenId: forged")],
        ),
        turned(
            "another host beside the authority",
            HAPROXY_HOST,
            &[("host", "forged")],
        ),
        turned(
            "a path that is none",
            HAPROXY,
            &[(":path", "open/smuggled")],
        ),
        turned(
            "dots in the path",
            "CWE-22 (path traversal)",
            &[(":path", "/open/../orders")],
        ),
        turned(
            "a coding of HTTP/1.1",
            KETTLE,
            &[(":method", "POST"), ("transfer-encoding", "chunked")],
        ),
    ]
}

fn rules() -> Vec<Case> {
    vec![
        turned(
            "a connection of HTTP/1.1",
            "RFC 9113, 8.2.2",
            &[("connection", "x-openid")],
        ),
        turned("an upgrade", "RFC 9113, 8.2.2", &[("upgrade", "websocket")]),
        turned(
            "a pseudo header that there is none of",
            "RFC 9113, 8.3",
            &[(":x", "c")],
        ),
        turned(
            "a second path",
            "RFC 9113, 8.3.1",
            &[(":path", "/open/x"), (":path", "/orders")],
        ),
    ]
}

fn bodies() -> Vec<Case> {
    let inner = smuggled();
    // A head may be on its way before it shows that its body is another.
    let with_body = |name, precedent, fields: &[(&str, &str)], body: &str| Case {
        name,
        precedent,
        sent: frames(fields, Some(body)),
        expected: Expected::Held,
    };
    vec![
        with_body(
            "a length that is too small",
            NETTY,
            &[(":method", "POST"), ("content-length", "0")],
            &inner,
        ),
        with_body(
            "a length that is too large",
            VARNISH,
            &[(":method", "POST"), ("content-length", "4000")],
            &inner,
        ),
        Case {
            name: "two lengths",
            precedent: VARNISH,
            sent: frames(
                &[
                    (":method", "POST"),
                    ("content-length", "0"),
                    ("content-length", "5"),
                ],
                Some("hello"),
            ),
            expected: Expected::Turned,
        },
        Case {
            name: "a request as a body",
            precedent: KETTLE,
            sent: frames(&[(":method", "POST")], Some(&inner)),
            expected: Expected::Passes(&["/open/x"]),
        },
        Case {
            name: "aliases in small letters",
            precedent: "GHSA-vjrc-mh2v-45x6 (CVE-2025-64484, oauth2-proxy: underscores for dashes)",
            sent: frames(
                &[
                    (":path", "/orders"),
                    ("x-skey", SKEY),
                    ("x_openid", "forged"),
                    ("x-openid", "forged"),
                ],
                None,
            ),
            expected: Expected::Passes(&["/orders"]),
        },
    ]
}
