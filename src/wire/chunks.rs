//! A body that comes in chunks, read out of a buffer. Knows nothing of where the bytes come from.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderName;
use httparse::Status;

/// The longest line with the size of a chunk, extensions and all, in bytes.
const LONGEST_SIZE: usize = 4096;
/// What trailers may have in all, in bytes; they are read away.
const LONGEST_TRAILERS: usize = 32 * 1024;

/// A chunk without a size, without its end, or with too much beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of the body cannot be read")]
pub struct BadChunk;

/// Where the reading of chunks stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunks {
    /// The size of the next chunk comes.
    Size,
    /// So much of a chunk comes.
    Data(u64),
    /// The line break behind a chunk comes.
    DataEnd,
    /// Trailers come; so many bytes of them have come.
    Trailers(usize),
    /// That was all.
    End,
}

impl Chunks {
    /// Takes the next data out of `buffer`; none if more must come first, or if all has come.
    ///
    /// # Errors
    ///
    /// What comes is no chunk.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, BadChunk> {
        loop {
            let next = match *self {
                Self::Size => take_size(buffer)?,
                Self::Data(left) => {
                    let data = take_up_to(left, buffer);
                    if data.is_empty() {
                        return Ok(None);
                    }
                    let left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    *self = if left == 0 {
                        Self::DataEnd
                    } else {
                        Self::Data(left)
                    };
                    return Ok(Some(data));
                }
                Self::DataEnd => take_line_break(buffer)?,
                Self::Trailers(seen) => take_trailer(seen, buffer)?,
                Self::End => None,
            };
            let Some(next) = next else { return Ok(None) };
            *self = next;
        }
    }
}

/// What follows the line with a chunk's size, once that is there.
fn take_size(buffer: &mut BytesMut) -> Result<Option<Chunks>, BadChunk> {
    // The library takes a line without a digit for a zero.
    if !buffer.first().is_none_or(u8::is_ascii_hexdigit) {
        return Err(BadChunk);
    }
    let end = memchr::memchr(b'\n', buffer);
    if end.unwrap_or(buffer.len()) > LONGEST_SIZE {
        return Err(BadChunk);
    }
    let Some(end) = end else { return Ok(None) };
    // It sees no more than the line, for it would let an extension go on into the next one.
    match httparse::parse_chunk_size(&buffer.split_to(end + 1)) {
        Ok(Status::Complete((_, 0))) => Ok(Some(Chunks::Trailers(0))),
        Ok(Status::Complete((_, size))) => Ok(Some(Chunks::Data(size))),
        Ok(Status::Partial) | Err(_) => Err(BadChunk),
    }
}

/// What follows the line break behind a chunk, once that is there.
fn take_line_break(buffer: &mut BytesMut) -> Result<Option<Chunks>, BadChunk> {
    match buffer.get(..2) {
        Some(b"\r\n") => {
            buffer.advance(2);
            Ok(Some(Chunks::Size))
        }
        Some(_) => Err(BadChunk),
        None => Ok(None),
    }
}

/// What follows a trailer or the empty line behind the last one, once that is there; `seen` bytes of them came before.
fn take_trailer(seen: usize, buffer: &mut BytesMut) -> Result<Option<Chunks>, BadChunk> {
    let end = memchr::memchr(b'\n', buffer);
    if seen + end.unwrap_or(buffer.len()) > LONGEST_TRAILERS {
        return Err(BadChunk);
    }
    let Some(end) = end else { return Ok(None) };
    let line = buffer.split_to(end + 1);
    match line.strip_suffix(b"\r\n") {
        Some([]) => Ok(Some(Chunks::End)),
        Some(trailer) if names_a_header(trailer) => Ok(Some(Chunks::Trailers(seen + line.len()))),
        _ => Err(BadChunk),
    }
}

fn names_a_header(line: &[u8]) -> bool {
    let name = memchr::memchr(b':', line).and_then(|colon| line.get(..colon));
    name.is_some_and(|name| HeaderName::from_bytes(name).is_ok())
}

/// What is there of `most` bytes.
pub(super) fn take_up_to(most: u64, buffer: &mut BytesMut) -> Bytes {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    buffer.split_to(most.min(buffer.len())).freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a body says that comes in these pieces, and whether its end came.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, bool), BadChunk> {
        let (mut chunks, mut buffer, mut data) = (Chunks::Size, BytesMut::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(piece) = chunks.take(&mut buffer)? {
                data.extend_from_slice(&piece);
            }
        }
        Ok((data, chunks == Chunks::End))
    }

    fn read_whole(body: &[u8]) -> Result<(Vec<u8>, bool), String> {
        read([body]).map_err(|error| error.to_string())
    }

    #[test]
    fn chunks_are_put_together_and_what_stands_beside_them_is_dropped() {
        let body = b"3;a=b\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-OpenId: boss\r\n\r\n";
        assert_eq!(read_whole(body), Ok((b"abc0123456789".to_vec(), true)));
        let before_the_end = body.split_last().unwrap().1;
        assert!(!read_whole(before_the_end).unwrap().1);
    }

    #[test]
    fn what_is_no_chunk_is_broken() {
        let endless = [b"1;".as_slice(), &[b'a'; LONGEST_SIZE]].concat();
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(LONGEST_TRAILERS)].concat();
        let line = format!("a:{}\r\n", " ".repeat(LONGEST_TRAILERS / 3));
        let blanks = format!("0\r\n{}", line.repeat(4));
        for body in [
            b"x\r\nabc\r\n".as_slice(),
            b"-1\r\n",
            b"\r\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n0",
            b"FFFFFFFFFFFFFFFFF\r\n",
            b"3;a=\"b\nc\"\r\nabc\r\n",
            b"3\nabc\n",
            b"0\r\n \r\n\r\n",
            b"0\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"0\r\n\n",
            b"0\r\na: b\n\r\n",
            &endless,
            &trailers,
            blanks.as_bytes(),
        ] {
            let error = "a chunk of the body cannot be read".to_owned();
            assert_eq!(read_whole(body), Err(error), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_chunked_is_read_as_it_was_however_it_is_cut(
            data in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            cuts in prop::collection::vec(1..20_usize, 1..200),
        ) {
            let mut body = Vec::new();
            for piece in &data {
                body.extend(format!("{:x}\r\n", piece.len()).bytes());
                body.extend(piece);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\n\r\n");
            let (mut rest, mut pieces) = (body.as_slice(), Vec::new());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            prop_assert_eq!(read(pieces).unwrap(), (data.concat(), true));
        }

        #[test]
        fn no_body_panics(body in "[0-9a-f;\r\n ]{0,60}") {
            let _ = read([body.as_bytes()]);
        }
    }
}
