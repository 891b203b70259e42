//! Answers in records, taken apart.

use super::*;
use proptest::prelude::*;

fn incoming() -> Incoming {
    Incoming::new(&Run {
        keeps_alive: true,
        request_id: RequestId::generate(),
    })
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, high, low, 0, 0], content].concat()
}

const END: [u8; 16] = [1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_body_without_a_length_ends_with_the_request() {
    let (mut incoming, hidden) = (incoming(), ManagedNames::of_backends([]));
    let mut buffer = BytesMut::from(record(6, b"A: b\r\n\r\nbo").as_slice());
    let reply = incoming.take_reply(&mut buffer, false, &hidden);
    let mut body = reply.unwrap().unwrap().body;
    let mut take = |buffer: &mut BytesMut| incoming.take_data(&mut body, buffer).unwrap();
    assert_eq!(take(&mut buffer).unwrap(), "bo");
    assert_eq!(take(&mut buffer), None);
    buffer.extend_from_slice(&record(6, b"dy"));
    assert_eq!(take(&mut buffer).unwrap(), "dy");
    buffer.extend_from_slice(&END);
    assert_eq!(take(&mut buffer), None);
    assert!(body.is_done() && incoming.is_over(&mut buffer));
}

#[test]
fn only_what_has_ended_well_leaves_a_connection_for_the_next_request() {
    for (behind, is_over) in [
        (END.to_vec(), true),
        ([record(7, b"a warning"), END.to_vec()].concat(), true),
        (Vec::new(), false),
        ([record(6, b"more"), END.to_vec()].concat(), false),
        (record(9, b""), false),
    ] {
        let (mut incoming, hidden) = (incoming(), ManagedNames::of_backends([]));
        let answer = [record(6, b"Content-Length: 4\r\n\r\nbody"), behind].concat();
        let mut buffer = BytesMut::from(&answer[..33]);
        let reply = incoming.take_reply(&mut buffer, false, &hidden).unwrap();
        buffer.extend_from_slice(&answer[33..]);
        let mut body = reply.unwrap().body;
        assert_eq!(
            incoming.take_data(&mut body, &mut buffer).unwrap().unwrap(),
            "body"
        );
        assert!(body.is_done());
        assert_eq!(incoming.is_over(&mut buffer), is_over, "{answer:?}");
    }
}

#[test]
fn what_is_heard_is_bounded_and_one_line() {
    let mut incoming = incoming();
    for _ in 0..100 {
        incoming.hear(&[b'x'; 100]);
    }
    assert_eq!(incoming.heard.len(), MOST_HEARD);
    let told = in_one_line("a\u{1b}[0m\r\nb\u{2028}c\u{7f}\u{85}d\0\n".as_bytes());
    assert_eq!(told, "a [0m  b c  d ");
    assert_eq!(in_one_line(b"\xff\xfe"), "\u{fffd}\u{fffd}");
}

proptest! {
    #[test]
    fn a_body_is_the_same_however_it_comes(
        body in prop::collection::vec(any::<u8>(), 0..2000),
        sizes in prop::collection::vec(1_usize..400, 1..6),
        cuts in prop::collection::vec(1_usize..300, 1..6),
        is_told in any::<bool>(),
    ) {
        let length = if is_told { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
        let output = [format!("A: b\r\n{length}\r\n").as_bytes(), &body].concat();
        let mut answer = Vec::new();
        let mut rest = output.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*size).min(rest.len()));
            answer.extend(record(6, now));
            rest = later;
        }
        answer.extend(END);
        let (mut incoming, hidden) = (incoming(), ManagedNames::of_backends([]));
        let (mut buffer, mut framing, mut taken) = (BytesMut::new(), None, Vec::new());
        let mut rest = answer.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            if framing.is_none() {
                let reply = incoming.take_reply(&mut buffer, false, &hidden).unwrap();
                framing = reply.map(|reply| reply.body);
            }
            if let Some(framing) = &mut framing {
                while let Some(data) = incoming.take_data(framing, &mut buffer).unwrap() {
                    taken.extend_from_slice(&data);
                }
            }
        }
        prop_assert_eq!(taken, body);
        prop_assert!(framing.unwrap().is_done() && incoming.is_over(&mut buffer));
    }

    #[test]
    fn no_answer_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let hidden = ManagedNames::of_backends([]);
        for answer in [bytes.clone(), record(6, &bytes), [record(6, b"A: b\r\n\r\n"), bytes].concat()] {
            let (mut incoming, mut buffer) = (incoming(), BytesMut::from(answer.as_slice()));
            if let Ok(Some(mut reply)) = incoming.take_reply(&mut buffer, false, &hidden) {
                while let Ok(Some(_)) = incoming.take_data(&mut reply.body, &mut buffer) {}
            }
        }
    }
}
