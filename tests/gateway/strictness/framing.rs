//! Where a request ends is never in doubt: no byte of one is read as another.

use super::{HOST, NOT_HTTP, Then, bad, refused, refuses_all};
use crate::harness::{Ask, World};

/// A POST to `/open/x` with these framing lines and this body.
fn post_with(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /open/x HTTP/1.1\r\n{HOST}{lines}\r\n{body}").into_bytes()
}

#[test]
fn a_body_whose_length_could_be_read_in_two_ways_is_refused() {
    let unread = bad(NOT_HTTP, Then::Ends);
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let coded = |value: &str| post_with(&format!("Transfer-Encoding: {value}\r\n"), chunks);
    let sized = |value: &str| post_with(&format!("Content-Length: {value}\r\n"), "hello");
    let chunked = "Transfer-Encoding: chunked\r\n";
    refuses_all([
        ("identity first", coded("identity, chunked"), unread),
        ("gzip first", coded("gzip, chunked"), unread),
        ("chunked twice", coded("chunked, chunked"), unread),
        ("two codings", post_with(&chunked.repeat(2), chunks), unread),
        ("chunked in quotes", coded("\"chunked\""), unread),
        ("not chunked at last", coded("chunked, identity"), unread),
        ("a coding that is empty", coded(""), unread),
        ("a coding that only ends so", coded("xchunked"), unread),
        ("a coding with a parameter", coded("chunked;a=b"), unread),
        ("a vertical tab", coded("\x0bchunked"), unread),
        ("two lengths", sized("5\r\nContent-Length: 6"), unread),
        (
            "the same length twice",
            sized("5\r\nContent-Length: 5"),
            unread,
        ),
        (
            "a length before chunks",
            post_with(&format!("Content-Length: 5\r\n{chunked}"), chunks),
            unread,
        ),
        (
            "a length behind chunks",
            post_with(&format!("{chunked}Content-Length: 5\r\n"), chunks),
            unread,
        ),
        (
            "a length that others read as negative",
            sized("9223372036854775808"),
            unread,
        ),
        ("a list of lengths", sized("5, 5"), unread),
        ("a list of two lengths", sized("5, 6"), unread),
        ("a signed length", sized("+5"), unread),
        ("a negative length", sized("-5"), unread),
        ("a length in hex", sized("0x5"), unread),
        ("an empty length", sized(""), unread),
        ("a length with a space", sized("5 5"), unread),
        (
            "a length beyond all numbers",
            sized("99999999999999999999"),
            unread,
        ),
        (
            "a length beyond all use",
            sized("18446744073709551615"),
            unread,
        ),
    ]);
}

#[test]
fn a_body_of_broken_chunks_never_reaches_a_backend_whole() {
    let world = World::new();
    let cases = [
        ("no hex", "x\r\nhello\r\n0\r\n\r\n"),
        ("a sign", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("no size", "\r\nhello\r\n0\r\n\r\n"),
        (
            "a size beyond all numbers",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        ("a chunk longer than its size", "3\r\nhello\r\n0\r\n\r\n"),
        ("a line feed alone behind the size", "5\nhello\r\n0\r\n\r\n"),
        (
            "a line feed alone behind the chunk",
            "5\r\nhello\n0\r\n\r\n",
        ),
        (
            "a line feed in an extension",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
        ),
    ];
    for (name, body) in cases {
        let mut line = world.connect();
        line.send(&post_with("Transfer-Encoding: chunked\r\n", body));
        line.send(&Ask::get("/open/behind").bytes());
        let answer = line.answer().refused(400, "bad_request");
        let reason = &world.access_line(&answer)["reason"];
        assert_eq!(reason, "the client's body broke off", "{name}");
        assert!(line.is_silent_to_its_end(), "{name}");
    }
    assert!(
        world.backend.seen().is_empty(),
        "{:?}",
        world.backend.seen()
    );
}

#[test]
fn extensions_of_chunks_end_at_the_gateway() {
    let world = World::new();
    let mut line = world.connect();
    line.send(&post_with(
        "Transfer-Encoding: chunked\r\n",
        "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n",
    ));
    assert_eq!(line.answer().status, 200);
    assert_eq!(line.ask(&Ask::get("/open/next")).status, 200);
    assert_eq!(world.backend.seen()[0].body, b"hello");
}

#[test]
fn garbage_behind_a_good_request_is_refused_after_that_ones_answer() {
    let world = World::new();
    let mut line = world.connect();
    let garbage = b"\x01\x02\r\n\r\n".to_vec();
    line.send(
        &[
            Ask::get("/open/good").bytes(),
            garbage,
            Ask::get("/open/behind").bytes(),
        ]
        .concat(),
    );
    assert_eq!(line.answer().text(), "seen");
    refused(&world, "garbage", line.answer(), bad(NOT_HTTP, Then::Ends));
    assert!(line.is_silent_to_its_end());
    assert_eq!(world.backend.only_seen().target, "/open/good");
}

#[test]
fn the_body_of_a_refused_request_is_never_read_as_a_request() {
    let world = World::new();
    let inner = Ask::get("/open/inner").bytes();
    for lines in ["", "Expect: 100-continue\r\n"] {
        let mut line = world.connect();
        let length = format!("Content-Length: {}\r\n", inner.len());
        let head = format!("POST /orders HTTP/1.1\r\n{HOST}{length}{lines}\r\n");
        line.send(&[head.as_bytes(), &inner, &Ask::get("/open/outer").bytes()].concat());
        line.answer().refused(401, "session_missing");
        if lines.is_empty() {
            assert_eq!(line.answer().status, 200);
            assert_eq!(world.backend.only_seen().target, "/open/outer");
            world.backend.forget();
        } else {
            assert!(line.is_silent_to_its_end());
            assert!(world.backend.seen().is_empty());
        }
    }
}
