//! What comes behind a request that is refused, in its body or behind it.

use super::{Case, Expected, HOST, case, get, smuggled};

const HTTPD: &str =
    "CVE-2022-22720 (httpd: a connection that goes on behind a body that was not read)";
const NGINX: &str = "CVE-2019-20372 (nginx: a body that was not read behind an error)";
const PINGORA: &str =
    "CVE-2025-4366 (Pingora: a body that was not read behind an answer of its own)";

pub(super) fn cases() -> Vec<Case> {
    let inner = smuggled();
    let length = inner.len();
    let anonymous = |target: &str, lines: &str, body: &str| {
        format!("POST {target} HTTP/1.1\r\n{HOST}{lines}\r\n{body}").into_bytes()
    };
    let sized = format!("Content-Length: {length}\r\n");
    let chunks = format!("{length:x}\r\n{inner}\r\n0\r\n\r\n");
    let refused =
        |name, precedent, sent, status| case(name, precedent, sent, Expected::Refused(status));
    vec![
        refused(
            "a body behind 401",
            NGINX,
            anonymous("/orders", &sized, &inner),
            401,
        ),
        refused(
            "chunks behind 401",
            NGINX,
            anonymous("/orders", "Transfer-Encoding: chunked\r\n", &chunks),
            401,
        ),
        refused(
            "a body behind 400",
            HTTPD,
            anonymous("/open//x", &sized, &inner),
            400,
        ),
        refused(
            "a body behind 405",
            NGINX,
            format!("DELETE /wx/check HTTP/1.1\r\n{HOST}{sized}\r\n{inner}").into_bytes(),
            405,
        ),
        refused(
            "a body behind 413",
            HTTPD,
            anonymous("/open/x", "Content-Length: 99999999\r\n", &inner),
            413,
        ),
        refused(
            "a body behind 414",
            HTTPD,
            anonymous(&format!("/open/{}", "a".repeat(9000)), &sized, &inner),
            414,
        ),
        refused(
            "a body behind leave that is not given",
            PINGORA,
            anonymous(
                "/orders",
                &format!("{sized}Expect: 100-continue\r\n"),
                &inner,
            ),
            401,
        ),
        case(
            "a body behind an answer of the gateway's own",
            PINGORA,
            anonymous("/wx/check", &sized, &inner),
            Expected::Held,
        ),
        case(
            "a login that is none",
            PINGORA,
            anonymous(
                "/wx/login",
                &format!("{sized}Content-Type: application/json\r\n"),
                &inner,
            ),
            Expected::Held,
        ),
        case(
            "a refusal between two requests",
            HTTPD,
            [get("/open/1", ""), get("/open//x", ""), get("/open/2", "")].concat(),
            Expected::Passes(&["/open/1", "/open/2"]),
        ),
        case(
            "garbage between two requests",
            HTTPD,
            [
                get("/open/1", ""),
                b"\x01\x02\r\n\r\n".to_vec(),
                get("/open/forged", ""),
            ]
            .concat(),
            Expected::Passes(&["/open/1"]),
        ),
        case(
            "many refusals in a row",
            HTTPD,
            get("/open//x", "").repeat(50),
            Expected::Refused(400),
        ),
    ]
}
