//! Answers of a backend that tell a client who somebody is, or more than one answer.

use super::{Case, Expected, Sent};

const TOLD: &str = "CWE-201 (told in what is sent)";
const SPLIT: &str = "CWE-113 (an answer that is split)";
const HOP: &str = "RFC 9110, 7.6.1";

pub(super) fn cases() -> Vec<Case> {
    let tells = |name, precedent, lines: &str, names: &'static [&'static str]| Case {
        name,
        precedent,
        sent: Sent::Answer(
            format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 4\r\n\r\nseen").into_bytes(),
        ),
        expected: Expected::Tells(names),
    };
    let refused = |name, precedent, bytes: &[u8]| Case {
        name,
        precedent,
        sent: Sent::Answer(bytes.to_vec()),
        expected: Expected::Held,
    };
    vec![
        tells("the openid", TOLD, "X-OpenId: oSecret\r\nx-openid: oSecret\r\n", &[]),
        tells("aliases of it", TOLD, "X_OpenId: oSecret\r\nX.OPENID: oSecret\r\n", &[]),
        tells("the union's id", TOLD, "X-UnionId: oSecret\r\nX_UNIONID: oSecret\r\n", &[]),
        tells("the app's id", TOLD, "X-AppId: oSecret\r\n", &[]),
        tells("those of WeChat CloudRun", TOLD, "X-WX-OPENID: oSecret\r\nx_wx_unionid: oSecret\r\n", &[]),
        tells("the backend's own id and a claim", TOLD, "X-User-Id: oSecret\r\nX-User-Role: oSecret\r\n", &[]),
        tells("names that only begin so", TOLD, "X-OpenIds: a\r\n", &["x-openids"]),
        tells("what its connection names", HOP, "Connection: X-Internal\r\nX-Internal: oSecret\r\nX-A: b\r\n", &["x-a"]),
        tells("another request's id", TOLD, "X-Request-Id: oSecret\r\n", &[]),
        refused("in trailers", HOP, b"HTTP/1.1 200 OK\r\nTrailer: X-OpenId\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nseen\r\n0\r\nX-OpenId: oSecret\r\n\r\n"),
        refused("a second answer", SPLIT, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseenHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        refused("a return alone in a value", SPLIT, b"HTTP/1.1 200 OK\r\nX-A: b\rX-OpenId: oSecret\r\nContent-Length: 4\r\n\r\nseen"),
        refused("a length beside chunks", "RFC 9112, 6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nseen\r\n0\r\n\r\n"),
        refused("a body of an answer that has none", SPLIT, b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"),
        refused("a switch that nobody asked for", "CVE-2026-2833 (Pingora: bytes are passed on before the 101)", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"),
    ]
}
