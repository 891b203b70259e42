//! The head of an answer, written out, and what frames the body behind it. Knows nothing of where the bytes go.

use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::response::Parts;
use tokio::time::Instant;

use crate::listener::dates::Dates;
use crate::wire::framing::{Life, has_no_body, read_length};
use crate::wire::header_lines::{HeaderLines, write_line};

/// What of a request its answer depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) is_http_1_1: bool,
    pub(super) is_to_head: bool,
    /// Whether the connection may go on.
    pub(super) keeps_alive: bool,
}

/// How the body of an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framed {
    /// So many bytes more.
    Length(u64),
    /// In chunks.
    Chunks,
    /// To the end of the connection.
    Close,
}

/// What comes behind the head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) body: Framed,
    /// Whether the connection may go on behind the body.
    pub(super) keeps_alive: bool,
}

/// Writes the head of an answer into `out` at a time, and says what it tells of what comes behind. The body has `length`
/// bytes, as far as anybody knows.
pub(super) fn write(
    out: &mut Vec<u8>,
    (head, passing): (&Parts, &HeaderLines),
    length: Option<u64>,
    bounds: Bounds,
    (dates, now): (&Dates, Instant),
) -> Told {
    let (body, told) = frame((head, passing), length, bounds);
    let mut life = if bounds.keeps_alive && body != Framed::Close {
        Life::Long
    } else {
        Life::Closing
    };
    let (mut is_framed, mut has_date) = (false, passing.has_date());
    write_status(out, bounds.is_http_1_1, head.status);
    out.extend_from_slice(passing.as_bytes());
    for (name, value) in &head.headers {
        match *name {
            // What concerns this connection alone is told in its own words.
            CONNECTION => life = life.told(value.as_bytes()),
            TRANSFER_ENCODING => {}
            CONTENT_LENGTH if is_framed => {}
            CONTENT_LENGTH => {
                is_framed = true;
                write_framing(out, body, told);
            }
            _ => {
                has_date |= *name == DATE;
                write_line(out, name.as_str(), value.as_bytes());
            }
        }
    }
    if !is_framed {
        write_framing(out, body, told);
    }
    if !has_date {
        dates.at(now, |date| write_line(out, DATE.as_str(), date.as_bytes()));
    }
    let keeps_alive = life.is_long();
    write_life(out, bounds.is_http_1_1, keeps_alive);
    out.extend_from_slice(b"\r\n");
    Told { body, keeps_alive }
}

/// How the body goes out, and which length the head tells.
fn frame(
    (head, passing): (&Parts, &HeaderLines),
    length: Option<u64>,
    bounds: Bounds,
) -> (Framed, Option<u64>) {
    let declared = || {
        let declared = || read_length(head.headers.get(CONTENT_LENGTH)?.as_bytes());
        passing.length().or_else(declared)
    };
    if has_no_body(head.status) {
        return (Framed::Length(0), None);
    }
    if bounds.is_to_head {
        // Of a body that is not there nobody knows the length but who declared it.
        let told = declared().or(length.filter(|length| *length > 0));
        return (Framed::Length(0), told);
    }
    match length.or_else(declared) {
        Some(length) => (Framed::Length(length), Some(length)),
        None if bounds.is_http_1_1 => (Framed::Chunks, None),
        None => (Framed::Close, None),
    }
}

fn write_status(out: &mut Vec<u8>, is_http_1_1: bool, status: StatusCode) {
    if is_http_1_1 && status == StatusCode::OK {
        // As most are.
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    let version: &[u8] = if is_http_1_1 {
        b"HTTP/1.1 "
    } else {
        b"HTTP/1.0 "
    };
    out.extend_from_slice(version);
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_framing(out: &mut Vec<u8>, body: Framed, told: Option<u64>) {
    if let Some(length) = told {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(length).as_bytes();
        write_line(out, CONTENT_LENGTH.as_str(), digits);
    } else if body == Framed::Chunks {
        write_line(out, TRANSFER_ENCODING.as_str(), b"chunked");
    }
}

/// Tells how long the connection lives, unless that goes without saying.
fn write_life(out: &mut Vec<u8>, is_http_1_1: bool, keeps_alive: bool) {
    match (is_http_1_1, keeps_alive) {
        (true, false) => write_line(out, CONNECTION.as_str(), b"close"),
        (false, true) => write_line(out, CONNECTION.as_str(), b"keep-alive"),
        (true, true) | (false, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    const TO_GET: Bounds = Bounds {
        is_http_1_1: true,
        is_to_head: false,
        keeps_alive: true,
    };

    /// What goes out for these headers, and what it tells.
    fn written(
        status: u16,
        headers: &[(&str, &str)],
        length: Option<u64>,
        bounds: Bounds,
    ) -> (String, Told) {
        let mut answer = Response::builder().status(status).header("Date", "today");
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let (head, ()) = answer.body(()).unwrap().into_parts();
        let (mut out, dates) = (Vec::new(), Dates::default());
        let passing = HeaderLines::default();
        let when = (&dates, Instant::now());
        let told = write(&mut out, (&head, &passing), length, bounds, when);
        let text = String::from_utf8(out).unwrap();
        let text = text.replace("date: today\r\n", "");
        (text.replace("\r\n", "|"), told)
    }

    #[test]
    fn what_passes_goes_out_as_it_came_and_no_date_stands_beside_its_own() {
        let (mut passing, mut out) = (HeaderLines::default(), Vec::new());
        passing.push("DATE", b"yesterday");
        passing.push("X-A", b"b");
        passing.declare_length(9);
        let (head, ()) = Response::new(()).into_parts();
        let (dates, to_head) = (
            Dates::default(),
            Bounds {
                is_to_head: true,
                ..TO_GET
            },
        );
        let when = (&dates, Instant::now());
        write(&mut out, (&head, &passing), Some(0), to_head, when);
        let text = "HTTP/1.1 200 OK\r\nDATE: yesterday\r\nX-A: b\r\ncontent-length: 9\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn the_length_is_told_once_and_as_it_is() {
        for headers in [
            &[][..],
            &[("content-length", "5")],
            &[("content-length", "5"), ("content-length", "5")],
            &[("content-length", "7")],
            &[("transfer-encoding", "chunked")],
        ] {
            let (text, told) = written(200, headers, Some(5), TO_GET);
            assert_eq!(text, "HTTP/1.1 200 OK|content-length: 5||");
            assert_eq!(told.body, Framed::Length(5));
        }
        let declared = [("content-length", "7")];
        let (text, told) = written(200, &declared, None, TO_GET);
        assert_eq!(text, "HTTP/1.1 200 OK|content-length: 7||");
        assert_eq!(told.body, Framed::Length(7));
    }

    #[test]
    fn a_body_of_unknown_length_comes_in_chunks_or_ends_the_connection() {
        let (text, told) = written(200, &[], None, TO_GET);
        assert_eq!(text, "HTTP/1.1 200 OK|transfer-encoding: chunked||");
        assert_eq!((told.body, told.keeps_alive), (Framed::Chunks, true));
        let old = Bounds {
            is_http_1_1: false,
            ..TO_GET
        };
        let (text, told) = written(200, &[], None, old);
        assert_eq!(text, "HTTP/1.0 200 OK||");
        assert_eq!((told.body, told.keeps_alive), (Framed::Close, false));
    }

    #[test]
    fn an_answer_without_a_body_has_none_whatever_its_headers_say() {
        for status in [204, 304] {
            let (text, told) = written(status, &[("content-length", "5")], Some(5), TO_GET);
            assert!(!text.contains("content-length"), "{text}");
            assert_eq!(told.body, Framed::Length(0));
        }
        let to_head = Bounds {
            is_to_head: true,
            ..TO_GET
        };
        for (headers, length, expected) in [
            (
                &[("content-length", "5")][..],
                Some(0),
                "content-length: 5|",
            ),
            (&[], Some(5), "content-length: 5|"),
            (&[], Some(0), ""),
            (&[], None, ""),
        ] {
            let (text, told) = written(200, headers, length, to_head);
            assert_eq!(text, format!("HTTP/1.1 200 OK|{expected}|"));
            assert_eq!(told.body, Framed::Length(0));
        }
    }

    #[test]
    fn the_connection_lives_on_unless_either_side_says_otherwise() {
        let closing = Bounds {
            keeps_alive: false,
            ..TO_GET
        };
        let old = Bounds {
            is_http_1_1: false,
            ..TO_GET
        };
        let close = [("connection", "x, Close")];
        for (headers, bounds, expected) in [
            (&[][..], TO_GET, ""),
            (&close, TO_GET, "connection: close|"),
            (&[], closing, "connection: close|"),
            (
                &[("connection", "keep-alive")],
                closing,
                "connection: close|",
            ),
            (&[], old, "connection: keep-alive|"),
            (&close, old, ""),
        ] {
            let (text, told) = written(200, headers, Some(0), bounds);
            assert!(text.ends_with(&format!("0|{expected}|")), "{text}");
            let is_old = !bounds.is_http_1_1;
            assert_eq!(told.keeps_alive, expected.is_empty() != is_old, "{text}");
        }
    }

    #[test]
    fn a_status_without_a_name_goes_out_without_one() {
        let (text, _) = written(499, &[], Some(0), TO_GET);
        assert_eq!(text, "HTTP/1.1 499 |content-length: 0||");
    }
}
