//! FastCGI's records, which say how much of which stream comes next. Knows nothing of what the streams say.

use bytes::{Buf, Bytes, BytesMut};

/// The only version.
const VERSION: u8 = 1;
/// The id of the request: a connection has one at a time.
const REQUEST: u16 = 1;
/// What stands before the content of a record, in bytes.
const HEADER: usize = 8;
/// The content of the record that ends a request, in bytes.
const ENDING: usize = 8;
/// The most content of one record, in bytes.
pub(in crate::upstream) const MOST_CONTENT: usize = 65_535;
/// The record that ends the stream of a body.
pub(in crate::upstream) const END_OF_INPUT: Bytes =
    Bytes::from_static(&[VERSION, INPUT, 0, 1, 0, 0, 0, 0]);

const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const INPUT: u8 = 5;
const OUTPUT: u8 = 6;
const ERRORS: u8 = 7;

/// What comes in records, piece by piece, out of a buffer that is filled as bytes come.
#[derive(Debug, Default)]
pub struct Records {
    /// The record that has begun.
    open: Option<Open>,
    has_output_ended: bool,
    have_errors_ended: bool,
    is_over: bool,
}

/// What of a record has still to come, in bytes.
#[derive(Debug)]
struct Open {
    stream: Stream,
    content: usize,
    padding: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Output,
    Errors,
    End,
}

/// What a record brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some of the answer.
    Output(BytesMut),
    /// Some of what is for the log.
    Errors(BytesMut),
    /// Nothing more.
    End(Ending),
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The script has run, whatever it says of itself.
    Complete,
    /// The server has no room for it.
    Overloaded,
    /// The server does not take such requests; this is the status.
    Refused(u8),
}

/// Why what comes are no records of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Another version, or no FastCGI at all.
    #[error("a record is not of version 1 of FastCGI")]
    Version,
    /// It is about a request that was not made.
    #[error("a record is of another request")]
    Request,
    /// No server sends it in answer to a request.
    #[error("a record has the type {0}, which is none of an answer")]
    Type(u8),
    /// The end of a request has a length of its own.
    #[error("the end of the request has a wrong length")]
    Length,
    /// A stream goes on behind its end.
    #[error("a stream goes on behind its end")]
    Reopened,
    /// Something comes behind the end of the request.
    #[error("something comes behind the end of the request")]
    Behind,
}

impl Records {
    /// Takes the next piece out of `buffer`, however much of its record is there; none if more must come first.
    ///
    /// # Errors
    ///
    /// What comes are no records of an answer to the one request.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, BadRecord> {
        loop {
            let Some(open) = &mut self.open else {
                match self.open(buffer)? {
                    Some(open) => self.open = Some(open),
                    None => return Ok(None),
                }
                continue;
            };
            if open.stream == Stream::End {
                return Ok(self.end(buffer));
            }
            if open.content > 0 {
                return Ok(open.take(buffer));
            }
            let skipped = open.padding.min(buffer.len());
            buffer.advance(skipped);
            open.padding -= skipped;
            if open.padding > 0 {
                return Ok(None);
            }
            self.open = None;
        }
    }

    /// Whether the request has ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Reads the header of the next record.
    fn open(&mut self, buffer: &mut BytesMut) -> Result<Option<Open>, BadRecord> {
        if self.is_over && !buffer.is_empty() {
            return Err(BadRecord::Behind);
        }
        let Some((header, _)) = buffer.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [version, kind, id_1, id_0, length_1, length_0, padding, _] = *header;
        if version != VERSION {
            return Err(BadRecord::Version);
        }
        if u16::from_be_bytes([id_1, id_0]) != REQUEST {
            return Err(BadRecord::Request);
        }
        let content = usize::from(u16::from_be_bytes([length_1, length_0]));
        let stream = match kind {
            OUTPUT => Stream::Output,
            ERRORS => Stream::Errors,
            END if content == ENDING => Stream::End,
            END => return Err(BadRecord::Length),
            other => return Err(BadRecord::Type(other)),
        };
        self.go_on(stream, content)?;
        buffer.advance(HEADER);
        Ok(Some(Open {
            stream,
            content,
            padding: padding.into(),
        }))
    }

    /// Holds that no stream goes on behind the empty record that is its end.
    fn go_on(&mut self, stream: Stream, content: usize) -> Result<(), BadRecord> {
        let has_ended = match stream {
            Stream::Output => &mut self.has_output_ended,
            Stream::Errors => &mut self.have_errors_ended,
            Stream::End => return Ok(()),
        };
        if *has_ended {
            return Err(BadRecord::Reopened);
        }
        *has_ended = content == 0;
        Ok(())
    }

    /// Takes the end of the request, once all of its record is there.
    fn end(&mut self, buffer: &mut BytesMut) -> Option<Piece> {
        let padding = self.open.as_ref().map_or(0, |open| open.padding);
        let content = buffer.get(..ENDING + padding)?;
        let ending = match content.get(4) {
            Some(0) => Ending::Complete,
            Some(2) => Ending::Overloaded,
            Some(status) => Ending::Refused(*status),
            None => return None,
        };
        buffer.advance(ENDING + padding);
        self.open = None;
        self.is_over = true;
        Some(Piece::End(ending))
    }
}

impl Open {
    fn take(&mut self, buffer: &mut BytesMut) -> Option<Piece> {
        if buffer.is_empty() {
            return None;
        }
        let data = buffer.split_to(self.content.min(buffer.len()));
        self.content -= data.len();
        Some(match self.stream {
            Stream::Errors => Piece::Errors(data),
            Stream::Output | Stream::End => Piece::Output(data),
        })
    }
}

/// The record that begins a request for the one that answers. The server may keep the connection if `keeps_alive`.
pub(super) fn begin(keeps_alive: bool) -> [u8; 16] {
    let [v, t, i1, i0, l1, l0, p, r] = header(BEGIN, 8);
    let flags = u8::from(keeps_alive);
    [v, t, i1, i0, l1, l0, p, r, 0, 1, flags, 0, 0, 0, 0, 0]
}

/// What stands before so many bytes of the environment, at most [`MOST_CONTENT`].
pub(super) fn params(length: usize) -> [u8; HEADER] {
    header(PARAMS, length)
}

/// What stands before so many bytes of a body, at most [`MOST_CONTENT`].
pub(in crate::upstream) fn input(length: usize) -> Bytes {
    Bytes::copy_from_slice(&header(INPUT, length))
}

fn header(kind: u8, length: usize) -> [u8; HEADER] {
    let [id_1, id_0] = REQUEST.to_be_bytes();
    let [length_1, length_0] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [VERSION, kind, id_1, id_0, length_1, length_0, 0, 0]
}

#[cfg(test)]
mod tests;
