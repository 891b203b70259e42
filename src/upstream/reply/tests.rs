//! What servers answer, good and bad, byte by byte.

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;

use super::*;

/// A reply to GET and what stood behind its head, or why there is none.
fn read(text: &str) -> Result<(Reply, String), String> {
    let mut buffer = BytesMut::from(text);
    let hidden = ManagedNames::of_backends([HeaderName::from_static("x-openid")]);
    let reply = Reply::take(&mut buffer, false, &hidden).map_err(|error| error.to_string())?;
    let rest = String::from_utf8_lossy(&buffer).into_owned();
    reply.map(|reply| (reply, rest)).ok_or("more".to_owned())
}

fn headers(mut reply: Reply) -> HeaderMap {
    let mut headers = HeaderMap::new();
    reply.headers.unfold_into(&mut headers);
    headers
}

#[track_caller]
fn framing(headers: &str) -> (Framing, bool) {
    let (reply, _) = read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).unwrap();
    (reply.body, reply.keeps_alive)
}

#[track_caller]
fn refused(headers: &str) -> String {
    read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).unwrap_err()
}

#[test]
fn a_head_is_taken_once_it_is_whole_and_the_body_is_left() {
    let text = "HTTP/1.1 404 Nothing Here\r\nContent-Length: 4\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\nbody";
    for end in 0..text.len() - 4 {
        let part = text.get(..end).unwrap();
        assert_eq!(read(part).unwrap_err(), "more", "{part:?}");
    }
    let (reply, rest) = read(text).unwrap();
    assert_eq!((reply.status.as_u16(), rest.as_str()), (404, "body"));
    assert_eq!((reply.body, reply.keeps_alive), (Framing::Length(4), true));
    let headers = headers(reply);
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);
}

#[test]
fn lines_may_end_without_a_carriage_return() {
    let (reply, rest) = read("HTTP/1.1 200 OK\nContent-Length: 4\n\nbody").unwrap();
    assert_eq!((reply.body, rest.as_str()), (Framing::Length(4), "body"));
}

#[test]
fn what_is_not_for_the_client_is_left_out() {
    let text = "HTTP/1.1 200 OK\r\nX_OpenId: a\r\nX-OpenId: b\r\nConnection: x-own, keep-alive\r\nX-Own: c\r\n\
                Keep-Alive: timeout=5\r\nX-Kept: d\r\nContent-Length: 0\r\n\r\n";
    let (reply, _) = read(text).unwrap();
    let headers = headers(reply);
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-kept"]);
}

#[test]
fn the_headers_tell_how_far_the_body_goes_and_whether_the_connection_lives_on() {
    let chunks = Framing::Chunks(Chunks::Size);
    assert_eq!(
        framing("Content-Length: 12\r\n"),
        (Framing::Length(12), true)
    );
    let twice = "Content-Length: 12\r\ncontent-length: 12\r\n";
    assert_eq!(framing(twice), (Framing::Length(12), true));
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), (chunks, true));
    assert_eq!(framing(""), (Framing::Close, false));
    for close in [
        "Connection: x, CLOSE\r\n",
        "Connection: close, keep-alive\r\n",
        "connection: close\r\nConnection: keep-alive\r\n",
    ] {
        let headers = format!("Content-Length: 1\r\n{close}");
        assert_eq!(framing(&headers), (Framing::Length(1), false), "{close}");
    }
}

#[test]
fn a_length_beside_chunks_does_not_count_and_is_the_last_word_of_the_connection() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (reply, _) = read(text).unwrap();
    assert_eq!(reply.body, Framing::Chunks(Chunks::Size));
    assert!(!reply.keeps_alive && headers(reply).is_empty());
}

#[test]
fn an_older_server_keeps_a_connection_only_if_it_says_so() {
    let of = |more: &str| {
        let text = format!("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n{more}\r\n");
        read(&text).unwrap().0.keeps_alive
    };
    assert!(!of(""));
    assert!(of("Connection: keep-alive\r\n"));
    assert!(!of("Connection: keep-alive, close\r\n"));
    let chunked = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(
        read(chunked).unwrap_err(),
        "the length of its body cannot be known"
    );
}

#[test]
fn an_answer_to_head_and_one_without_content_have_no_body_and_keep_their_length() {
    let hidden = ManagedNames::of_backends([]);
    let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    let reply = Reply::take(&mut buffer, true, &hidden).unwrap().unwrap();
    assert!(reply.body.is_done() && reply.keeps_alive);
    assert_eq!(headers(reply)["content-length"], "9");
    for status in ["204", "304", "100"] {
        let text = format!("HTTP/1.1 {status} Word\r\nContent-Length: 9\r\n\r\n");
        assert!(read(&text).unwrap().0.body.is_done(), "{status}");
    }
}

#[test]
fn an_answer_that_tells_a_body_where_none_may_be_is_the_last_one_of_its_connection() {
    let keeps_alive = |headers: &str| {
        let text = format!("HTTP/1.1 204 No Content\r\n{headers}\r\n");
        read(&text).unwrap().0.keeps_alive
    };
    assert!(keeps_alive("") && keeps_alive("Content-Length: 0\r\n"));
    assert!(!keeps_alive("Content-Length: 1\r\n"));
    assert!(!keeps_alive("Transfer-Encoding: chunked\r\n"));
}

#[test]
fn an_answer_whose_end_could_be_seen_in_two_places_is_refused() {
    for headers in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        let reason = "the length of its body cannot be known";
        assert_eq!(refused(headers), reason, "{headers}");
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for text in [
        "garbage\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
    ] {
        assert_eq!(read(text).unwrap_err(), "it is not HTTP", "{text}");
    }
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "a: b\r\n".repeat(MOST_HEADERS + 1)
    );
    assert_eq!(read(&many).unwrap_err(), "it is not HTTP");
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(LONGEST_HEAD));
    assert_eq!(read(&long).unwrap_err(), "its head is too large");
}

#[test]
fn a_body_is_taken_up_to_its_length_and_not_beyond() {
    let mut buffer = BytesMut::from("abcdef");
    let mut framing = Framing::Length(4);
    let data = framing.take(&mut buffer).unwrap().unwrap();
    assert_eq!((&data[..], &buffer[..]), (&b"abcd"[..], &b"ef"[..]));
    assert!(framing.is_done());
    assert_eq!(framing.take(&mut buffer).unwrap(), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(text in "(HTTP/1\\.[01] [0-9]{0,4} ?[a-z]{0,4}\r?\n)?([a-zA-Z-]{0,12}:? ?[ -~\r\n\u{80}]{0,12}\r\n){0,6}\r?\n?") {
        let _ = read(&text);
    }

    #[test]
    fn no_header_block_tells_an_identity(names in prop::collection::vec("[xX][-_.][oO]pen[iI]d|a|b", 0..8)) {
        let lines: Vec<_> = names.iter().map(|name| format!("{name}: v\r\n")).collect();
        let block = lines.concat();
        let (reply, _) = read(&format!("HTTP/1.1 200 OK\r\n{block}\r\n")).unwrap();
        prop_assert!(headers(reply).keys().all(|name| name.as_str().len() == 1), "{block}");
    }
}
