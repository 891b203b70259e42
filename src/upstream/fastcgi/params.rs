//! The environment of a script as a stream of names and values. Knows none of them.

use super::records::{MOST_CONTENT, params};

/// From which length on a length takes four bytes.
const LONG: usize = 128;

/// Names and values in records. A pair that fits in a record is not cut, since php-fpm reads each record by itself.
#[derive(Debug)]
pub(super) struct Params {
    text: Vec<u8>,
    /// Where the record that is being filled begins.
    record: Option<usize>,
}

impl Params {
    /// None yet, behind what is there already.
    pub(super) fn behind(text: Vec<u8>) -> Self {
        let record = None;
        Self { text, record }
    }

    /// Adds a pair.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) {
        let mut lengths = Vec::with_capacity(8);
        write_length(name.len(), &mut lengths);
        write_length(value.len(), &mut lengths);
        let parts = [lengths.as_slice(), name, value];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.room() < length {
            self.close();
        }
        for part in parts {
            self.write(part);
        }
    }

    /// The whole stream, with its end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.text.extend_from_slice(&params(0));
        self.text
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.room() == 0 {
                self.close();
            }
            if self.record.is_none() {
                self.record = Some(self.text.len());
                self.text.extend_from_slice(&params(0));
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.text.extend_from_slice(now);
            bytes = later;
        }
    }

    /// How much content the record that is being filled still takes.
    fn room(&self) -> usize {
        MOST_CONTENT - self.record.map_or(0, |record| self.content(record))
    }

    fn content(&self, record: usize) -> usize {
        self.text.len() - record - params(0).len()
    }

    /// Says in the header of the record how long it has become.
    fn close(&mut self) {
        let Some(record) = self.record.take() else {
            return;
        };
        let header = params(self.content(record));
        if let Some(place) = self.text.get_mut(record..record + header.len()) {
            place.copy_from_slice(&header);
        }
    }
}

fn write_length(length: usize, text: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short) if length < LONG => text.push(short),
        Ok(_) | Err(_) => {
            let long = u32::try_from(length).unwrap_or(u32::MAX) | 1 << 31;
            text.extend_from_slice(&long.to_be_bytes());
        }
    }
}

/// The pairs in records of an environment that [`Params`] wrote, up to the end of the stream.
pub(super) fn read(mut records: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut stream = Vec::new();
    while let Some((&[_, _, _, _, high, low, ..], rest)) = records.split_first_chunk::<8>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((content, rest)) = rest.split_at_checked(length).filter(|_| length > 0) else {
            break;
        };
        stream.extend_from_slice(content);
        records = rest;
    }
    let mut rest = stream.as_slice();
    std::iter::from_fn(|| read_pair(&mut rest)).collect()
}

fn read_pair(rest: &mut &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (name, value) = (read_length(rest)?, read_length(rest)?);
    let (name, behind) = rest.split_at_checked(name)?;
    let (value, behind) = behind.split_at_checked(value)?;
    *rest = behind;
    Some((name.to_vec(), value.to_vec()))
}

fn read_length(rest: &mut &[u8]) -> Option<usize> {
    let (length, behind) = match **rest {
        [short, ref behind @ ..] if short < 128 => (short.into(), behind),
        [a, b, c, d, ref behind @ ..] => {
            let long = u32::from_be_bytes([a & 0x7F, b, c, d]);
            (usize::try_from(long).ok()?, behind)
        }
        _ => return None,
    };
    *rest = behind;
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut params = Params::behind(Vec::new());
        for (name, value) in pairs {
            params.push(name, value);
        }
        params.finish()
    }

    /// The contents of the records.
    fn records(mut text: &[u8]) -> Vec<Vec<u8>> {
        let mut contents = Vec::new();
        while let Some((header, rest)) = text.split_first_chunk::<8>() {
            assert_eq!(header[..4], [1, 4, 0, 1]);
            let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
            let (content, rest) = rest.split_at(length);
            contents.push(content.to_vec());
            text = rest;
        }
        assert!(text.is_empty());
        contents
    }

    #[test]
    fn short_and_long_lengths_are_written_as_the_standard_has_them() {
        let mut params = Params::behind(b"before".to_vec());
        params.push(b"A", b"bc");
        params.push(b"D", &[b'x'; 128]);
        let text = params.finish();
        let head = b"before\x01\x04\x00\x01\x00\x8b\x00\x00\x01\x02Abc\x01\x80\x00\x00\x80D";
        assert!(text.starts_with(head), "{text:?}");
        assert!(text.ends_with(b"xxx\x01\x04\x00\x01\x00\x00\x00\x00"));
        assert_eq!(text.len(), head.len() + 128 + 8);
    }

    #[test]
    fn a_pair_that_fits_in_a_record_stands_in_one() {
        let pair = |length| (b"N".to_vec(), vec![b'v'; length]);
        let whole = MOST_CONTENT - 6;
        let text = written(&[pair(40_000), pair(40_000), pair(whole), pair(1)]);
        let lengths: Vec<_> = records(&text).iter().map(Vec::len).collect();
        assert_eq!(lengths, [40_006, 40_006, MOST_CONTENT, 4, 0]);
    }

    #[test]
    fn a_pair_that_fits_in_no_record_goes_on_in_the_next() {
        let pairs = [(b"N".to_vec(), vec![b'v'; 2 * MOST_CONTENT])];
        let text = written(&pairs);
        let lengths: Vec<_> = records(&text).iter().map(Vec::len).collect();
        assert_eq!(lengths, [MOST_CONTENT, MOST_CONTENT, 6, 0]);
        assert_eq!(read(&text), pairs);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            pairs in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..200), 0..70_000_usize),
                0..6,
            ),
        ) {
            let pair = |(name, length)| (name, vec![b'v'; length]);
            let pairs: Vec<_> = pairs.into_iter().map(pair).collect();
            let text = written(&pairs);
            prop_assert!(records(&text).iter().all(|content| content.len() <= MOST_CONTENT));
            prop_assert_eq!(read(&text), pairs);
        }

        #[test]
        fn nothing_that_is_read_panics(text in prop::collection::vec(any::<u8>(), 0..300)) {
            read(&text);
        }
    }
}
