//! A head that is taken is read alike by a reader that only splits lines, and however it comes in pieces.

use bytes::{Bytes, BytesMut};
use wxgate::listener::{Reading, Request};
use wxgate::wire::framing::Framing;

/// The bytes that a head may have.
const MOST: usize = 1024;

/// The first byte of an input says in what pieces the others come.
pub(super) fn holds(input: &[u8]) {
    let Some((step, bytes)) = input.split_first() else {
        return;
    };
    let step = usize::from(*step).max(1);
    let whole = taken(bytes, bytes.len().max(1));
    let in_pieces = taken(bytes, step);
    // What is no request may be found out by its first piece, but is taken for none either way.
    let is_request = |head: &Bytes| Request::parse(head).is_ok();
    assert_eq!(
        whole.clone().filter(is_request),
        in_pieces.filter(is_request)
    );
    let Some(head) = whole else {
        return;
    };
    let Ok(request) = Request::parse(&head) else {
        return;
    };
    agrees(&head, &request);
}

/// The bytes of the first head, if there is one.
fn taken(bytes: &[u8], step: usize) -> Option<Bytes> {
    let mut reading = Reading::default();
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        match reading.take(&mut buffer, MOST) {
            Ok(Some(head)) => return Some(head),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Splits lines and nothing more.
fn agrees(head: &[u8], request: &Request) {
    let text = head.strip_suffix(b"\r\n\r\n").expect("a head ends so");
    assert!(!text.contains(&0), "a NUL");
    let lines: Vec<_> = split_lines(text);
    assert!(
        lines
            .iter()
            .all(|line| !line.contains(&b'\r') && !line.contains(&b'\n'))
    );
    let words: Vec<_> = lines[0].split(|byte| *byte == b' ').collect();
    assert_eq!(words.len(), 3);
    assert_eq!(words[0], request.head.method.as_str().as_bytes());
    let told = &request.head.headers;
    assert_eq!(told.len(), lines.len() - 1);
    let mut framing = (Vec::new(), Vec::new());
    for line in &lines[1..] {
        let colon = line
            .iter()
            .position(|byte| *byte == b':')
            .expect("a header has a colon");
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let name = std::str::from_utf8(name).expect("names are ASCII");
        assert!(!name.is_empty() && !name.contains([' ', '\t']), "{name:?}");
        let mut values = told.get_all(name).iter();
        assert!(values.any(|known| known.as_bytes() == value), "{name:?}");
        if name.eq_ignore_ascii_case("content-length") {
            framing.0.push(value);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing.1.push(value);
        }
    }
    match (&framing.0[..], &framing.1[..], &request.body) {
        ([], [], Framing::Length(0)) => {}
        ([length], [], Framing::Length(told)) => assert_eq!(*length, plain(length, *told)),
        ([], [coding], Framing::Chunks(_)) => assert!(coding.eq_ignore_ascii_case(b"chunked")),
        other => panic!("{other:?}"),
    }
}

/// A length as its digits, with as many zeros before them as were written.
fn plain(written: &[u8], length: u64) -> Vec<u8> {
    let width = written.len();
    format!("{length:0width$}").into_bytes()
}

fn split_lines(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}
