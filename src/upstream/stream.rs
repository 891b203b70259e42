//! The bytes to and from a server, in clear or under TLS. Knows no connections and no HTTP.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::plan::BackendTls;

/// A stream of bytes to and from a server.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The same stream under TLS, if that is wanted: the server at `host` must be the one that `tls` says.
    pub(super) async fn secure(
        stream: TcpStream,
        host: &str,
        tls: Option<&BackendTls>,
    ) -> io::Result<Self> {
        let Some(tls) = tls else {
            return Ok(Self::Tcp(stream));
        };
        let name = match &tls.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        let connector = TlsConnector::from(tls.config.clone());
        let stream = connector.connect(name, stream).await?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Reads more into `buffer`, as far as it has room; 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        buffer: &mut BytesMut,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Self::Unix(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Self::Tls(stream) => pin!(stream.read_buf(buffer)).poll(cx),
        }
    }

    /// Writes some of `pieces`. Under TLS they may be kept back until the stream is flushed.
    pub(super) fn poll_write(
        &mut self,
        pieces: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match (self, pieces) {
            // The system takes one piece for less than a list of one.
            (Self::Tcp(stream), [piece]) => Pin::new(stream).poll_write(cx, piece),
            (Self::Tcp(stream), pieces) => Pin::new(stream).poll_write_vectored(cx, pieces),
            (Self::Unix(stream), pieces) => Pin::new(stream).poll_write_vectored(cx, pieces),
            (Self::Tls(stream), pieces) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    /// Writes what was kept back.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether nothing is kept back.
    pub(super) fn is_flushed(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => true,
            Self::Tls(stream) => !stream.get_ref().1.wants_write(),
        }
    }

    /// Whether a write that failed has sent nothing. Under TLS some of it may be out.
    pub(super) fn fails_whole(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => true,
            Self::Tls(_) => false,
        }
    }

    /// Whether the server has said nothing, not even that it is gone, as far as the runtime has heard: without a system
    /// call where it has heard nothing, but for TLS.
    pub(super) fn is_quiet(&mut self) -> bool {
        match self {
            Self::Tcp(stream) => is_silence(stream.try_read(&mut [0])),
            Self::Unix(stream) => is_silence(stream.try_read(&mut [0])),
            Self::Tls(_) => self.is_certainly_quiet(),
        }
    }

    /// The same, asked of the system: a server may have spoken since the runtime last listened.
    pub(super) fn is_certainly_quiet(&mut self) -> bool {
        let socket = match self {
            Self::Tcp(stream) => SockRef::from(&*stream),
            Self::Unix(stream) => SockRef::from(&*stream),
            Self::Tls(stream) => {
                let (stream, session) = stream.get_mut();
                // What was read with an answer, and is none of it.
                let is_empty = session.process_new_packets().is_ok_and(|state| {
                    state.plaintext_bytes_to_read() == 0 && !state.peer_has_closed()
                });
                if !is_empty {
                    return false;
                }
                SockRef::from(&*stream)
            }
        };
        is_silence(socket.peek(&mut [MaybeUninit::uninit()]))
    }

    /// The socket below.
    #[cfg(test)]
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Unix(_) => panic!("it is no TCP"),
        }
    }
}

fn is_silence(read: io::Result<usize>) -> bool {
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests;
