//! What a server answers: the head, what frames the body, and the body itself, read out of a buffer. Knows nothing of
//! where the bytes come from.

use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use httparse::{Header, ParserConfig, Response, Status};

use super::error::Broken;
use crate::domain::managed_names::ManagedNames;
use crate::wire::chunks::Chunks;
use crate::wire::framing::{Framing, Life, has_no_body, is_named, read_length};
use crate::wire::header_lines::HeaderLines;

/// The longest head, in bytes.
pub(super) const LONGEST_HEAD: usize = 64 * 1024;
/// The most headers.
pub(super) const MOST_HEADERS: usize = 128;
/// What the headers for the client take at once, in bytes; most are shorter.
const USUAL_LINES: usize = 512;

/// An answer up to its body.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// Those that are for the client.
    pub(super) headers: HeaderLines,
    pub(super) body: Framing,
    /// Whether the connection may carry another request afterwards.
    pub(super) keeps_alive: bool,
}

impl Reply {
    /// Takes a whole head out of `buffer`; none if more of it must come first. `is_to_head` tells that the request was
    /// HEAD; no `hidden` header is taken.
    pub(super) fn take(
        buffer: &mut BytesMut,
        is_to_head: bool,
        hidden: &ManagedNames,
    ) -> Result<Option<Self>, Broken> {
        let Some(end) = end_of_head(buffer) else {
            return if buffer.len() > LONGEST_HEAD {
                Err(Broken::HeadTooLarge)
            } else {
                Ok(None)
            };
        };
        let head = buffer.get(..end).unwrap_or_default();
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            &mut headers,
        );
        match parsed.map_err(Broken::NotHttp)? {
            Status::Complete(_) => {}
            Status::Partial => return Err(Broken::NotHttp(httparse::Error::Status)),
        }
        let status = response
            .code
            .and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or(Broken::NotHttp(httparse::Error::Status))?;
        let ends = Ends {
            is_http_1_1: response.version == Some(1),
            is_to_head,
        };
        let reply = Self::of(status, response.headers, ends, hidden)?;
        buffer.advance(end);
        Ok(Some(reply))
    }

    /// The answer of this status and these headers.
    pub(super) fn of(
        status: StatusCode,
        headers: &[Header<'_>],
        ends: Ends,
        hidden: &ManagedNames,
    ) -> Result<Self, Broken> {
        let mut frame = Frame::read(headers, ends.is_http_1_1)?;
        if ends.is_to_head || has_no_body(status) {
            frame = frame.without_body(status);
        }
        Ok(Self {
            status,
            headers: passing(headers, &frame, hidden),
            keeps_alive: frame.keeps_alive && frame.body != Framing::Close,
            body: frame.body,
        })
    }
}

/// What tells where an answer ends, beside its own headers.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    /// Whether its body may come in chunks.
    pub(super) is_http_1_1: bool,
    /// Whether the request was HEAD, so that it has none.
    pub(super) is_to_head: bool,
}

/// What the headers of one hop say.
struct Frame {
    body: Framing,
    keeps_alive: bool,
    /// The length that is told, if it counts.
    length: Option<u64>,
}

impl Frame {
    fn read(headers: &[Header<'_>], is_http_1_1: bool) -> Result<Self, Broken> {
        let mut length = None;
        let mut codings = 0;
        let mut life = if is_http_1_1 { Life::Long } else { Life::Short };
        for Header { name, value } in headers {
            if is_named(name, &CONTENT_LENGTH) {
                let read = read_length(value).ok_or(Broken::Framing)?;
                if length.replace(read).is_some_and(|other| other != read) {
                    return Err(Broken::Framing);
                }
            } else if is_named(name, &TRANSFER_ENCODING) {
                codings += 1;
                if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Broken::Framing);
                }
            } else if is_named(name, &CONNECTION) {
                life = life.told(value);
            }
        }
        let is_length_void = codings > 0 && length.is_some();
        let body = match (codings, length) {
            (0, Some(length)) => Framing::Length(length),
            (0, None) => Framing::Close,
            (1, _) if is_http_1_1 => Framing::Chunks(Chunks::Size),
            (_, _) => return Err(Broken::Framing),
        };
        Ok(Self {
            body,
            // Where two lengths are told, what follows the body may not be the next answer.
            keeps_alive: life.is_long() && !is_length_void,
            length: length.filter(|_| !is_length_void),
        })
    }

    /// The same for an answer that has no body, whatever its headers say.
    fn without_body(self, status: StatusCode) -> Self {
        let tells_one = !matches!(self.body, Framing::Length(0) | Framing::Close);
        // Whoever may not even tell of one, and does, may go on to send it where the next answer is looked for.
        let is_wrong = status == StatusCode::NO_CONTENT && tells_one;
        Self {
            body: Framing::Length(0),
            keeps_alive: self.keeps_alive && !is_wrong,
            ..self
        }
    }
}

/// The headers that are for the client.
fn passing(headers: &[Header<'_>], frame: &Frame, hidden: &ManagedNames) -> HeaderLines {
    let connection = headers.iter().filter(|h| is_named(h.name, &CONNECTION));
    let sieve = hidden.sieve(connection.map(|header| header.value));
    let mut lines = HeaderLines::with_room(USUAL_LINES);
    for Header { name, value } in headers {
        if is_named(name, &CONTENT_LENGTH) {
            continue;
        }
        if sieve.passes(name.as_bytes()) {
            lines.push(name, value);
        }
    }
    if let Some(length) = frame.length {
        lines.declare_length(length);
    }
    lines
}

/// Where the empty line behind a head ends. Some servers end lines without CR.
pub(super) fn end_of_head(buffer: &[u8]) -> Option<usize> {
    let breaks = memchr::memchr_iter(b'\n', buffer);
    breaks
        .map(|at| at + 1)
        .find_map(|next| match buffer.get(next..)? {
            [b'\n', ..] => Some(next + 1),
            [b'\r', b'\n', ..] => Some(next + 2),
            _ => None,
        })
}

#[cfg(test)]
mod tests;
