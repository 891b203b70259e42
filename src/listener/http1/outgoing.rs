//! What of an answer is on its way out: its head, and its body piece by piece. Knows nothing of what it says.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http_body::Body;

use super::answer::Framed;
use crate::listener::wire::Wire;

/// A piece up to this many bytes is copied behind what stands before it; a longer one goes out from where it is.
const SHORT: usize = 8 * 1024;
/// When so many bytes are ready, they go out before more is made ready.
const FULL: usize = 16 * 1024;

/// Bytes that are ready to go out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// What goes first: heads, short pieces, and what frames pieces.
    pub(super) first: Vec<u8>,
    /// How much of that is out.
    gone: usize,
    /// A long piece behind it.
    long: Bytes,
    /// What frames that.
    last: &'static [u8],
}

/// How much of a body is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Much is ready, and more may come.
    Some,
    /// All of the body is ready.
    All,
    /// No more than there is: the body broke off.
    Broken,
}

impl Outgoing {
    /// Makes as much of `body` ready as comes now, up to a limit. The body ends its life with its last piece.
    pub(super) fn poll_gather<B>(
        &mut self,
        body: &mut Option<B>,
        framed: &mut Framed,
        cx: &mut Context<'_>,
    ) -> Poll<Ready>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            let Some(open) = body else {
                return Poll::Ready(Ready::All);
            };
            let is_over = match framed {
                Framed::Length(left) => *left == 0 || open.is_end_stream(),
                Framed::Chunks => false,
                Framed::Close => open.is_end_stream(),
            };
            if !is_over && self.is_full() {
                return Poll::Ready(Ready::Some);
            }
            let frame = if is_over {
                None
            } else {
                ready!(Pin::new(open).poll_frame(cx))
            };
            match frame {
                None => {
                    *body = None;
                    return Poll::Ready(self.end(*framed));
                }
                Some(Err(_)) => return Poll::Ready(Ready::Broken),
                Some(Ok(frame)) => self.add(frame.into_data().unwrap_or_default(), framed),
            }
        }
    }

    /// Writes all that is ready.
    pub(super) fn poll_write(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.is_any_left() {
            let first = self.first.get(self.gone..).unwrap_or_default();
            let slices = [first, &self.long, self.last].map(IoSlice::new);
            let slices = if self.long.is_empty() && self.last.is_empty() {
                slices.get(..1).unwrap_or_default()
            } else {
                &slices
            };
            match ready!(wire.poll_write(slices, cx))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a piece of the body. More than was told of is not sent.
    fn add(&mut self, mut data: Bytes, framed: &mut Framed) {
        if let Framed::Length(left) = framed {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= u64::try_from(data.len()).unwrap_or(*left);
        }
        if data.is_empty() {
            return;
        }
        let is_chunked = *framed == Framed::Chunks;
        if is_chunked {
            // Memory takes everything.
            let _ = write!(self.first, "{:x}\r\n", data.len());
        }
        let end: &'static [u8] = if is_chunked { b"\r\n" } else { b"" };
        if data.len() <= SHORT {
            self.first.extend_from_slice(&data);
            self.first.extend_from_slice(end);
        } else {
            (self.long, self.last) = (data, end);
        }
    }

    fn end(&mut self, framed: Framed) -> Ready {
        match framed {
            Framed::Length(0) | Framed::Close => Ready::All,
            Framed::Length(_) => Ready::Broken,
            Framed::Chunks => {
                if self.long.is_empty() {
                    self.first.extend_from_slice(b"0\r\n\r\n");
                } else {
                    self.last = b"\r\n0\r\n\r\n";
                }
                Ready::All
            }
        }
    }

    fn advance(&mut self, mut count: usize) {
        let first = count.min(self.first.len() - self.gone);
        self.gone += first;
        count -= first;
        let long = count.min(self.long.len());
        self.long.advance(long);
        self.last = self.last.get(count - long..).unwrap_or_default();
        if !self.is_any_left() {
            self.first.clear();
            self.gone = 0;
        }
    }

    fn is_any_left(&self) -> bool {
        self.gone < self.first.len() || !self.long.is_empty() || !self.last.is_empty()
    }

    fn is_full(&self) -> bool {
        !self.long.is_empty() || self.first.len() >= FULL
    }
}
