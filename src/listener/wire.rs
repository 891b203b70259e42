//! The bytes of one connection, watched: it keeps the pulse, and puts the gateway's own refusal in the place of the
//! bare one that the HTTP library writes when it cannot read a request. Knows nothing of what a request means.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Unread;
use super::pulse::Pulse;
use super::transport::Transport;

/// How long a client that still sends may fall silent until nothing more of it is expected.
const SILENCE: Duration = Duration::from_secs(5);
/// How much is read away at once, in bytes.
const SIP: usize = 16 * 1024;

/// A watched stream.
pub(super) struct Wire<R> {
    transport: Transport,
    pulse: Rc<Pulse>,
    refuse: R,
    /// What goes out in the place of a bare refusal.
    refusal: Bytes,
    is_refused: bool,
    is_at_end: bool,
}

impl<R: Fn(Unread) -> Bytes + Unpin> Wire<R> {
    /// Watches `transport`; `refuse` makes the answer to what never became a request.
    pub(super) fn new(transport: Transport, pulse: Rc<Pulse>, refuse: R) -> Self {
        let refusal = Bytes::new();
        Self {
            transport,
            pulse,
            refuse,
            refusal,
            is_refused: false,
            is_at_end: false,
        }
    }

    /// Says one last thing, unless it was said in the library's place already.
    pub(super) async fn refuse(&mut self, unread: Unread) -> io::Result<()> {
        if self.is_refused {
            return Ok(());
        }
        let refusal = (self.refuse)(unread);
        self.transport.write_all(&refusal).await?;
        self.transport.flush().await
    }

    /// Ends the connection so that the client gets its last answer: closing with bytes unread would reset it.
    pub(super) async fn linger(mut self) -> io::Result<()> {
        if self.is_at_end {
            return Ok(());
        }
        self.transport.shutdown().await?;
        let mut sip = vec![0; SIP];
        while timeout(SILENCE, self.transport.read(&mut sip)).await?? > 0 {}
        Ok(())
    }

    /// Takes the library's bare refusal off it, once for a connection.
    fn swallow(&mut self, bare: &[u8]) -> usize {
        if !self.is_refused {
            self.is_refused = true;
            self.refusal = (self.refuse)(unread_by_status(bare));
        }
        bare.len()
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.refusal.has_remaining() {
            let n = ready!(Pin::new(&mut self.transport).poll_write(cx, &self.refusal))?;
            self.refusal.advance(n);
        }
        Poll::Ready(Ok(()))
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        self.pulse.sent(written.is_ready());
    }
}

fn unread_by_status(bare: &[u8]) -> Unread {
    match bare.get(9..12) {
        Some(b"431") => Unread::HeadersTooLarge,
        Some(b"414") => Unread::UriTooLong,
        _ => Unread::Malformed,
    }
}

impl<R: Fn(Unread) -> Bytes + Unpin> AsyncRead for Wire<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.pulse.received();
        } else {
            self.is_at_end = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: Fn(Unread) -> Bytes + Unpin> AsyncWrite for Wire<R> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.pulse.is_between_requests() {
            return Poll::Ready(Ok(self.swallow(buf)));
        }
        let written = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pulse.is_between_requests() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| self.swallow(buf)).sum()));
        }
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        ready!(Pin::new(&mut self.transport).poll_flush(cx))?;
        self.pulse.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
