//! Making a connection to a server. Knows nothing of what is sent over it.

use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::body::SealedBody;
use super::error::ConnectError;
use super::pool::Meter;
use super::stream::Stream;
use crate::config::plan::ServerAddress;

/// When the kernel asks a silent server whether it is still there, and how often until it gives it up.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;

/// Connects to `address` within a time.
///
/// # Errors
///
/// The server refuses, is not there, or does not answer in time.
pub(super) async fn connect(
    address: &ServerAddress,
    within: Duration,
    meter: Meter,
) -> Result<SendRequest<SealedBody>, ConnectError> {
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
    let (sender, connection) = http1::handshake(TokioIo::new(Stream::new(stream)))
        .await
        .map_err(std::io::Error::other)?;
    meter.metrics.upstream_connection_opened(meter.upstream);
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a backend broke");
        }
        meter.metrics.upstream_connection_closed(meter.upstream);
    });
    Ok(sender)
}
