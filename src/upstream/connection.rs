//! A connection to a server: its bytes, in and out. Knows no HTTP.

use std::io::{self, IoSlice};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use super::alarm::Alarm;
use super::error::ConnectError;
use super::pool::Meter;
use super::stream::Stream;
use crate::config::plan::{BackendTls, ServerAddress, Spot};

/// What is read at once where little is expected, in bytes.
pub(super) const SIP: usize = 8 * 1024;
/// When the kernel asks a silent server whether it is still there, and how often until it gives it up.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;
/// When a unix socket that is full is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// An open connection, counted while it lasts.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// What was read and nobody has taken yet.
    pub(super) buffer: BytesMut,
    /// How much room it was given at most, in bytes.
    room: usize,
    /// For whoever waits for the server.
    pub(super) alarm: Alarm,
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
        tls: Option<&BackendTls>,
        within: Duration,
        meter: Meter,
    ) -> Result<Self, ConnectError> {
        let stream = timeout(within, connect(address, tls))
            .await
            .map_err(|_| ConnectError::Timeout(within))??;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
            room: 0,
            alarm: Alarm::default(),
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
        self.room = self.room.max(most);
        self.stream.poll_fill(&mut self.buffer, cx)
    }

    /// Waits for another request. One that comes soon finds its memory here, unless that would be much.
    pub(super) fn rest(&mut self) {
        if self.room > SIP {
            self.let_go();
        }
    }

    /// Gives back the memory for what is read.
    pub(super) fn let_go(&mut self) {
        self.buffer = BytesMut::new();
        self.room = 0;
    }

    /// Writes some of `pieces`.
    pub(super) fn poll_write(
        &mut self,
        pieces: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(pieces, cx)
    }

    /// Writes what TLS keeps back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    /// Whether TLS keeps nothing back.
    pub(super) fn is_flushed(&self) -> bool {
        self.stream.is_flushed()
    }

    /// Whether a write that failed has sent nothing.
    pub(super) fn fails_whole(&self) -> bool {
        self.stream.fails_whole()
    }

    /// Whether the server has said nothing, not even that it is gone, as far as the runtime has heard.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// The same, asked of the system: a server may have spoken since the runtime last listened.
    pub(super) fn is_certainly_quiet(&mut self) -> bool {
        self.stream.is_certainly_quiet()
    }
}

async fn connect(address: &ServerAddress, tls: Option<&BackendTls>) -> io::Result<Stream> {
    let (host, port) = match address.spot() {
        Spot::Tcp { host, port } => (host, port),
        Spot::Unix(path) => return Ok(Stream::Unix(connect_locally(path).await?)),
    };
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Stream::secure(stream, host, tls.filter(|_| address.is_secure())).await
}

/// Connects to a socket of this machine. Where too many wait for its server already, TCP would try again by itself.
async fn connect_locally(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(AGAIN_AFTER).await,
            connected => return connected,
        }
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::peer::Scheme;
    use crate::metrics::{Labels, Metrics};
    use std::io::Write;
    use std::net::{TcpListener, TcpStream as Socket};
    use std::pin::pin;
    use std::task::Waker;

    pub(in crate::upstream) fn meter() -> Meter {
        let metrics = Metrics::new(Labels::default(), 1).workers()[0].clone();
        let upstream = 0;
        Meter { metrics, upstream }
    }

    /// A connection, and its other end.
    pub(in crate::upstream) async fn connected() -> (Connection, Socket) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let address = ServerAddress::new(Scheme::Http, server.parse().unwrap());
        let opening = Connection::open(&address, None, KEEPALIVE, meter());
        let connection = opening.await.unwrap();
        (connection, listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn a_server_that_has_just_said_something_is_not_quiet_though_the_runtime_has_not_heard_it()
     {
        let (mut connection, mut server) = connected().await;
        assert!(connection.is_quiet() && connection.is_certainly_quiet());
        server.write_all(b"x").unwrap();
        assert!(!connection.is_certainly_quiet());
    }

    #[tokio::test]
    async fn a_server_that_has_just_gone_is_not_quiet_though_the_runtime_has_not_heard_it() {
        let (mut connection, server) = connected().await;
        drop(server);
        assert!(!connection.is_certainly_quiet());
    }

    #[tokio::test]
    async fn a_server_that_has_gone_is_not_quiet_for_a_task_that_has_done_much_at_once() {
        let (mut connection, server) = connected().await;
        drop(server);
        connection.stream.socket().readable().await.unwrap();
        while tokio::task::coop::has_budget_remaining() {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = pin!(tokio::task::coop::consume_budget()).poll(&mut cx);
        }
        assert!(!connection.is_quiet());
    }
}
