//! The bytes of a connection as the library reads and writes them, listened to. Knows frames only from outside.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Outline;
use crate::listener::wire::Wire;

/// A stream of bytes that is the library's.
#[derive(Debug)]
pub(super) struct Tap {
    wire: Rc<RefCell<Wire>>,
    outline: Rc<RefCell<Outline>>,
}

impl Tap {
    /// Notes in `outline` what is read of `wire` and written to it.
    pub(super) fn new(wire: &Rc<RefCell<Wire>>, outline: &Rc<RefCell<Outline>>) -> Self {
        Self {
            wire: Rc::clone(wire),
            outline: Rc::clone(outline),
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut outline = self.outline.borrow_mut();
        if outline.is_flood() {
            // Whoever looks at the outline next ends the connection.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(self.wire.borrow_mut().poll_read(buf, cx))?;
        outline.note(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.wire.borrow_mut().poll_write(bufs, cx))?;
        let mut outline = self.outline.borrow_mut();
        let mut left = written;
        for buf in bufs {
            let sent = buf.get(..left).unwrap_or(buf);
            outline.note_sent(sent);
            left -= sent.len();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_shutdown(cx)
    }
}
