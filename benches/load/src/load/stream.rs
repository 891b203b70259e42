//! A socket to the proxy, plain or under TLS. Knows nothing of HTTP.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustix::net::{RecvFlags, recv};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::poller::Poller;

/// The name that certificates of a measurement have.
pub const SERVER_NAME: &str = "localhost";

/// TLS for clients that trust the one certificate in `file`.
///
/// # Errors
///
/// There is none.
pub fn trust(file: &Path) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

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
