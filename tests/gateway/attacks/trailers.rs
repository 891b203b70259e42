//! Headers behind a body, which somebody merges into those before it.

use super::{Case, Expected, case, post};

const HTTPD: &str = "CVE-2013-5704 (httpd: trailers replace headers)";
const RULE: &str = "RFC 9110, 6.5.1";

pub(super) fn cases() -> Vec<Case> {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let passes = |name, precedent, lines: &str, trailers: &str| {
        let body = format!("5\r\nhello\r\n0\r\n{trailers}\r\n");
        let sent = post("/orders", &format!("{chunked}{lines}"), &body);
        case(name, precedent, sent, Expected::Passes(&["/orders"]))
    };
    let refused = |name, precedent, trailers: &str| {
        let body = format!("5\r\nhello\r\n0\r\n{trailers}\r\n");
        case(
            name,
            precedent,
            post("/orders", chunked, &body),
            Expected::Held,
        )
    };
    vec![
        passes("an identity", HTTPD, "", "X-OpenId: forged\r\n"),
        passes(
            "an identity that is announced",
            HTTPD,
            "Trailer: X-OpenId\r\nTE: trailers\r\n",
            "X-OpenId: forged\r\n",
        ),
        passes(
            "an alias",
            HTTPD,
            "",
            "X_OpenId: forged\r\nX.OpenId: forged\r\n",
        ),
        passes(
            "where it comes from",
            HTTPD,
            "",
            "X-Forwarded-For: forged\r\n",
        ),
        passes(
            "framing",
            RULE,
            "",
            "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
        ),
        passes("a host", RULE, "", "Host: forged\r\n"),
        passes(
            "a skey",
            RULE,
            "",
            "X-Skey: forged\r\nAuthorization: Bearer forged\r\n",
        ),
        refused(
            "one that is folded",
            "RFC 9112, 5.2 (folded lines)",
            "X-A: b\r\n X-OpenId: forged\r\n",
        ),
        refused(
            "one that never ends",
            "CWE-770 (without a limit)",
            &format!("X-A: {}\r\n", "a".repeat(40_000)),
        ),
    ]
}
