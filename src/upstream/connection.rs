//! A connection to a server: its bytes, in and out. Knows no HTTP.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::ConnectError;
use super::pool::Meter;
use crate::config::plan::ServerAddress;

/// When the kernel asks a silent server whether it is still there, and how often until it gives it up.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;

/// An open connection, counted while it lasts.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// What was read and nobody has taken yet; without memory of its own while the connection waits.
    pub(super) buffer: BytesMut,
    _open: Open,
}

/// Counts a connection as open while it lasts.
#[derive(Debug)]
struct Open(Meter);

impl Connection {
    /// Connects to `address` within a time.
    ///
    /// # Errors
    ///
    /// The server refuses, is not there, or does not answer in time.
    pub(super) async fn open(
        address: &ServerAddress,
        within: Duration,
        meter: Meter,
    ) -> Result<Self, ConnectError> {
        let connecting = TcpStream::connect((address.host(), address.port()));
        let stream = timeout(within, connecting)
            .await
            .map_err(|_| ConnectError::Timeout(within))??;
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE)
            .with_retries(KEEPALIVE_PROBES);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
            _open: Open::new(meter),
        })
    }

    /// Reads more into the buffer, which is given room for `most` bytes; 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.buffer.reserve(most);
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Writes some of `pieces`.
    pub(super) fn poll_write(
        &mut self,
        pieces: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    /// Whether the server has said nothing, not even that it is gone, as far as the runtime has heard: mostly without a
    /// system call.
    pub(super) fn is_quiet(&self) -> bool {
        let news = self
            .stream
            .poll_read_ready(&mut Context::from_waker(Waker::noop()));
        news.is_pending() || self.is_certainly_quiet()
    }

    /// The same, asked of the system.
    pub(super) fn is_certainly_quiet(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Open {
    fn new(meter: Meter) -> Self {
        meter.metrics.upstream_connection_opened(meter.upstream);
        Self(meter)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Self(Meter { metrics, upstream }) = self;
        metrics.upstream_connection_closed(*upstream);
    }
}
