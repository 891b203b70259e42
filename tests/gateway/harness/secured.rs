//! A server that speaks TLS, and passes all that is said within it on to a backend that does not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A running server.
pub struct Secured {
    address: SocketAddr,
    /// Its certificate, which is its own authority.
    pub pem: String,
    met: Arc<Mutex<Vec<Met>>>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// What a client said before anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Whom it asked for.
    pub server_name: Option<String>,
    /// What was agreed on to speak.
    pub protocol: Option<Vec<u8>>,
}

/// How a server ends what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// As TLS has it.
    Proper,
    /// By going away.
    None,
}

impl Secured {
    /// Before the backend at an address, with a certificate for these names.
    pub fn before(backend: SocketAddr, names: &[&str], farewell: Farewell) -> Self {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let met = Arc::new(Mutex::new(Vec::new()));
        let (acceptor, noted) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&met));
        let serving = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, acceptor, backend, noted, farewell) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            pem: certificate.pem(),
            met,
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Who came, one by one.
    pub fn met(&self) -> Vec<Met> {
        self.met.lock().unwrap().clone()
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    backend: SocketAddr,
    met: Arc<Mutex<Vec<Met>>>,
    farewell: Farewell,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, met) = (acceptor.clone(), Arc::clone(&met));
        tokio::spawn(async move {
            let Ok(client) = acceptor.accept(stream).await else {
                return;
            };
            let session = client.get_ref().1;
            met.lock().unwrap().push(Met {
                server_name: session.server_name().map(str::to_owned),
                protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            });
            let backend = TcpStream::connect(backend).await.unwrap();
            pass_on(client, backend, farewell).await;
        });
    }
}

/// Whatever breaks off, shows at the other end.
async fn pass_on(mut client: TlsStream<TcpStream>, mut backend: TcpStream, farewell: Farewell) {
    match farewell {
        Farewell::Proper => {
            let _ = copy_bidirectional(&mut client, &mut backend).await;
        }
        Farewell::None => {
            let mut asked = vec![0; 64 * 1024];
            let read = client.read(&mut asked).await.unwrap_or_default();
            let _ = backend.write_all(&asked[..read]).await;
            let mut said = Vec::new();
            let _ = backend.read_to_end(&mut said).await;
            let _ = client.write_all(&said).await;
            let _ = client.flush().await;
        }
    }
}
