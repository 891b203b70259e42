//! Requests as bytes, whole and in pieces, held against what another server reads in them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Empty};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

const MOST: usize = 8 * 1024;

/// What there is to know of a request, in words.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    line: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    fn of(head: &Parts) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.as_bytes().to_vec())
        };
        let mut headers: Vec<_> = head.headers.iter().map(header).collect();
        headers.sort();
        Self {
            line: format!("{} {} {:?}", head.method, head.uri, head.version),
            headers,
        }
    }
}

/// The first request in these pieces, and what is left behind it.
fn take<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Option<Request>, BytesMut), Unread> {
    let (mut reading, mut buffer) = (Reading::default(), BytesMut::new());
    let mut taken = None;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if taken.is_none() {
            let head = reading.take(&mut buffer, MOST)?;
            taken = head.as_ref().map(Request::parse).transpose()?;
        }
    }
    Ok((taken, buffer))
}

fn whole(bytes: impl AsRef<[u8]>) -> Result<Request, Unread> {
    take([bytes.as_ref()]).map(|(request, _)| request.unwrap())
}

fn with(lines: &str) -> Result<Request, Unread> {
    whole(format!("POST /a HTTP/1.1\r\nHost: a.cn\r\n{lines}\r\n"))
}

/// The pieces that `cuts` make of `bytes`.
fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut pieces) = (bytes, Vec::new());
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

#[test]
fn a_request_is_told_with_what_frames_its_body_and_how_long_its_connection_lives() {
    let request = with("X-A:  b \r\nContent-Length: 5\r\n").unwrap();
    assert_eq!(request.head.method, "POST");
    assert_eq!(request.head.uri, "/a");
    assert_eq!(request.head.headers["x-a"], "b");
    assert_eq!(request.body, Framing::Length(5));
    assert!(request.keeps_alive && !request.awaits_leave);
    let request = with("Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n").unwrap();
    assert_eq!(request.body, Framing::Chunks(Chunks::Size));
    assert!(request.keeps_alive && request.awaits_leave);
    let request = with("Expect: 100-continue\r\nConnection: x, Close\r\n").unwrap();
    assert_eq!(request.body, Framing::Length(0));
    assert!(!request.keeps_alive && !request.awaits_leave);
}

#[test]
fn a_connection_of_http_1_0_lives_on_only_if_that_is_asked_for_and_leave_never_is() {
    let old = |lines: &str| whole(format!("POST /a HTTP/1.0\r\n{lines}\r\n")).unwrap();
    assert!(!old("").keeps_alive);
    assert!(old("Connection: keep-alive\r\n").keeps_alive);
    assert!(!old("Connection: keep-alive, close\r\n").keeps_alive);
    assert!(!old("Expect: 100-continue\r\nContent-Length: 5\r\n").awaits_leave);
}

#[test]
fn what_two_parsers_could_read_differently_is_no_request() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding:\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "X-A: b\n",
        "X-A: b\r\r\n",
        "X-A: b\rc\r\n",
        "X-A: b\r\n c\r\n",
        "X-A : b\r\n",
        "X A: b\r\n",
        ": b\r\n",
        "X-A\r\n",
        "X-A: \0\r\n",
        "X-A: \x7f\r\n",
    ] {
        assert_eq!(with(lines).err(), Some(Unread::Malformed), "{lines:?}");
    }
    let old = "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(whole(old).err(), Some(Unread::Malformed));
}

#[test]
fn what_is_no_http_is_refused_before_it_ends() {
    for bytes in [
        "\x16\x03\x01",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "GET / HTTP/1.1\n",
        "\n",
    ] {
        let taken = take([bytes.as_bytes()]);
        assert_eq!(taken.err(), Some(Unread::Malformed), "{bytes:?}");
    }
}

#[test]
fn a_head_over_its_limits_is_refused_and_not_waited_for() {
    let long = format!("X-A: {}\r\n", "a".repeat(MOST));
    assert_eq!(with(&long).err(), Some(Unread::HeadersTooLarge));
    let open = format!("GET / HTTP/1.1\r\n{}", long.trim_end());
    let taken = take([open.as_bytes()]);
    assert_eq!(taken.err(), Some(Unread::HeadersTooLarge));
    let many = "A: b\r\n".repeat(MOST_HEADERS);
    assert_eq!(with(&many).err(), Some(Unread::HeadersTooLarge));
    assert!(with(&many[6..]).is_ok());
    let target = "a".repeat(LONGEST_TARGET);
    let head = format!("GET /{target} HTTP/1.1\r\n\r\n");
    let parsed = Request::parse(&Bytes::from(head));
    assert_eq!(parsed.err(), Some(Unread::UriTooLong));
}

#[test]
fn empty_lines_before_a_request_are_passed_over_however_they_come() {
    let bytes = b"\r\n\r\nGET / HTTP/1.1\r\n\r\nrest";
    for at in 0..bytes.len() {
        let (first, second) = bytes.split_at(at);
        let (request, left) = take([first, second]).unwrap();
        assert_eq!(request.unwrap().head.uri, "/", "{at}");
        assert_eq!(left, "rest", "{at}");
    }
}

/// What hyper's server reads in `bytes`: a request, or none.
async fn seen_by_hyper(bytes: &[u8]) -> Option<Seen> {
    let (mut client, server) = duplex(64 * 1024);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let seen = Arc::new(Mutex::new(None));
    let note = Arc::clone(&seen);
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (head, body) = request.into_parts();
        note.lock().unwrap().get_or_insert(Seen::of(&head));
        async move {
            let _ = body.collect().await;
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        }
    });
    let _ = http1::Builder::new()
        .max_header_size(MOST)
        .serve_connection(TokioIo::new(server), service)
        .await;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    seen.lock().unwrap().take()
}

fn by_hyper(bytes: &[u8]) -> Option<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(seen_by_hyper(bytes))
}

/// Lines that a head may have, good and bad.
fn line() -> impl Strategy<Value = String> {
    const ODD: [&str; 14] = [
        "Content-Length: 3",
        "Content-Length: 03",
        "Content-Length: 3, 3",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Connection: close",
        "Connection: keep-alive, x",
        "Expect: 100-continue",
        "X-A : b",
        " folded",
        "X-A: b\rc",
        "X-A: b\nX-B: c",
        ": b",
        "Host: a.cn",
    ];
    prop_oneof![
        4 => "[A-Za-z-]{1,12}: {0,2}[ -~\t]{0,20}",
        1 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,5}:[\u{80}-\u{ff}]{0,5}",
        3 => prop::sample::select(&ODD[..]).prop_map(str::to_owned),
        1 => "[\0-\u{7f}]{0,12}",
    ]
}

fn head() -> impl Strategy<Value = String> {
    let first = prop_oneof![
        6 => "(GET|POST|get|PATCH) /[a-z0-9/?=&%.-]{0,20} HTTP/1\\.[01]",
        1 => "[ -~]{0,30}",
        1 => "(GET|CONNECT) (\\*|a\\.cn:80|http://a\\.cn/x) HTTP/1\\.1",
        1 => "GET  / HTTP/1\\.1|GET / HTTP/1\\.[2-9]|GET / HTTP/2\\.0",
    ];
    (first, prop::collection::vec(line(), 0..6)).prop_map(|(first, lines)| {
        [&[first][..], &lines, &[String::new(), String::new()]]
            .concat()
            .join("\r\n")
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(0..40_usize, 0..9),
    ) {
        let _ = take(cut(&bytes, &cuts));
    }

    #[test]
    fn a_head_is_read_the_same_however_it_is_cut(
        head in head(),
        cuts in prop::collection::vec(1..20_usize, 1..40),
    ) {
        let bytes = format!("{head}behind");
        let read = |pieces: Vec<&[u8]>| {
            take(pieces).map(|(request, left)| {
                let request = request.map(|r| (Seen::of(&r.head), r.body, r.keeps_alive));
                (request, left)
            })
        };
        prop_assert_eq!(read(cut(bytes.as_bytes(), &cuts)), read(vec![bytes.as_bytes()]));
    }

    #[test]
    fn what_is_read_hyper_reads_alike_and_what_is_refused_is_what_we_are_stricter_in(
        head in head(),
    ) {
        let ours = take([head.as_bytes()]).ok().and_then(|(request, _)| request);
        match (ours.map(|ours| Seen::of(&ours.head)), by_hyper(head.as_bytes())) {
            (None, None) => {}
            (Some(ours), Some(theirs)) => prop_assert_eq!(ours, theirs),
            (Some(ours), None) => prop_assert!(false, "only we read {:?}", ours),
            (None, Some(theirs)) => prop_assert!(is_stricter(&head, &theirs), "{:?}", theirs),
        }
    }
}

/// Whether `head`, which hyper reads, has what we refuse: a line that ends without CR, a length beside chunks, more than
/// one of either, or a coding before the chunks.
fn is_stricter(head: &str, seen: &Seen) -> bool {
    let is_bare = head.replace("\r\n", "").contains('\n');
    let count = |name: &str| {
        let lines = head.lines().filter(|line| {
            let (before, _) = line.split_once(':').unwrap_or_default();
            before.eq_ignore_ascii_case(name)
        });
        lines.count()
    };
    let is_coded = seen.headers.iter().any(|(name, value)| {
        name == "transfer-encoding" && !value.eq_ignore_ascii_case(b"chunked")
    });
    is_bare || is_coded || count("content-length") + count("transfer-encoding") > 1
}
