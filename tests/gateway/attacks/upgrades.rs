//! Bytes behind a request for another protocol, to which nobody has switched.

use super::{Case, Expected, case, get, post, smuggled};

const PINGORA: &str = "CVE-2026-2833 (Pingora: bytes are passed on before the 101)";
const H2C: &str = "“h2c Smuggling” (Bishop Fox, 2020)";
const WEBSOCKET: &str = "“What's wrong with WebSocket APIs” (0ang3el, 2019)";

/// What a client of a websocket says, without what makes it one.
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// With a body that is a request, so that it is one to nobody: what comes behind an upgrade is either read as the next
/// request, and that one has no such name, or not at all.
fn behind(target: &str, lines: &str) -> Vec<u8> {
    let inner = smuggled();
    let length = format!("Content-Length: {}\r\n", inner.len());
    post(target, &format!("{lines}{length}"), &inner)
}

pub(super) fn cases() -> Vec<Case> {
    let held = |name, precedent, lines: &str| {
        case(name, precedent, behind("/open/x", lines), Expected::Held)
    };
    let pipelined = |name, precedent, lines: &str| {
        let sent = [get("/open/x", lines), b"\x81\x05hello".to_vec()].concat();
        case(name, precedent, sent, Expected::Held)
    };
    vec![
        held(
            "a protocol that is none",
            PINGORA,
            "Connection: Upgrade\r\nUpgrade: foo\r\n",
        ),
        held(
            "HTTP/2 in the clear",
            H2C,
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n",
        ),
        held(
            "HTTP/2 without its settings",
            H2C,
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        ),
        held(
            "HTTP/2 that is not named",
            H2C,
            "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n",
        ),
        held(
            "a websocket with a body",
            WEBSOCKET,
            &format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{KEY}"
            ),
        ),
        held(
            "a websocket of another version",
            WEBSOCKET,
            &format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1337\r\n{KEY}"
            ),
        ),
        held(
            "TLS in the clear",
            "RFC 2817 (Upgrade: TLS/1.0)",
            "Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n",
        ),
        pipelined(
            "frames behind a websocket",
            PINGORA,
            &format!(
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{KEY}"
            ),
        ),
        pipelined(
            "bytes behind a protocol that is none",
            PINGORA,
            "Connection: Upgrade\r\nUpgrade: foo\r\n",
        ),
        pipelined(
            "a preface behind h2c",
            H2C,
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n",
        ),
    ]
}
