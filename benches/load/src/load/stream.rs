//! A socket to the proxy, plain or under TLS. Knows nothing of HTTP.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::tls::{SERVER_NAME, Terms};
use crate::poller::Poller;

/// A handshake that must be done before anything else takes no longer than this.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(10);

/// A non-blocking stream.
pub(super) struct Stream {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// Connects, and has `poller` watch it as `key`.
    pub(super) fn open(
        target: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        poller: &Poller,
        key: usize,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(target)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        poller.add(&socket, key)?;
        let open = |config: &Arc<ClientConfig>| {
            let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)
        };
        let tls = tls.map(open).transpose()?.map(Box::new);
        Ok(Self { socket, tls })
    }

    /// Ends the handshake, and waits for it.
    pub(super) fn shake_hands(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(LONGEST_HANDSHAKE))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        self.socket.set_nonblocking(true)
    }

    /// What it agreed on, if there is TLS and its handshake is done.
    pub(super) fn terms(&self) -> Option<Terms> {
        Terms::of(self.tls.as_ref()?)
    }

    /// Says that nothing more comes, as far as that can be said now.
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // Whoever does not hear it sees the socket close.
            let _ = send(tls, &mut self.socket);
        }
    }

    /// Writes some of `parts`; `WouldBlock` where the socket takes nothing.
    pub(super) fn write(&mut self, parts: [&[u8]; 2]) -> io::Result<usize> {
        let parts = parts.map(IoSlice::new);
        let Some(tls) = &mut self.tls else {
            return self.socket.write_vectored(&parts);
        };
        send(tls, &mut self.socket)?;
        if tls.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = tls.writer().write_vectored(&parts)?;
        match send(tls, &mut self.socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    /// Sends what TLS has made already; `WouldBlock` where the socket takes nothing.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => send(tls, &mut self.socket),
            None => Ok(()),
        }
    }

    /// Reads some bytes, 0 of them at the end; `WouldBlock` where there are none now.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(bytes);
        };
        loop {
            match tls.reader().read(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(&mut self.socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
            send(tls, &mut self.socket)?;
        }
    }

    /// Reads some bytes that nobody wants, if possible without copying them.
    pub(super) fn skip(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        if self.tls.is_some() {
            return self.read(scratch);
        }
        let (_, count) = recv(&self.socket, scratch, RecvFlags::TRUNC)?;
        Ok(count)
    }

    /// Whether a read that did not fill its buffer has left nothing behind.
    pub(super) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }
}

fn send(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

/// What h2 reads and writes by. Nobody is woken: the loop that polls h2 hears of the socket by itself.
impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready(self.read(buffer.initialize_unfilled())).map_ok(|count| buffer.advance(count))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready(self.write([bytes, &[]]))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(self.flush())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.close();
        Poll::Ready(Ok(()))
    }
}

fn ready<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
