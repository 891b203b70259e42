//! Records as they should be, and as they should not.

use super::*;
use proptest::prelude::*;

fn record(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let mut header = header(kind, content.len());
    header[6] = padding;
    let padding = vec![0xEE; padding.into()];
    [header.as_slice(), content, &padding].concat()
}

fn end(status: u8) -> Vec<u8> {
    record(END, &[0, 0, 0, 0, status, 0, 0, 0], 0)
}

/// What is read of `bytes` that come at once.
fn read(bytes: &[u8]) -> Result<Vec<Piece>, BadRecord> {
    read_all(&mut Records::default(), &mut BytesMut::from(bytes))
}

fn read_all(records: &mut Records, buffer: &mut BytesMut) -> Result<Vec<Piece>, BadRecord> {
    let mut pieces = Vec::new();
    while let Some(piece) = records.take(buffer)? {
        pieces.push(piece);
    }
    Ok(pieces)
}

fn output(pieces: &[Piece]) -> Vec<u8> {
    let output = pieces.iter().filter_map(|piece| match piece {
        Piece::Output(data) => Some(data.as_ref()),
        Piece::Errors(_) | Piece::End(_) => None,
    });
    output.collect::<Vec<_>>().concat()
}

#[test]
fn streams_are_told_apart_and_padding_is_dropped() {
    let bytes = [
        record(OUTPUT, b"Status: 200\r\n", 3),
        record(ERRORS, b"a warning", 7),
        record(OUTPUT, b"\r\nbody", 0),
        record(OUTPUT, b"", 0),
        record(ERRORS, b"", 0),
        end(0),
    ];
    let pieces = [
        Piece::Output(BytesMut::from(&b"Status: 200\r\n"[..])),
        Piece::Errors(BytesMut::from(&b"a warning"[..])),
        Piece::Output(BytesMut::from(&b"\r\nbody"[..])),
        Piece::End(Ending::Complete),
    ];
    assert_eq!(read(&bytes.concat()), Ok(pieces.to_vec()));
}

#[test]
fn a_record_is_passed_on_while_it_comes() {
    let mut records = Records::default();
    let bytes = record(OUTPUT, &vec![b'x'; MOST_CONTENT], 9);
    let mut buffer = BytesMut::from(&bytes[..20]);
    let pieces = read_all(&mut records, &mut buffer).unwrap();
    assert_eq!(output(&pieces).len(), 12);
    assert!(buffer.is_empty() && !records.is_over());
    buffer.extend_from_slice(&bytes[20..]);
    buffer.extend_from_slice(&end(0));
    let pieces = read_all(&mut records, &mut buffer).unwrap();
    assert_eq!(output(&pieces).len(), MOST_CONTENT - 12);
    assert!(records.is_over() && buffer.is_empty());
}

#[test]
fn the_end_tells_what_became_of_the_request() {
    for (status, ending) in [
        (0, Ending::Complete),
        (1, Ending::Refused(1)),
        (2, Ending::Overloaded),
        (3, Ending::Refused(3)),
        (255, Ending::Refused(255)),
    ] {
        assert_eq!(read(&end(status)), Ok(vec![Piece::End(ending)]));
    }
    let with_padding = record(END, &[0, 0, 0, 7, 0, 0, 0, 0], 200);
    assert_eq!(
        read(&with_padding),
        Ok(vec![Piece::End(Ending::Complete)]),
        "what a script says of itself changes nothing"
    );
    assert_eq!(read(&with_padding[..215]), Ok(vec![]));
}

#[test]
fn what_is_no_record_of_the_answer_is_refused() {
    let other = |place: usize, byte: u8| {
        let mut bytes = record(OUTPUT, b"x", 0);
        bytes[place] = byte;
        bytes
    };
    let two = |one: &[u8], other: &[u8]| [one, other].concat();
    for (bytes, error) in [
        (other(0, 0), BadRecord::Version),
        (other(0, 2), BadRecord::Version),
        (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), BadRecord::Version),
        (other(2, 1), BadRecord::Request),
        (other(3, 0), BadRecord::Request),
        (other(3, 2), BadRecord::Request),
        (other(1, 0), BadRecord::Type(0)),
        (other(1, BEGIN), BadRecord::Type(1)),
        (other(1, PARAMS), BadRecord::Type(4)),
        (other(1, INPUT), BadRecord::Type(5)),
        (other(1, 10), BadRecord::Type(10)),
        (other(1, 11), BadRecord::Type(11)),
        (record(END, b"", 0), BadRecord::Length),
        (record(END, b"1234567", 1), BadRecord::Length),
        (record(END, b"123456789", 0), BadRecord::Length),
        (
            two(&record(OUTPUT, b"", 0), &record(OUTPUT, b"x", 0)),
            BadRecord::Reopened,
        ),
        (
            two(&record(ERRORS, b"", 4), &record(ERRORS, b"", 0)),
            BadRecord::Reopened,
        ),
        (two(&end(0), &record(OUTPUT, b"x", 0)), BadRecord::Behind),
        (two(&end(0), &end(0)), BadRecord::Behind),
        (two(&end(0), b"x"), BadRecord::Behind),
    ] {
        assert_eq!(read(&bytes), Err(error), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn records_are_read_alike_however_they_are_cut(
        contents in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..300), any::<u8>()), 0..6),
        cuts in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let all: Vec<_> = contents.iter().map(|(content, padding)| record(OUTPUT, content, *padding)).collect();
        let bytes = [all.concat(), end(0)].concat();
        let expected: Vec<u8> = contents.iter().flat_map(|(content, _)| content.clone()).collect();
        let (mut records, mut buffer, mut pieces) = (Records::default(), BytesMut::new(), Vec::new());
        let mut rest = bytes.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            buffer.extend_from_slice(now);
            pieces.extend(read_all(&mut records, &mut buffer).unwrap());
            rest = later;
        }
        prop_assert_eq!(output(&pieces), expected);
        prop_assert!(records.is_over() && buffer.is_empty());
    }

    #[test]
    fn no_bytes_panic_and_no_piece_is_longer_than_they_are(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let known = [vec![VERSION, OUTPUT, 0, 1], bytes.clone()].concat();
        for bytes in [bytes, known] {
            if let Ok(pieces) = read(&bytes) {
                prop_assert!(output(&pieces).len() <= bytes.len());
            }
        }
    }
}
