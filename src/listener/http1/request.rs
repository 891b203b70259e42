//! What a client asks: the head of a request, read out of a buffer, and what frames the body behind it. What two parsers
//! could read differently is none. Knows nothing of where the bytes come from.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Method, Uri, Version};
use httparse::{Header, ParserConfig, Status};

use crate::listener::Unread;
use crate::wire::chunks::Chunks;
use crate::wire::framing::{Framing, Life, lists_upgrade, read_length};
use crate::wire::head::MOST_HEADERS;

/// The longest target that [`Uri`] takes, in bytes.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;
/// The longest body that a length may tell, in bytes: where others count with a sign, more could pass for less.
const LONGEST_BODY: u64 = i64::MAX as u64;

/// A request up to its body.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a head tells"
)]
#[derive(Debug)]
pub struct Request {
    /// The head.
    pub head: Parts,
    /// What frames the body.
    pub body: Framing,
    pub(super) is_http_1_1: bool,
    /// Whether the connection may carry another request afterwards.
    pub(super) keeps_alive: bool,
    /// Whether the client waits to be told to go on before it sends the body.
    pub(super) awaits_leave: bool,
    /// Whether the client wants to speak another protocol behind it.
    pub(super) upgrades: bool,
}

/// How far the reading of a head has come.
#[derive(Debug, Default)]
pub struct Reading {
    /// How many bytes were looked at, and have no end of a head in them.
    seen: usize,
}

impl Reading {
    /// Takes the bytes of a whole head, `most` at most, out of `buffer`; none if more of them must come first.
    ///
    /// # Errors
    ///
    /// They are no beginning of a head, or one that is too large.
    pub fn take(&mut self, buffer: &mut BytesMut, most: usize) -> Result<Option<Bytes>, Unread> {
        // Some clients send an empty line behind a body.
        while buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            self.seen = 0;
        }
        if buffer.is_empty() {
            return Ok(None);
        }
        let end = end_of_head(buffer, self.seen)?;
        if end.unwrap_or(buffer.len()) > most {
            return Err(Unread::HeadersTooLarge);
        }
        if let Some(end) = end {
            self.seen = 0;
            return Ok(Some(buffer.split_to(end).freeze()));
        }
        if self.seen == 0 {
            // What is no HTTP at all is not waited for.
            parse(buffer, |_| Ok(()))?;
        }
        self.seen = buffer.len();
        Ok(None)
    }
}

impl Request {
    /// Reads it out of the bytes of a whole head.
    ///
    /// # Errors
    ///
    /// Two parsers could read it differently, or it is over a limit.
    pub fn parse(bytes: &Bytes) -> Result<Self, Unread> {
        let read = |parsed: &httparse::Request<'_, '_>| Self::read(bytes, parsed);
        parse(bytes, read)?.ok_or(Unread::Malformed)
    }

    /// Makes it of what was parsed out of `bytes`; its values share them.
    fn read(bytes: &Bytes, parsed: &httparse::Request<'_, '_>) -> Result<Self, Unread> {
        let target = parsed.path.unwrap_or_default().as_bytes();
        if target.len() > LONGEST_TARGET {
            return Err(Unread::UriTooLong);
        }
        let is_http_1_1 = parsed.version == Some(1);
        let mut frame = Frame::new(is_http_1_1);
        let mut headers = HeaderMap::with_capacity(parsed.headers.len());
        for Header { name, value } in &*parsed.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Unread::Malformed)?;
            frame.note(&name, value)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(value));
            headers.append(name, value.map_err(|_| Unread::Malformed)?);
        }
        let (mut head, ()) = http::Request::new(()).into_parts();
        let method = parsed.method.unwrap_or_default().as_bytes();
        head.method = Method::from_bytes(method).map_err(|_| Unread::Malformed)?;
        let target = Uri::from_maybe_shared(bytes.slice_ref(target));
        head.uri = target.map_err(|_| Unread::Malformed)?;
        head.version = if is_http_1_1 {
            Version::HTTP_11
        } else {
            Version::HTTP_10
        };
        head.headers = headers;
        let body = frame.body()?;
        Ok(Self {
            head,
            is_http_1_1,
            keeps_alive: frame.life.is_long(),
            awaits_leave: is_http_1_1 && frame.expects && !body.is_done(),
            upgrades: is_http_1_1 && frame.upgrades,
            body,
        })
    }
}

/// What the headers of one hop say.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own that a head tells"
)]
struct Frame {
    is_http_1_1: bool,
    length: Option<u64>,
    is_chunked: bool,
    life: Life,
    expects: bool,
    upgrades: bool,
}

impl Frame {
    fn new(is_http_1_1: bool) -> Self {
        Self {
            is_http_1_1,
            length: None,
            is_chunked: false,
            life: if is_http_1_1 { Life::Long } else { Life::Short },
            expects: false,
            upgrades: false,
        }
    }

    /// Takes note of one header.
    fn note(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Unread> {
        match *name {
            CONTENT_LENGTH => {
                let length = read_length(value).filter(|length| *length <= LONGEST_BODY);
                let before = self.length.replace(length.ok_or(Unread::Malformed)?);
                before.map_or(Ok(()), |_| Err(Unread::Malformed))
            }
            TRANSFER_ENCODING => {
                let is_chunked = value.eq_ignore_ascii_case(b"chunked");
                let is_first = !std::mem::replace(&mut self.is_chunked, true);
                let is_good = is_chunked && is_first && self.is_http_1_1;
                is_good.then_some(()).ok_or(Unread::Malformed)
            }
            CONNECTION => {
                self.life = self.life.told(value);
                self.upgrades |= lists_upgrade(value);
                Ok(())
            }
            EXPECT => {
                self.expects |= value.eq_ignore_ascii_case(b"100-continue");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What frames the body. Of two lengths none is believed.
    fn body(&self) -> Result<Framing, Unread> {
        match (self.is_chunked, self.length) {
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
            (true, None) => Ok(Framing::Chunks(Chunks::Size)),
            (true, Some(_)) => Err(Unread::Malformed),
        }
    }
}

/// Where the empty line behind a head ends, which is not within the first `seen` bytes. A line ends with both CR and LF:
/// who takes less sees lines where others see none.
fn end_of_head(buffer: &[u8], seen: usize) -> Result<Option<usize>, Unread> {
    for at in memchr::memchr_iter(b'\n', buffer.get(seen..).unwrap_or_default()) {
        let end = seen + at + 1;
        match buffer.get(..end).unwrap_or_default() {
            [.., b'\r', b'\n', b'\r', b'\n'] => return Ok(Some(end)),
            [.., b'\r', b'\n'] => {}
            _ => return Err(Unread::Malformed),
        }
    }
    Ok(None)
}

/// Parses a head and hands it to `read`, if all of it is there.
fn parse<T>(
    bytes: &[u8],
    read: impl FnOnce(&httparse::Request<'_, '_>) -> Result<T, Unread>,
) -> Result<Option<T>, Unread> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut []);
    let config = ParserConfig::default();
    let status = config.parse_request_with_uninit_headers(&mut parsed, bytes, &mut headers);
    match status {
        Ok(Status::Complete(_)) => read(&parsed).map(Some),
        Ok(Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(Unread::HeadersTooLarge),
        Err(_) => Err(Unread::Malformed),
    }
}

#[cfg(test)]
mod tests;
