//! Where the body of a message ends, and how long its connection lives. Knows nothing of requests and answers.

use bytes::{Bytes, BytesMut};
use http::{HeaderName, StatusCode};

use super::chunks::{BadChunk, Chunks, take_up_to};

/// How far a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes more.
    Length(u64),
    /// To the last chunk.
    Chunks(Chunks),
    /// To the end of the connection.
    Close,
}

impl Framing {
    /// Takes the next data out of `buffer`; none if more must come first, or if all has come.
    ///
    /// # Errors
    ///
    /// What comes is no chunk.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, BadChunk> {
        match self {
            Self::Chunks(chunks) => chunks.take(buffer),
            Self::Length(0) => Ok(None),
            Self::Length(_) | Self::Close if buffer.is_empty() => Ok(None),
            Self::Length(left) => {
                let data = take_up_to(*left, buffer);
                *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                Ok(Some(data))
            }
            Self::Close => Ok(Some(buffer.split().freeze())),
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunks(Chunks::End))
    }

    /// How many bytes are left, if that is known.
    #[must_use]
    pub fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunks(Chunks::End) => Some(0),
            Self::Chunks(_) | Self::Close => None,
        }
    }
}

/// How long a connection lives, as far as the other end has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Beyond this message.
    Long,
    /// To the end of this exchange, as nothing else was told.
    Short,
    /// To the end of this exchange, whatever else is told.
    Closing,
}

impl Life {
    /// What a `Connection` header makes of it.
    #[must_use]
    pub fn told(self, connection: &[u8]) -> Self {
        let options = connection.split(|b| *b == b',').map(<[u8]>::trim_ascii);
        options.fold(self, |life, option| {
            if life == Self::Closing || option.eq_ignore_ascii_case(b"close") {
                Self::Closing
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                Self::Long
            } else {
                life
            }
        })
    }

    /// Whether another exchange may follow.
    #[must_use]
    pub fn is_long(self) -> bool {
        self == Self::Long
    }
}

/// Whether a `Connection` says that `Upgrade` is meant for this hop.
#[must_use]
pub fn lists_upgrade(connection: &[u8]) -> bool {
    let mut options = connection.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    options.any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

/// Whether no body comes behind an answer of this status, whatever its headers say.
#[must_use]
pub fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || matches!(status.as_u16(), 204 | 304)
}

/// The number of bytes that a `Content-Length` tells: digits, and nothing else.
#[must_use]
pub fn read_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether a header as it was written is the `known` one.
#[must_use]
pub fn is_named(name: &str, known: &HeaderName) -> bool {
    name.len() == known.as_str().len() && name.eq_ignore_ascii_case(known.as_str())
}
