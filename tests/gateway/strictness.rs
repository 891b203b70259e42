//! What HTTP or the gateway rules out is refused in the gateway's own shape, and no backend hears of it.

mod framing;
mod target;

use crate::harness::{Answer, Ask, World};

const HOST: &str = "Host: api.example.com\r\n";
const NOT_HTTP: &str = "the request is not HTTP/1";
const BAD_HOST: &str = "the Host header is no host";

/// What comes of the connection after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It ends, and nothing behind the refused bytes is read as a request.
    Ends,
    /// The next request on it is answered as if nothing had been.
    GoesOn,
}

/// A refusal as it should be: for the client its code and status, for the log its reason.
#[derive(Clone, Copy)]
struct Expected {
    status: u16,
    code: &'static str,
    reason: &'static str,
    then: Then,
}

const fn bad(reason: &'static str, then: Then) -> Expected {
    Expected {
        status: 400,
        code: "bad_request",
        reason,
        then,
    }
}

/// Sends each of the cases on a connection of its own, with another request close behind.
fn refuses_all<N: AsRef<str>, B: AsRef<[u8]>>(cases: impl IntoIterator<Item = (N, B, Expected)>) {
    let world = World::new();
    let mut served = Vec::new();
    for (name, bytes, expected) in cases {
        let name = name.as_ref();
        let target = format!("/open/behind?{}", served.len());
        let mut line = world.connect();
        line.send(&[bytes.as_ref(), &Ask::get(&target).bytes()].concat());
        refused(&world, name, line.answer(), expected);
        match expected.then {
            Then::Ends => assert!(line.is_silent_to_its_end(), "{name}: it should end"),
            Then::GoesOn => {
                assert_eq!(line.answer().text(), "seen", "{name}: it should go on");
                served.push(target);
            }
        }
    }
    let seen: Vec<_> = world.backend.seen().into_iter().map(|s| s.target).collect();
    assert_eq!(seen, served);
    let sent = world.metric(r#"wxgate_upstream_requests_total{upstream="php",outcome="ok"}"#);
    assert_eq!(sent.to_string(), served.len().to_string());
}

#[track_caller]
fn refused(world: &World, name: &str, answer: Answer, expected: Expected) {
    assert_eq!(answer.status, expected.status, "{name}: {answer:?}");
    let answer = answer.refused(expected.status, expected.code);
    let line = world.access_line(&answer);
    assert_eq!(line["refusal"], expected.code, "{name}: {line}");
    assert_eq!(line["reason"], expected.reason, "{name}: {line}");
    assert_eq!(line["status"], expected.status, "{name}: {line}");
    assert!(line.get("upstream_ms").is_none(), "{name}: {line}");
}

/// A GET of `/open/x` with these lines, each with its own end, behind the request line.
fn get_with(lines: &str) -> Vec<u8> {
    format!("GET /open/x HTTP/1.1\r\n{lines}\r\n").into_bytes()
}

fn get_target(target: impl AsRef<[u8]>) -> Vec<u8> {
    let end = format!(" HTTP/1.1\r\n{HOST}\r\n");
    [b"GET ", target.as_ref(), end.as_bytes()].concat()
}

#[test]
fn a_request_that_names_no_host_or_two_or_none_that_could_be_is_refused() {
    let missing = bad("the Host header is missing", Then::GoesOn);
    let two = bad("there are several Host headers", Then::GoesOn);
    let broken = bad(BAD_HOST, Then::GoesOn);
    refuses_all([
        ("no host", get_with(""), missing),
        ("two hosts", get_with("Host: a.cn\r\nHost: b.cn\r\n"), two),
        ("the same host twice", get_with(&HOST.repeat(2)), two),
        ("empty", get_with("Host:\r\n"), broken),
        ("a list", get_with("Host: a.cn, b.cn\r\n"), broken),
        ("a path", get_with("Host: a.cn/admin\r\n"), broken),
        ("a user", get_with("Host: a@b.cn\r\n"), broken),
        ("a space", get_with("Host: a.cn b.cn\r\n"), broken),
        ("no port", get_with("Host: a.cn:http\r\n"), broken),
        ("a signed port", get_with("Host: a.cn:+80\r\n"), broken),
        ("a port too high", get_with("Host: a.cn:65536\r\n"), broken),
        ("an open bracket", get_with("Host: [::1\r\n"), broken),
        ("a dot at the end", get_with("Host: a.cn.\r\n"), broken),
        ("an empty label", get_with("Host: a..cn\r\n"), broken),
        (
            "letters that only look",
            get_with("Host: ａ.cn\r\n"),
            broken,
        ),
    ]);
}

#[test]
fn a_head_that_is_not_http_is_refused() {
    let unread = bad(NOT_HTTP, Then::Ends);
    let line = |line: &str| get_with(&format!("{HOST}{line}"));
    refuses_all([
        ("a folded line", line("X-A: b\r\n c\r\n"), unread),
        (
            "a folded first line",
            get_with(&format!(" X-A: b\r\n{HOST}")),
            unread,
        ),
        ("a space before the colon", line("X-Skey : a\r\n"), unread),
        ("a name in two words", line("X Skey: a\r\n"), unread),
        ("a name in brackets", line("X[Skey]: a\r\n"), unread),
        ("a name in another script", line("X-Openıd: a\r\n"), unread),
        ("no name", line(": a\r\n"), unread),
        ("no colon", line("X-OpenId\r\n"), unread),
        ("a NUL in a value", line("X-A: a\0b\r\n"), unread),
        ("a bell in a value", line("X-A: a\x07b\r\n"), unread),
        (
            "a return in a value",
            line("X-A: a\rX-OpenId: b\r\n"),
            unread,
        ),
        ("a NUL in a name", line("X-\0A: b\r\n"), unread),
        (
            "lines without a return",
            format!("GET /open/x HTTP/1.1\n{HOST}\n")
                .replace('\r', "")
                .into_bytes(),
            unread,
        ),
        ("one line without a return", line("X-A: b\n"), unread),
        (
            "an end without a return",
            get_with(&format!("{HOST}\n")),
            unread,
        ),
        ("a return alone at a line's end", line("X-A: b\r"), unread),
        ("an end with a return more", line("X-A: b\r\r\n"), unread),
        ("a space in the target", get_target("/open/x y"), unread),
        ("a tab in the target", get_target("/open/\tx"), unread),
        ("a NUL in the target", get_target("/open/\0x"), unread),
    ]);
}

#[test]
fn other_versions_and_other_protocols_are_refused() {
    let unread = bad(NOT_HTTP, Then::Ends);
    let version = |v: &str| format!("GET /open/x {v}\r\n{HOST}\r\n").into_bytes();
    refuses_all([
        ("HTTP/0.9", b"GET /open/x\r\n\r\n".to_vec(), unread),
        ("HTTP/1.2", version("HTTP/1.2"), unread),
        ("HTTP/2.0", version("HTTP/2.0"), unread),
        ("http/1.1", version("http/1.1"), unread),
        (
            "the first words of HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            unread,
        ),
        ("no version", version("HTTP/"), unread),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            unread,
        ),
        ("garbage", b"\xff\xfe\x00\x01\r\n\r\n".to_vec(), unread),
        (
            "an SSH greeting",
            b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
            unread,
        ),
        (
            "a method in brackets",
            format!("(GET) /open/x HTTP/1.1\r\n{HOST}\r\n").into_bytes(),
            unread,
        ),
        (
            "coded chunks in HTTP/1.0",
            format!("POST /open/x HTTP/1.0\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                .into_bytes(),
            unread,
        ),
    ]);
}

#[test]
fn a_head_over_its_limits_is_refused() {
    let large = Expected {
        status: 431,
        code: "headers_too_large",
        reason: "the head is over its limit",
        then: Then::Ends,
    };
    let long = |then, reason| Expected {
        status: 414,
        code: "uri_too_long",
        reason,
        then,
    };
    let filled = |count: usize| format!("X-A: {}\r\n", "a".repeat(count));
    refuses_all([
        (
            "one long line",
            get_with(&format!("{HOST}{}", filled(33 * 1024))),
            large,
        ),
        (
            "many lines",
            get_with(&format!("{HOST}{}", filled(2000).repeat(20))),
            large,
        ),
        (
            "200 headers",
            get_with(&format!("{HOST}{}", filled(1).repeat(200))),
            large,
        ),
        (
            "a long path",
            get_target(format!("/open/{}", "a".repeat(8 * 1024))),
            long(Then::GoesOn, "the target is over 8 KiB"),
        ),
        (
            "a long query",
            get_target(format!("/open/?{}", "a".repeat(8 * 1024))),
            long(Then::GoesOn, "the target is over 8 KiB"),
        ),
    ]);
}

#[test]
fn what_is_unusual_but_means_one_thing_is_served() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let old = format!("GET /orders HTTP/1.0\r\n{HOST}X-Skey: {skey}\r\n\r\n");
    let mut line = world.connect();
    line.send(old.as_bytes());
    assert_eq!(line.answer().status, 200);
    assert!(line.is_silent_to_its_end());
    let mut line = world.connect();
    line.send(b"\r\n\r\n");
    let lower = Ask::new("get", "/orders").skey(&skey);
    assert_eq!(line.ask(&lower).status, 200);
    let seen = world.backend.seen();
    let methods: Vec<_> = seen.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["GET", "get"]);
    for seen in seen {
        assert!(seen.head.contains(" HTTP/1.1\r\n"), "{}", seen.head);
        assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    }
}
