//! A byte stream from a client: TCP, a unix socket, or TLS over one of them. Knows no HTTP.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection that was just accepted.
pub(super) struct Accepted {
    pub(super) transport: Transport,
    pub(super) address: Option<IpAddr>,
}

/// A stream of bytes to and from a client.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<Transport>>),
}

impl Transport {
    /// The same stream under TLS, if there is an acceptor.
    pub(super) async fn secure(self, acceptor: Option<&TlsAcceptor>) -> io::Result<Self> {
        match acceptor {
            // On the heap, for a connection in clear does not keep room for a handshake.
            Some(acceptor) => {
                let accepted = Box::pin(acceptor.accept(self)).await?;
                Ok(Self::Tls(Box::new(accepted)))
            }
            None => Ok(self),
        }
    }

    /// The protocol on which TLS agreed with the client, if it did.
    pub(super) fn agreed_on(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }

    /// Waits until the system has something to read.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bottom = self;
        while let Self::Tls(stream) = bottom {
            bottom = stream.get_ref().0;
        }
        match bottom {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(_) => Poll::Ready(Ok(())),
        }
    }

    /// Says one last thing, as far as that is possible without waiting.
    pub(super) fn dismiss(self, last_words: &[u8]) {
        // Whoever cannot be told is cut off all the same.
        let _ = match &self {
            Self::Tcp(stream) => stream.try_write(last_words),
            Self::Unix(stream) => stream.try_write(last_words),
            Self::Tls(_) => Ok(0),
        };
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! delegate {
    ($transport:expr, $stream:ident => $call:expr) => {
        match $transport.get_mut() {
            Transport::Tcp($stream) => $call,
            Transport::Unix($stream) => $call,
            Transport::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // The system takes one piece for less than a list of one.
            [buf] => self.poll_write(cx, buf),
            bufs => delegate!(self, stream => Pin::new(stream).poll_write_vectored(cx, bufs)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
