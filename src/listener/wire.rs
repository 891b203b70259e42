//! The bytes of one connection, watched: it keeps the pulse, and puts the gateway's own refusal in the place of the
//! bare one that the HTTP library writes when it cannot read a request. Knows nothing of what a request means.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::Unread;
use super::pulse::Pulse;
use super::transport::Transport;

/// How long a client that still sends may fall silent until nothing more of it is expected.
const SILENCE: Duration = Duration::from_secs(5);
/// How much is read away at once, in bytes.
const SIP: usize = 16 * 1024;

/// A watched stream.
pub(super) struct Wire<R> {
    transport: Transport,
    /// What was read and is to be read once more.
    unread: Bytes,
    pulse: Rc<Pulse>,
    refuse: R,
    /// What goes out in the place of a bare refusal.
    refusal: Bytes,
    is_refused: bool,
    is_at_end: bool,
}

impl<R: Fn(Unread) -> Bytes + Unpin> Wire<R> {
    /// Watches `transport`; `refuse` makes the answer to what never became a request.
    pub(super) fn new(transport: Transport, pulse: Rc<Pulse>, refuse: R) -> Self {
        let refusal = Bytes::new();
        Self {
            transport,
            unread: Bytes::new(),
            pulse,
            refuse,
            refusal,
            is_refused: false,
            is_at_end: false,
        }
    }

    /// Says one last thing, unless it was said in the library's place already.
    pub(super) async fn refuse(&mut self, unread: Unread) -> io::Result<()> {
        if self.is_refused {
            return Ok(());
        }
        let refusal = (self.refuse)(unread);
        self.transport.write_all(&refusal).await?;
        self.transport.flush().await
    }

    /// Ends the connection so that the client gets its last answer: closing with bytes unread would reset it.
    pub(super) async fn linger(mut self) -> io::Result<()> {
        if self.is_at_end {
            return Ok(());
        }
        self.transport.shutdown().await?;
        let mut sip = vec![0; SIP];
        while timeout(SILENCE, self.transport.read(&mut sip)).await?? > 0 {}
        Ok(())
    }

    /// Takes back what was read, to be read once more.
    pub(super) fn put_back(&mut self, unread: Bytes) {
        self.unread = unread;
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) {
        if self.unread.is_empty() {
            // What is wrong with it shows when it is read.
            let _ = self.transport.readable().await;
        }
    }

    /// Takes the library's bare refusal off it, once for a connection.
    fn swallow(&mut self, bare: &[u8]) -> usize {
        if !self.is_refused {
            self.is_refused = true;
            self.refusal = (self.refuse)(unread_by_status(bare));
        }
        bare.len()
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.refusal.has_remaining() {
            let n = ready!(Pin::new(&mut self.transport).poll_write(cx, &self.refusal))?;
            self.refusal.advance(n);
        }
        Poll::Ready(Ok(()))
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        self.pulse.sent(written.is_ready());
    }
}

fn unread_by_status(bare: &[u8]) -> Unread {
    match bare.get(9..12) {
        Some(b"431") => Unread::HeadersTooLarge,
        Some(b"414") => Unread::UriTooLong,
        _ => Unread::Malformed,
    }
}

impl<R: Fn(Unread) -> Bytes + Unpin> AsyncRead for Wire<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.unread.has_remaining() {
            let length = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(length));
        } else {
            ready!(Pin::new(&mut self.transport).poll_read(cx, buf))?;
        }
        if buf.filled().len() > before {
            self.pulse.received();
        } else {
            self.is_at_end = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<R: Fn(Unread) -> Bytes + Unpin> AsyncWrite for Wire<R> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.pulse.is_between_requests() {
            return Poll::Ready(Ok(self.swallow(buf)));
        }
        let written = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pulse.is_between_requests() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| self.swallow(buf)).sum()));
        }
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        if flushed.is_pending() {
            // TLS takes more than the client does, and keeps it.
            self.pulse.sent(false);
        }
        ready!(flushed)?;
        self.pulse.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use socket2::SockRef;
    use tokio::net::UnixStream;
    use tokio::time::{Instant, advance, pause};
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;
    use crate::listener::ConnectionLimits;
    use crate::listener::pulse::Cut;

    /// Both ends of a connection under TLS that holds little that was not read.
    async fn secured() -> (Transport, TlsStream<UnixStream>) {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["a.cn".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (ours, theirs) = UnixStream::pair().unwrap();
        SockRef::from(&ours).set_send_buffer_size(1).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let connector = TlsConnector::from(Arc::new(client));
        let name = ServerName::try_from("a.cn").unwrap();
        let accepting = Transport::Unix(ours).secure(Some(&acceptor));
        let (ours, theirs) = tokio::join!(accepting, connector.connect(name, theirs));
        (ours.unwrap(), theirs.unwrap())
    }

    #[tokio::test]
    async fn a_client_that_leaves_its_answer_in_the_hands_of_tls_takes_nothing() {
        let (transport, _client) = secured().await;
        pause();
        let pulse = Rc::new(Pulse::new(Instant::now()));
        let mut wire = Wire::new(transport, Rc::clone(&pulse), |_| Bytes::new());
        pulse.asked(true);
        wire.write_all(&vec![0; 32 * 1024]).await.unwrap();
        pulse.answered();
        let is_out = poll_fn(|cx| Poll::Ready(Pin::new(&mut wire).poll_flush(cx).is_ready()));
        assert!(!is_out.await);
        let limits = ConnectionLimits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            rest: Duration::from_secs(1),
            max_header_bytes: 0,
        };
        advance(limits.idle_timeout).await;
        assert_eq!(pulse.due(&limits, Instant::now()).ok(), Some(Cut::Blocked));
    }
}
