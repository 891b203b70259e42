//! A query or a fragment that is to be taken for the path, or the other way round.

use super::{Case, Expected, case};

const QUERY: &str =
    "GHSA-7rh7-c77v-6434 (CVE-2025-54576, oauth2-proxy: a query that fits an open path)";
const FRAGMENT: &str =
    "GHSA-pxq7-h93f-9jrg (CVE-2026-41059, oauth2-proxy: a fragment that fits an open path)";

pub(super) fn cases() -> Vec<Case> {
    let anonymous = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: api.example.com\r\n\r\n").into_bytes()
    };
    let guarded = |name, precedent, target: &str| {
        case(name, precedent, anonymous(target), Expected::Refused(401))
    };
    vec![
        guarded("a query with an open path", QUERY, "/orders?/open/x"),
        guarded(
            "a query with dots to an open path",
            QUERY,
            "/orders?a=/../open/x",
        ),
        guarded("a query that ends like one", QUERY, "/orders?=/open/"),
        guarded("a fragment with an open path", FRAGMENT, "/orders#/open/x"),
        guarded("a fragment with dots", FRAGMENT, "/orders#/../open/x"),
        guarded("a fragment in a query", FRAGMENT, "/orders?#/open/x"),
        case(
            "a query mark that is encoded",
            QUERY,
            anonymous("/open/x%3f/../orders"),
            Expected::Refused(400),
        ),
        case(
            "a fragment mark that is encoded",
            FRAGMENT,
            anonymous("/open/x%23/../orders"),
            Expected::Refused(400),
        ),
        case(
            "a guarded path in the query of an open one",
            QUERY,
            anonymous("/open/x?/orders"),
            Expected::Passes(&["/open/x?/orders"]),
        ),
        case(
            "a fragment behind an open path",
            FRAGMENT,
            anonymous("/open/x#/orders"),
            Expected::Passes(&["/open/x"]),
        ),
        case(
            "a second query mark",
            QUERY,
            anonymous("/open/x?a?/orders"),
            Expected::Passes(&["/open/x?a?/orders"]),
        ),
    ]
}
