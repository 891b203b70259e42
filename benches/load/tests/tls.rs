//! The generator under TLS, before a server that answers with 1,000 bytes and counts its connections.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wxgate_load::load::{self, Offer, Pace, Plan, Protocol, Report, Requests, SERVER_NAME, Target};

const ANSWER: [u8; 1000] = [b'x'; 1000];
const ANSWERS: u64 = 200;
const CONNECTIONS: usize = 4;

const STREAMS: usize = 3;
const HTTP_2: Protocol = Protocol::Http2 { streams: STREAMS };

#[test]
fn over_http2_connections_have_as_many_requests_at_a_time_as_asked_for_and_are_kept() {
    for pace in [Pace::Closed, Pace::Open(Duration::from_micros(200))] {
        let server = Server::start(&[b"h2"]);
        let offer = Offer {
            is_http2: true,
            resumes: false,
        };
        let report = server.ask(HTTP_2, offer, false, pace).unwrap();
        let terms = "TLS13_AES_128_GCM_SHA256, X25519, full handshake, h2";
        check(&report, terms);
        assert_eq!(report.reopened, 0, "{report:?}");
        assert_eq!(server.connections(), CONNECTIONS);
    }
}

#[test]
fn over_http2_answers_that_are_larger_than_a_window_arrive_whole() {
    let server = Server::start(&[b"h2"]);
    let offer = Offer {
        is_http2: true,
        resumes: false,
    };
    let plan = Plan {
        most: 12,
        ..server.plan(HTTP_2, offer, false, Pace::Closed).unwrap()
    };
    let report = ask_for("/bytes/3000000", &plan).unwrap();
    assert_eq!(
        (report.failed(), report.body_bytes),
        (0, report.answers * 3_000_000)
    );
    assert!(report.answers >= 12, "{report:?}");
}

#[test]
fn each_request_has_a_connection_of_its_own_where_that_is_asked_for() {
    for pace in [Pace::Closed, Pace::Open(Duration::from_micros(500))] {
        let server = Server::start(&[b"h2", b"http/1.1"]);
        let offer = Offer::default();
        let report = server.ask(Protocol::Http1, offer, true, pace).unwrap();
        check(
            &report,
            "TLS13_AES_128_GCM_SHA256, X25519, full handshake, http/1.1",
        );
        let connections = u64::try_from(server.connections()).unwrap();
        let answers = report.answers;
        assert!(
            (answers..=answers + 4).contains(&connections),
            "{connections}, {report:?}"
        );
    }
}

#[test]
fn each_connection_but_the_first_ones_resumes_a_session_where_that_is_asked_for() {
    for pace in [Pace::Closed, Pace::Open(Duration::from_micros(500))] {
        let server = Server::start(&[b"http/1.1"]);
        let offer = Offer {
            is_http2: false,
            resumes: true,
        };
        let report = server.ask(Protocol::Http1, offer, true, pace).unwrap();
        assert_eq!(report.failed(), 0, "{report:?}");
        let count = |kind: &str| {
            let terms = format!("TLS13_AES_128_GCM_SHA256, X25519, {kind} handshake, http/1.1");
            report.terms.get(&terms).copied().unwrap_or_default()
        };
        let (full, resumed) = (count("full"), count("resumed"));
        assert!((1..=4).contains(&full), "{report:?}");
        assert_eq!(full + resumed, report.answers, "{report:?}");
    }
}

#[test]
fn a_server_without_http2_is_not_asked_in_it() {
    let server = Server::start(&[b"http/1.1"]);
    let offer = Offer {
        is_http2: true,
        resumes: false,
    };
    let error = server.ask(HTTP_2, offer, false, Pace::Closed).unwrap_err();
    assert_eq!(
        error.to_string(),
        "received fatal alert: NoApplicationProtocol"
    );
}

#[test]
fn a_server_with_another_certificate_is_not_asked() {
    let (server, other) = (Server::start(&[b"h2"]), Server::start(&[b"h2"]));
    fs::copy(
        other.directory.path().join("cert.pem"),
        server.directory.path().join("cert.pem"),
    )
    .unwrap();
    let offer = Offer {
        is_http2: true,
        resumes: false,
    };
    let error = server.ask(HTTP_2, offer, false, Pace::Closed).unwrap_err();
    assert_eq!(error.to_string(), "invalid peer certificate: UnknownIssuer");
}

fn check(report: &Report, terms: &str) {
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.answers >= ANSWERS, "{report:?}");
    assert_eq!(report.body_bytes, report.answers * 1000);
    let terms = [(terms.to_owned(), report.answers)];
    assert_eq!(report.terms, terms.into());
}

/// A server under TLS.
struct Server {
    address: SocketAddr,
    directory: TempDir,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts one that speaks what is offered, in the words of ALPN.
    fn start(protocols: &[&[u8]]) -> Self {
        let directory = TempDir::new().unwrap();
        let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()]).unwrap();
        fs::write(directory.path().join("cert.pem"), made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        config.ticketer = ring::Ticketer::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            directory,
            connections: Arc::default(),
        };
        let connections = Arc::clone(&server.connections);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        thread::spawn(move || serve(listener, &acceptor, &connections));
        server
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn ask(
        &self,
        protocol: Protocol,
        offer: Offer,
        anew: bool,
        pace: Pace,
    ) -> std::io::Result<Report> {
        let plan = self.plan(protocol, offer, anew, pace)?;
        ask_for("/bytes/1000", &plan)
    }

    fn plan(
        &self,
        protocol: Protocol,
        offer: Offer,
        anew: bool,
        pace: Pace,
    ) -> std::io::Result<Plan> {
        Ok(Plan {
            target: self.address,
            tls: Some(load::trust(&self.directory.path().join("cert.pem"), offer)?),
            protocol,
            connections: CONNECTIONS,
            anew,
            pace,
            warm_up: Duration::ZERO,
            window: Duration::from_secs(30),
            most: ANSWERS,
        })
    }
}

fn ask_for(path: &str, plan: &Plan) -> std::io::Result<Report> {
    let requests = Requests::new(&[Target::path(path)], 0, "X-Skey: {}", &["a".to_owned()]);
    load::run(plan, requests, || Ok(()))
}

fn serve(listener: TcpListener, acceptor: &TlsAcceptor, connections: &AtomicUsize) {
    listener.set_nonblocking(true).unwrap();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let accept = async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            connections.fetch_add(1, Ordering::Relaxed);
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                // A client that goes away is what some of these tests are about.
                let Ok(stream) = acceptor.accept(socket).await else {
                    return;
                };
                if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    http2(stream).await;
                } else {
                    http1(stream).await;
                }
            });
        }
    };
    LocalSet::new().block_on(&runtime, accept);
}

/// Answers once as many requests wait as a connection is to have at a time.
async fn http2(stream: TlsStream<TcpStream>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let mut waiting = Vec::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let length = request.uri().path().rsplit('/').next().unwrap();
        waiting.push((length.parse().unwrap(), respond));
        if waiting.len() < STREAMS {
            continue;
        }
        for (length, mut respond) in waiting.drain(..) {
            let mut body = respond
                .send_response(http::Response::new(()), false)
                .unwrap();
            body.send_data(Bytes::from(vec![b'x'; length]), true)
                .unwrap();
        }
    }
}

async fn http1(mut stream: TlsStream<TcpStream>) {
    let mut head = Vec::new();
    while stream
        .read_buf(&mut head)
        .await
        .is_ok_and(|count| count > 0)
    {
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".to_vec();
            answer.extend_from_slice(&ANSWER);
            let _ = stream.write_all(&answer).await;
            let _ = stream.flush().await;
        }
    }
}
