//! The little of HTTP/1.1 that both ends of a measurement read. Knows nothing of sockets.

use httparse::{EMPTY_HEADER, Header, Request, Response, Status};

/// More headers than this are no head that a measurement has.
const MOST_HEADERS: usize = 48;

/// What was read is not HTTP/1.1.
#[derive(Debug, thiserror::Error)]
#[error("not HTTP/1.1: {0}")]
pub struct Broken(&'static str);

impl From<httparse::Error> for Broken {
    fn from(_: httparse::Error) -> Self {
        Self("a head that does not parse")
    }
}

/// The head of a request or an answer, as far as a measurement looks at it.
#[derive(Debug)]
pub struct Head<T> {
    /// The path of a request, the status of an answer.
    pub what: T,
    /// The bytes of the head.
    pub length: usize,
    /// What follows it.
    pub body: Body,
    /// Whether the other side closes the connection after it.
    pub closes: bool,
}

/// A body that is being read: what of it is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks, and where in them the next byte is.
    Chunks(Place),
}

/// A place within a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a line with a size: the size so far, and whether an extension began.
    Size(u64, bool),
    /// So many bytes before the end of a chunk, its CRLF included.
    Data(u64),
    /// In a line of the trailer: whether it is empty so far.
    Trailer(bool),
    /// Behind the last byte.
    End,
}

/// Reads the head of a request; `None` until it is whole.
///
/// # Errors
///
/// It is none.
pub fn request(bytes: &[u8]) -> Result<Option<Head<&str>>, Broken> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = Request::new(&mut headers);
    let Status::Complete(length) = request.parse(bytes)? else {
        return Ok(None);
    };
    Ok(Some(Head {
        what: request.path.unwrap_or_default(),
        length,
        body: body(request.headers)?,
        closes: closes(request.headers),
    }))
}

/// Reads the head of an answer; `None` until it is whole.
///
/// # Errors
///
/// It is none.
pub fn answer(bytes: &[u8]) -> Result<Option<Head<u16>>, Broken> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut answer = Response::new(&mut headers);
    let Status::Complete(length) = answer.parse(bytes)? else {
        return Ok(None);
    };
    let status = answer.code.unwrap_or_default();
    let body = match status {
        204 | 304 => Body::Length(0),
        _ => body(answer.headers)?,
    };
    Ok(Some(Head {
        what: status,
        length,
        body,
        closes: closes(answer.headers),
    }))
}

fn body(headers: &[Header<'_>]) -> Result<Body, Broken> {
    if header(headers, "transfer-encoding").is_some() {
        return Ok(Body::Chunks(Place::Size(0, false)));
    }
    let Some(length) = header(headers, "content-length") else {
        return Ok(Body::Length(0));
    };
    let length = str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok());
    Ok(Body::Length(
        length.ok_or(Broken("a length that is no number"))?,
    ))
}

fn closes(headers: &[Header<'_>]) -> bool {
    header(headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"))
}

fn header<'h>(headers: &[Header<'h>], name: &str) -> Option<&'h [u8]> {
    let mut named = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    named.next().map(|header| header.value)
}

impl Body {
    /// Whether nothing more is to come.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunks(Place::End))
    }

    /// How many of the next bytes belong to it for certain, whatever they are.
    #[must_use]
    pub fn certain(self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunks(Place::Data(left)) => left,
            Self::Chunks(_) => 0,
        }
    }

    /// Goes on by `count` bytes that [`Body::certain`] promised.
    pub fn skip(&mut self, count: u64) {
        match self {
            Self::Length(left) => *left = left.saturating_sub(count),
            Self::Chunks(Place::Data(left)) if *left > count => *left -= count,
            Self::Chunks(place) => *place = Place::Size(0, false),
        }
    }

    /// Goes on by those of `bytes` that belong to it, and says how many these are.
    ///
    /// # Errors
    ///
    /// A chunk's size is no number.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.has_ended() {
            let certain = usize::try_from(self.certain()).unwrap_or(usize::MAX);
            let count = certain.clamp(1, rest.len());
            if certain > 0 {
                self.skip(count as u64);
            } else if let (Self::Chunks(place), Some(&byte)) = (&mut *self, rest.first()) {
                *place = place.after(byte)?;
            }
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }
}

impl Place {
    /// Where the next byte is after `byte`, which is none of a chunk's data.
    fn after(self, byte: u8) -> Result<Self, Broken> {
        Ok(match (self, byte) {
            (Self::Size(0, _), b'\n') => Self::Trailer(true),
            (Self::Size(size, _), b'\n') => Self::Data(size.saturating_add(2)),
            (Self::Size(size, true), _) | (Self::Size(size, _), b';' | b'\r' | b' ') => {
                Self::Size(size, true)
            }
            (Self::Size(size, false), byte) => {
                let digit = char::from(byte).to_digit(16);
                let digit = digit.ok_or(Broken("a chunk's size that is no number"))?;
                Self::Size((size << 4) | u64::from(digit), false)
            }
            (Self::Trailer(true), b'\n') => Self::End,
            (Self::Trailer(is_empty), b'\r') => Self::Trailer(is_empty),
            (Self::Trailer(_), byte) => Self::Trailer(byte == b'\n'),
            (Self::Data(_) | Self::End, _) => self,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_ends_where_it_ends_however_it_arrives() {
        let text = b"5;x=y\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nA: b\r\n\r\nGET";
        for piece in 1..text.len() {
            let mut body = Body::Chunks(Place::Size(0, false));
            let mut taken = 0;
            for bytes in text.chunks(piece) {
                taken += body.take(bytes).unwrap_or_default();
            }
            assert!(body.has_ended(), "in pieces of {piece}");
            assert_eq!(&text[taken..], b"GET", "in pieces of {piece}");
        }
    }

    #[test]
    fn a_request_is_none_until_its_head_is_whole() {
        let text = b"POST /bytes/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789";
        assert!(matches!(request(&text[..40]), Ok(None)));
        let head = request(text)
            .ok()
            .flatten()
            .unwrap_or_else(|| unreachable!());
        assert_eq!((head.what, head.length), ("/bytes/7", text.len() - 9));
        assert_eq!((head.body, head.closes), (Body::Length(9), false));
    }

    #[test]
    fn an_answer_without_a_body_has_none() {
        let head = answer(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        let head = head.ok().flatten().unwrap_or_else(|| unreachable!());
        assert_eq!(
            (head.what, head.body, head.closes),
            (204, Body::Length(0), true)
        );
    }
}
