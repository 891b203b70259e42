//! Records of FastCGI say the same however their bytes come, and the same as to a reader that has them all at once.

use bytes::BytesMut;
use wxgate::upstream::fastcgi::{Ending, Piece, Records};

/// What an answer says, as far as it is one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    output: Vec<u8>,
    errors: Vec<u8>,
    ending: Option<Ending>,
    is_broken: bool,
}

pub(super) fn holds(input: &[u8]) {
    let whole = said(input, usize::MAX);
    for step in [1, 3, 8, 100] {
        assert_eq!(said(input, step), whole, "{step} bytes at a time");
    }
    let other = read(input);
    if !whole.is_broken && !other.is_broken {
        assert_eq!(whole, other);
    }
    // Whoever reads all at once sees what is wrong behind the end, too; both see what is wrong before.
    assert!(other.is_broken || !whole.is_broken);
}

/// What the gateway reads of an input that comes `step` bytes at a time.
fn said(input: &[u8], step: usize) -> Said {
    let (mut records, mut buffer, mut said) =
        (Records::default(), BytesMut::new(), Said::default());
    for bytes in input.chunks(step.min(input.len()).max(1)) {
        buffer.extend_from_slice(bytes);
        loop {
            match records.take(&mut buffer) {
                Ok(None) => break,
                Ok(Some(Piece::Output(data))) => said.output.extend_from_slice(&data),
                Ok(Some(Piece::Errors(data))) => said.errors.extend_from_slice(&data),
                Ok(Some(Piece::End(ending))) => said.ending = Some(ending),
                Err(_) => {
                    said.is_broken = true;
                    return said;
                }
            }
        }
        assert_eq!(records.is_over(), said.ending.is_some());
    }
    said
}

/// What a reader makes of it that has all of it: record by record, as the specification says.
fn read(mut input: &[u8]) -> Said {
    let mut said = Said::default();
    let mut ended = [false; 2];
    while let Some((&[version, kind, id_1, id_0, length_1, length_0, padding, _], rest)) =
        input.split_first_chunk::<8>()
    {
        let length = usize::from(length_1) << 8 | usize::from(length_0);
        let is_ours = version == 1 && [id_1, id_0] == [0, 1] && said.ending.is_none();
        let stream = match kind {
            6 => 0,
            7 => 1,
            3 => 2,
            _ => 3,
        };
        let goes_on = ended.get(stream).is_some_and(|ended| *ended);
        if !is_ours || stream == 3 || goes_on || (stream == 2 && length != 8) {
            said.is_broken = true;
            return said;
        }
        let there = &rest[..length.min(rest.len())];
        match stream {
            0 => said.output.extend_from_slice(there),
            1 => said.errors.extend_from_slice(there),
            _ if rest.len() >= length + usize::from(padding) => {
                said.ending = Some(match there[4] {
                    0 => Ending::Complete,
                    2 => Ending::Overloaded,
                    status => Ending::Refused(status),
                });
            }
            _ => return said,
        }
        if let Some(ended) = ended.get_mut(stream) {
            *ended = length == 0;
        }
        input = rest
            .get(length + usize::from(padding)..)
            .unwrap_or_default();
    }
    said.is_broken |= said.ending.is_some() && !input.is_empty();
    said
}
