//! `Connection` names headers that end at the next hop: a client names those that the gateway sets.

use super::{Case, Expected, case, get, post};

const HTTPD: &str = "CVE-2022-31813 (httpd: Connection removes X-Forwarded-*)";
const TRAEFIK: &str =
    "GHSA-62c8-mh53-4cqv (CVE-2024-45410, Traefik: Connection removes X-Forwarded-*)";
const MIDDLEWARE: &str = "CVE-2021-32813 (Traefik: Connection removes what a middleware set)";
const RULE: &str = "RFC 9110, 7.6.1";

pub(super) fn cases() -> Vec<Case> {
    let passes = Expected::Passes(&["/orders"]);
    let hop = |name, precedent, lines: &str| case(name, precedent, get("/orders", lines), passes);
    vec![
        hop(
            "the identity",
            MIDDLEWARE,
            "Connection: keep-alive, X-OpenId\r\n",
        ),
        hop(
            "all of the identity",
            MIDDLEWARE,
            "Connection: X-OpenId, X-UnionId, X-AppId\r\n",
        ),
        hop(
            "in other spellings",
            MIDDLEWARE,
            "Connection: x_openid, X.OPENID\r\n",
        ),
        hop(
            "the client's address",
            HTTPD,
            "Connection: X-Forwarded-For\r\nX-Forwarded-For: forged\r\n",
        ),
        hop(
            "the client's host and scheme",
            TRAEFIK,
            "Connection: X-Forwarded-Host, X-Forwarded-Proto\r\n",
        ),
        hop(
            "the request's id",
            TRAEFIK,
            "Connection: X-Request-Id\r\nX-Request-Id: forged\r\n",
        ),
        hop("the host", RULE, "Connection: Host\r\n"),
        hop(
            "in several lines",
            HTTPD,
            "Connection: X-OpenId\r\nConnection: X-Forwarded-For\r\n",
        ),
        hop(
            "with empty parts and tabs",
            RULE,
            "Connection: ,,\tX-OpenId ,, X-AppId\t,\r\n",
        ),
        hop(
            "as an old proxy says it",
            RULE,
            "Proxy-Connection: X-OpenId\r\nKeep-Alive: X-OpenId\r\n",
        ),
        hop(
            "a forged one that is named as well",
            MIDDLEWARE,
            "X_OpenId: forged\r\nConnection: X_OpenId, X-OpenId\r\n",
        ),
        case(
            "the skey itself",
            RULE,
            get("/orders", "Connection: X-Skey\r\n"),
            passes,
        ),
        case(
            "the framing of a body",
            "CVE-2026-26365 (Akamai: Connection names Transfer-Encoding)",
            post(
                "/orders",
                "Connection: Transfer-Encoding, Content-Length\r\nTransfer-Encoding: chunked\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            ),
            passes,
        ),
    ]
}
