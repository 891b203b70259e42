//! Methods that ask a proxy for something else than a resource.

use super::{Case, Expected, HOST, SKEY, Sent, case, smuggled};
use crate::harness::Frame;

const TUNNEL: &str = "VU#150227 (proxies that open tunnels for anybody)";
const TRACE: &str = "VU#867593 (TRACE tells a client's headers to a script)";

pub(super) fn cases() -> Vec<Case> {
    let line = |line: &str| format!("{line} HTTP/1.1\r\n{HOST}X-Skey: {SKEY}\r\n\r\n").into_bytes();
    let refused = |name, precedent, request: &str| {
        case(name, precedent, line(request), Expected::Refused(400))
    };
    vec![
        refused("a tunnel to the backend", TUNNEL, "CONNECT 127.0.0.1:9000"),
        refused(
            "a tunnel to the gateway itself",
            TUNNEL,
            "CONNECT api.example.com:80",
        ),
        refused(
            "a tunnel to a mail server",
            TUNNEL,
            "CONNECT mail.example.com:25",
        ),
        refused("a tunnel to a path", TUNNEL, "CONNECT /open/x"),
        refused("a trace", TRACE, "TRACE /open/x"),
        case(
            "a request in a tunnel",
            TUNNEL,
            [
                line("CONNECT api.example.com:80"),
                smuggled()
                    .replace("smuggled", "last-but-one")
                    .replace("X-OpenId: forged\r\n", "")
                    .into_bytes(),
            ]
            .concat(),
            Expected::Refused(400),
        ),
        Case {
            name: "a tunnel in HTTP/2",
            precedent: TUNNEL,
            sent: Sent::Frames(vec![Frame::get(
                1,
                &[(":method", "CONNECT"), (":authority", "127.0.0.1:9000")],
            )]),
            expected: Expected::Turned,
        },
        Case {
            name: "a websocket over HTTP/2 that nobody offered",
            precedent: "RFC 8441, 4",
            sent: Sent::Frames(vec![Frame::get(
                1,
                &[
                    (":method", "CONNECT"),
                    (":protocol", "websocket"),
                    (":scheme", "http"),
                    (":path", "/open/x"),
                    (":authority", "api.example.com"),
                ],
            )]),
            expected: Expected::Turned,
        },
    ]
}
