//! Heads that are none, and lengths that are not kept.

use super::*;

const RESET: &[Verdict] = &[Reset(1, PROTOCOL_ERROR)];
/// A text that is no name or value at all ends the connection, as any fault of a stream may.
const END: &[Verdict] = &[GoAway(PROTOCOL_ERROR)];

/// The usual head without the fields of some names, and with others behind.
fn head(without: &[&str], with: &[(&str, &str)]) -> Vec<Frame> {
    let usual = HEAD.iter().filter(|(name, _)| !without.contains(name));
    let fields: Vec<_> = usual.chain(with).copied().collect();
    vec![Frame::get(1, &fields)]
}

fn with(name: &str, value: &str) -> Vec<Frame> {
    head(&[], &[(name, value)])
}

/// The head of a request whose body is read.
const LOGIN: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/wx/login"),
    (":authority", "a.cn"),
    ("content-type", "application/json"),
];

/// A head that tells a length, and then these pieces.
fn body(told: &str, pieces: &[&str]) -> Vec<Frame> {
    let fields: Vec<_> = LOGIN
        .iter()
        .copied()
        .chain([("content-length", told)])
        .collect();
    let mut frames = vec![Frame::post(1, &fields)];
    for (index, piece) in pieces.iter().enumerate() {
        let is_last = u8::from(index + 1 == pieces.len());
        frames.push(frame(kind::DATA, is_last, 1, piece));
    }
    frames
}

#[test]
fn a_head_that_is_none_resets_its_stream() {
    taken([
        ("8.2.1 a name in capitals", with("X-A", "b"), END),
        ("8.2.1 a name of two words", with("x a", "b"), END),
        ("8.2.1 a name with a colon", with("x:a", "b"), END),
        ("8.2.1 no name", with("", "b"), END),
        ("8.2.1 a return in a value", with("x-a", "b\rc"), END),
        (
            "8.2.1 a line in a value",
            with("x-a", "b\r\nx-openid: c"),
            END,
        ),
        ("8.2.1 a NUL in a value", with("x-a", "b\0"), END),
        ("8.2.1 a space before a value", with("x-a", " b"), RESET),
        ("8.2.1 a space behind a value", with("x-a", "b "), RESET),
        ("8.2.2 connection", with("connection", "keep-alive"), RESET),
        ("8.2.2 keep-alive", with("keep-alive", "timeout=5"), RESET),
        (
            "8.2.2 proxy-connection",
            with("proxy-connection", "keep-alive"),
            RESET,
        ),
        (
            "8.2.2 transfer-encoding",
            with("transfer-encoding", "chunked"),
            RESET,
        ),
        ("8.2.2 upgrade", with("upgrade", "h2c"), RESET),
        ("8.2.2 te", with("te", "gzip"), RESET),
        (
            "8.2.2 te beside trailers",
            with("te", "trailers, gzip"),
            RESET,
        ),
        ("8.3 an unknown pseudo-header", with(":a", "b"), END),
        (
            "8.3 a pseudo-header of answers",
            with(":status", "200"),
            RESET,
        ),
        (
            "8.3 a pseudo-header behind others",
            head(&[":path"], &[("x-a", "b"), (":path", "/")]),
            RESET,
        ),
        ("8.3.1 no method", head(&[":method"], &[]), RESET),
        ("8.3.1 no scheme", head(&[":scheme"], &[]), RESET),
        ("8.3.1 no path", head(&[":path"], &[]), RESET),
        (
            "8.3.1 an empty path",
            head(&[":path"], &[(":path", "")]),
            RESET,
        ),
        (
            "8.3.1 a path without a slash",
            head(&[":path"], &[(":path", "open/")]),
            RESET,
        ),
        ("8.3.1 two methods", with(":method", "GET"), RESET),
        ("8.3.1 two schemes", with(":scheme", "http"), RESET),
        ("8.3.1 two paths", with(":path", "/"), RESET),
        ("8.3.1 two authorities", with(":authority", "a.cn"), RESET),
        (
            "8.3.1 no authority",
            head(&[":authority"], &[(":authority", "a b")]),
            RESET,
        ),
        (
            "8.5 a tunnel to a path",
            head(&[":method"], &[(":method", "CONNECT")]),
            RESET,
        ),
        (
            "8441 a tunnel of a protocol",
            head(
                &[":method"],
                &[(":method", "CONNECT"), (":protocol", "websocket")],
            ),
            RESET,
        ),
        ("te: trailers", with("te", "trailers"), &[Answered(1)]),
    ]);
}

#[test]
fn a_length_that_is_told_is_kept() {
    let trailers = |fields: &[(&str, &str)]| {
        vec![
            Frame::post(1, &LOGIN),
            frame(kind::DATA, 0, 1, "x"),
            Frame::get(1, fields),
        ]
    };
    taken([
        ("8.1.1 more in one piece", body("1", &["ab"]), RESET),
        ("8.1.1 more in several", body("3", &["ab", "cd"]), RESET),
        ("8.1.1 less", body("3", &["ab"]), RESET),
        (
            "8.1.1 nothing of something",
            head(&[], &[("content-length", "1")]),
            RESET,
        ),
        (
            "8.1.1 two lengths",
            head(&[], &[("content-length", "0"), ("content-length", "1")]),
            RESET,
        ),
        (
            "8.1.1 a length in words",
            with("content-length", "0x0"),
            RESET,
        ),
        (
            "8.1.1 a length with a sign",
            with("content-length", "+0"),
            RESET,
        ),
        // The library takes them, but whatever stands behind a body is dropped.
        (
            "8.1 a pseudo-header behind the body",
            trailers(&[(":method", "GET")]),
            &[Answered(1)],
        ),
        (
            "8.1 trailers that do not end",
            vec![Frame::post(1, &LOGIN), Frame::post(1, &[("x-a", "b")])],
            &[Reset(1, PROTOCOL_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
    ]);
}
