//! A client's connection in the hands of whoever takes it over: bytes, both ways, and the word that the worker stops. Knows
//! nothing of what they say.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stop;
use super::wire::Wire;

/// A client's end of a connection on which HTTP is over. What the client has sent behind its last request is read first.
#[derive(Debug)]
pub struct Line {
    wire: Rc<RefCell<Wire>>,
    stop: Stop,
}

/// What becomes of a connection behind an answer that ends HTTP on it. The connection ends with it, without loss.
pub struct Takeover(Box<Take>);

type Take = dyn FnOnce(Line) -> Pin<Box<dyn Future<Output = ()>>>;

impl Takeover {
    /// Hands the connection to `take`.
    #[must_use]
    pub fn by<F: Future<Output = ()> + 'static>(take: impl FnOnce(Line) -> F + 'static) -> Self {
        Self(Box::new(move |line| Box::pin(take(line))))
    }

    pub(super) async fn take(self, line: Line) {
        let Self(take) = self;
        take(line).await;
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(wire: &Rc<RefCell<Wire>>, stop: &Stop) -> Self {
        Self {
            wire: Rc::clone(wire),
            stop: stop.clone(),
        }
    }

    /// The word that the worker stops.
    #[must_use]
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self.wire.borrow_mut();
        let read = wire.poll_read(buf, cx);
        wire.let_go();
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire.borrow_mut();
        wire.poll_write(&[IoSlice::new(bytes)], cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.borrow_mut().poll_shutdown(cx)
    }
}
