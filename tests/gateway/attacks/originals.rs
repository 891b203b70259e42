//! Headers that stand for the target with some backend or some proxy.

use super::{Case, Expected, SKEY, case, get};

const SYMFONY: &str = "CVE-2018-14773 (Symfony: X-Original-URL and X-Rewrite-URL)";
const URI: &str = "GHSA-7x63-xv5r-3p2x (CVE-2026-40575, oauth2-proxy: X-Forwarded-Uri)";
const METHOD: &str = "CWE-650 (another method than the checked one)";

pub(super) fn cases() -> Vec<Case> {
    let anonymous = |lines: &str| {
        format!("GET /orders HTTP/1.1\r\nHost: api.example.com\r\n{lines}\r\n").into_bytes()
    };
    let guarded = |name, precedent, lines: &str| {
        case(name, precedent, anonymous(lines), Expected::Refused(401))
    };
    let open = |name, precedent, lines: &str| {
        case(
            name,
            precedent,
            get("/open/x", lines),
            Expected::Passes(&["/open/x"]),
        )
    };
    vec![
        guarded("X-Original-URL of an open path", SYMFONY, "X-Original-URL: /open/x\r\n"),
        guarded("X-Rewrite-URL of an open path", SYMFONY, "X-Rewrite-URL: /open/x\r\n"),
        guarded("X-Forwarded-Uri of an open path", URI, "X-Forwarded-Uri: /open/x\r\n"),
        guarded("all of them in other spellings", URI, "X_Original_URL: /open/x\r\nX.Forwarded.Uri: /open/x\r\nx-rewrite_url: /open/x\r\n"),
        guarded("X-Forwarded-Method", METHOD, "X-Forwarded-Method: OPTIONS\r\nX-Forwarded-Uri: /open/x\r\n"),
        open("X-Original-URL of a guarded path", SYMFONY, "X-Original-URL: /forged\r\nX_Original_URL: /forged\r\n"),
        open("X-Rewrite-URL of a guarded path", SYMFONY, "X-Rewrite-URL: /forged\r\nX.Rewrite.URL: /forged\r\n"),
        open("X-Forwarded-Uri of a guarded path", URI, "X-Forwarded-Uri: /forged\r\nX_Forwarded_Uri: /forged\r\n"),
        open("X-Forwarded-Prefix", "CWE-290 (spoofed by a header)", "X-Forwarded-Prefix: /forged\r\n"),
        open("X-Forwarded-Host", "CWE-644 (a host that a client sets)", "X-Forwarded-Host: forged\r\nX_Forwarded_Host: forged\r\n"),
        case("the endpoint of a proxy that asks", URI, format!("GET /_wxgate/auth HTTP/1.1\r\nHost: api.example.com\r\nX-Skey: {SKEY}\r\nX-Forwarded-Uri: /open/x\r\n\r\n").into_bytes(), Expected::Held),
    ]
}
