//! The bytes of one connection, watched: what comes is kept until it is taken, and what does not go out is noticed.
//! Knows no HTTP.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout};

use super::pulse::Pulse;
use super::transport::Transport;

/// How long a client that still sends may fall silent until nothing more of it is expected.
const SILENCE: Duration = Duration::from_secs(5);
/// How much is read away at once, in bytes.
const SIP: usize = 16 * 1024;

/// A watched stream.
#[derive(Debug)]
pub(super) struct Wire {
    transport: Transport,
    /// What was read and nobody has taken yet.
    pub(super) buffer: BytesMut,
    pub(super) pulse: Pulse,
    is_at_end: bool,
}

impl Wire {
    /// Watches `transport`.
    pub(super) fn new(transport: Transport, now: Instant) -> Self {
        Self {
            transport,
            buffer: BytesMut::new(),
            pulse: Pulse::new(now),
            is_at_end: false,
        }
    }

    /// Reads more into the buffer, which is given room for `most` bytes unless half of that is there; 0 at the end.
    pub(super) fn poll_fill(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < most / 2 {
            self.buffer.reserve(most);
        }
        let read = ready!(pin!(self.transport.read_buf(&mut self.buffer)).poll(cx));
        self.is_at_end = !matches!(read, Ok(1..));
        Poll::Ready(read)
    }

    /// Reads into `buf` what is in the buffer, else what comes.
    pub(super) fn poll_read(
        &mut self,
        buf: &mut ReadBuf<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.buffer.is_empty() {
            let before = buf.filled().len();
            let read = ready!(Pin::new(&mut self.transport).poll_read(cx, buf));
            self.is_at_end = read.is_err() || buf.filled().len() == before;
            return Poll::Ready(read);
        }
        let length = buf.remaining().min(self.buffer.len());
        buf.put_slice(&self.buffer.split_to(length));
        Poll::Ready(Ok(()))
    }

    /// Waits until there is something to read, if only the end. What came is not taken from the system.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // What is wrong with it shows when it is read.
        self.transport.poll_readable(cx).map(drop)
    }

    /// Writes some of `pieces`.
    pub(super) fn poll_write(
        &mut self,
        pieces: &[IoSlice<'_>],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, pieces);
        self.note(written.is_ready());
        written
    }

    /// Waits until all that was written is in the hands of the system: TLS takes more than the client does, and keeps it.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        self.note(flushed.is_ready());
        flushed
    }

    /// Ends what is said, once all that was written is out.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }

    /// Whether TLS agreed with the client on HTTP/2.
    pub(super) fn agreed_on_http2(&self) -> bool {
        self.transport.agreed_on() == Some(b"h2")
    }

    /// Gives back the memory for what is read, while nothing is there.
    pub(super) fn let_go(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Says one last thing.
    pub(super) async fn say(&mut self, last_words: &[u8]) -> io::Result<()> {
        self.transport.write_all(last_words).await?;
        self.transport.flush().await
    }

    /// Ends what is said.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.transport.shutdown().await
    }

    /// Ends the connection so that the client gets its last answer: closing with bytes unread would reset it.
    pub(super) async fn linger(&mut self) -> io::Result<()> {
        if self.is_at_end {
            return Ok(());
        }
        self.transport.shutdown().await?;
        let mut sip = vec![0; SIP];
        while timeout(SILENCE, self.transport.read(&mut sip)).await?? > 0 {}
        Ok(())
    }

    fn note(&mut self, went: bool) {
        if went {
            self.pulse.went();
        } else {
            self.pulse.blocked(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::Duration;

    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use socket2::SockRef;
    use tokio::net::UnixStream;
    use tokio::time::{advance, pause};
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
        let mut wire = Wire::new(transport, Instant::now());
        wire.pulse.asked();
        let mut cx = Context::from_waker(Waker::noop());
        let data = vec![0; 32 * 1024];
        let written = wire.poll_write(&[IoSlice::new(&data)], &mut cx);
        assert!(matches!(written, Poll::Ready(Ok(1..))), "{written:?}");
        assert!(wire.poll_flush(&mut cx).is_pending());
        let limits = ConnectionLimits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            rest: Duration::from_secs(1),
            max_header_bytes: 0,
        };
        advance(limits.idle_timeout).await;
        assert_eq!(
            wire.pulse.due(&limits, Instant::now()).ok(),
            Some(Cut::Blocked)
        );
    }
}
