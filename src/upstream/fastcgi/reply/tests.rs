//! Heads as scripts write them, good and bad.

use super::*;
use crate::wire::framing::Framing;
use proptest::prelude::*;

fn read(text: &[u8], is_to_head: bool) -> Result<Option<Reply>, Broken> {
    let hidden = ManagedNames::of_backends([]);
    take(&mut BytesMut::from(text), is_to_head, &hidden)
}

#[test]
fn a_head_is_taken_once_it_is_whole_and_the_body_is_left() {
    let text = b"Status: 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody";
    for end in 0..text.len() - 4 {
        assert!(read(&text[..end], false).unwrap().is_none());
    }
    let mut buffer = BytesMut::from(text.as_slice());
    let reply = take(&mut buffer, false, &ManagedNames::of_backends([]))
        .unwrap()
        .unwrap();
    assert_eq!((reply.status.as_u16(), reply.body), (404, Framing::Close));
    assert_eq!(buffer, "body");
    assert_eq!(reply.headers.as_bytes(), b"Content-Type: a/b\r\n");
}

#[test]
fn an_answer_that_has_no_body_has_none_whatever_it_tells() {
    for (text, is_to_head) in [
        (
            b"Status: 204\r\nContent-Length: 4\r\n\r\n".as_slice(),
            false,
        ),
        (b"Status: 304\r\n\r\n", false),
        (b"Content-Length: 4\r\n\r\n", true),
    ] {
        let reply = read(text, is_to_head).unwrap().unwrap();
        assert_eq!(reply.body, Framing::Length(0));
    }
}

#[test]
fn a_status_is_three_digits_of_an_answer() {
    for (value, status) in [
        ("200", Some(200)),
        ("404 Not Found", Some(404)),
        ("599 ", Some(599)),
        ("", None),
        ("20", None),
        ("2000", None),
        ("200OK", None),
        ("+20", None),
        ("199", None),
        ("600", None),
    ] {
        let read = read_status(value.as_bytes()).map(|status| status.as_u16());
        assert_eq!(read, status, "{value:?}");
    }
}

proptest! {
    #[test]
    fn no_head_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "([A-Za-z:]{0,9}[ :]{0,2}[0-9a-z]{0,5}\r?\n){0,6}\r?\n") {
        let _ = read(&bytes, false);
        let _ = read(text.as_bytes(), true);
    }
}
