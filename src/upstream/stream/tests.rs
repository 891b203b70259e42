//! What TLS keeps to itself, on the way out and on the way in.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as Socket};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;

type Server = StreamOwned<ServerConnection, Socket>;

/// A stream to a server that does as `talk` says on a thread of its own.
async fn connected<T: Send + 'static>(
    talk: impl FnOnce(Server) -> T + Send + 'static,
) -> (Stream, JoinHandle<T>) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = || Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(session, listener.accept().unwrap().0);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        talk(stream)
    });
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = BackendTls {
        config: Arc::new(config),
        server_name: None,
    };
    let stream = TcpStream::connect(authority).await.unwrap();
    let securing = Stream::secure(stream, "127.0.0.1", Some(&tls));
    let stream = securing.await.unwrap();
    (stream, server)
}

#[tokio::test]
async fn what_the_system_did_not_take_goes_out_when_the_stream_is_flushed() {
    let (go_on, may_read) = std::sync::mpsc::channel::<usize>();
    let (mut stream, server) = connected(move |mut stream| {
        let mut bytes = vec![0; may_read.recv().unwrap()];
        stream.read_exact(&mut bytes).unwrap();
        bytes.iter().all(|byte| *byte == 7)
    })
    .await;
    let piece = [7; 1000];
    let mut taken = 0;
    poll_fn(|cx| {
        while let Poll::Ready(count) = stream.poll_write(&[IoSlice::new(&piece)], cx) {
            taken += count.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    assert!(!stream.is_flushed());
    go_on.send(taken).unwrap();
    poll_fn(|cx| stream.poll_flush(cx)).await.unwrap();
    assert!(stream.is_flushed());
    assert!(server.join().unwrap());
}

#[tokio::test]
async fn a_server_is_not_quiet_while_anything_that_it_said_is_unread() {
    let (mut stream, server) = connected(|mut stream| {
        stream.write_all(&[7; 10_000]).unwrap();
        stream
    })
    .await;
    let mut server = server.join().unwrap();
    let mut read = BytesMut::with_capacity(8192);
    let room = read.capacity();
    while read.len() < room {
        let before = read.len();
        assert!(!stream.is_quiet(), "after {before} bytes");
        poll_fn(|cx| stream.poll_fill(&mut read, cx)).await.unwrap();
    }
    // The rest is with TLS, and no longer with the system.
    assert!(!stream.is_quiet() && !stream.is_certainly_quiet());
    let mut rest = BytesMut::with_capacity(8192);
    while read.len() + rest.len() < 10_000 {
        poll_fn(|cx| stream.poll_fill(&mut rest, cx)).await.unwrap();
    }
    assert!(stream.is_quiet() && stream.is_certainly_quiet());
    server.conn.send_close_notify();
    server.conn.complete_io(&mut server.sock).unwrap();
    assert!(!stream.is_certainly_quiet());
}
