//! Targets in absolute form, whose host is another than the header's.

use super::{Case, Expected, case, get};

const TROUBLES: &str = "“Host of Troubles” (Chen et al., CCS 2016)";
const RULE: &str = "RFC 9112, 3.2.2";

pub(super) fn cases() -> Vec<Case> {
    let refused = |name, precedent, target: &str| {
        case(name, precedent, get(target, ""), Expected::Refused(400))
    };
    vec![
        refused("another host", TROUBLES, "http://forged.example.com/open/x"),
        refused("another port", TROUBLES, "http://api.example.com:81/open/x"),
        refused(
            "a user before the host",
            TROUBLES,
            "http://forged@api.example.com/open/x",
        ),
        refused(
            "the host as a user",
            TROUBLES,
            "http://api.example.com@forged/open/x",
        ),
        refused("another scheme", RULE, "ftp://api.example.com/open/x"),
        refused("a file", RULE, "file:///open/x"),
        refused("a scheme without a host", RULE, "http:///open/x"),
        refused(
            "dots behind the host",
            TROUBLES,
            "http://api.example.com/open/../orders",
        ),
        case(
            "the same host",
            RULE,
            get("http://api.example.com/open/x", ""),
            Expected::Passes(&["/open/x"]),
        ),
        case(
            "the same host in capitals",
            RULE,
            get("HTTP://API.EXAMPLE.COM/open/x", ""),
            Expected::Held,
        ),
        case(
            "a guarded path of the same host",
            RULE,
            b"GET http://api.example.com/orders HTTP/1.1\r\nHost: api.example.com\r\n\r\n".to_vec(),
            Expected::Refused(401),
        ),
    ]
}
