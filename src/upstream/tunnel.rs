//! A connection to a server that has become a WebSocket: bytes, both ways. Knows nothing of what they say.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pool::Lease;

/// A server's end of a WebSocket. It is never given back: with it the connection ends.
#[derive(Debug)]
pub struct Tunnel(Lease);

impl Tunnel {
    pub(super) fn new(lease: Lease) -> Self {
        Self(lease)
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = &mut self.0.connection;
        if connection.buffer.is_empty() {
            return connection.poll_read(buf, cx);
        }
        let length = buf.remaining().min(connection.buffer.len());
        buf.put_slice(connection.buffer.get(..length).unwrap_or_default());
        connection.buffer.advance(length);
        if connection.buffer.is_empty() {
            connection.let_go();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.connection.poll_write(&[IoSlice::new(bytes)], cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.connection.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.connection.poll_shutdown(cx)
    }
}
