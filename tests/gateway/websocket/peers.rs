//! Real peers on both sides, over every kind of connection that they may have.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::http::Request;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use super::config;
use crate::harness::{Backend, Farewell, LONGEST, Scratch, Secured, World};

/// A server that sends every message back, and asks now and then whether its client is there.
fn server() -> Backend {
    Backend::that(|conversation| {
        let mut socket = tungstenite::accept(conversation.raw()).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_text() || message.is_binary() {
                socket.send(Message::Ping("there?".into())).unwrap();
                socket.send(message).unwrap();
            }
        }
    })
}

fn client<S: Read + Write>(stream: S, skey: &str) -> WebSocket<S> {
    let request = Request::get("ws://api.example.com/ws/room")
        .header("Host", "api.example.com")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header(
            "Sec-WebSocket-Key",
            tungstenite::handshake::client::generate_key(),
        )
        .header("X-Skey", skey);
    let (socket, answer) = tungstenite::client(request.body(()).unwrap(), stream).unwrap();
    assert_eq!(answer.status(), 101);
    socket
}

/// The next message that is none of those that only ask whether one is there.
fn next<S: Read + Write>(socket: &mut WebSocket<S>) -> Message {
    loop {
        let message = socket.read().unwrap();
        if !message.is_ping() {
            return message;
        }
    }
}

/// Talks for a while, and parts as both should.
fn talk<S: Read + Write>(mut socket: WebSocket<S>) {
    let huge: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let messages = [
        Message::text("你好"),
        Message::text(""),
        Message::binary(huge),
        Message::binary(vec![7; 70_000]),
    ];
    for message in messages {
        socket.send(message.clone()).unwrap();
        assert!(next(&mut socket) == message, "a message came changed");
    }
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "done".into(),
    };
    socket.close(Some(frame.clone())).unwrap();
    assert_eq!(next(&mut socket), Message::Close(Some(frame)));
    let closed = socket.read().unwrap_err();
    assert!(
        matches!(closed, tungstenite::Error::ConnectionClosed),
        "{closed}"
    );
}

fn tcp(world: &World) -> TcpStream {
    let stream = TcpStream::connect(world.address()).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream
}

#[test]
fn real_peers_understand_each_other() {
    let world = World::around(&config("", ""), server());
    let skey = world.skey_of("alice");
    talk(client(tcp(&world), &skey));
    talk(client(tcp(&world), &skey));
}

#[test]
fn a_page_may_come_under_tls() {
    let directory = Scratch::new();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    directory.write("tls.crt", &certificate.pem());
    directory.write("tls.key", &key.serialize_pem());
    let path = directory.path().display();
    let tls = format!("tls = {{ cert = \"{path}/tls.crt\", key = \"{path}/tls.key\" }}");
    // Logins come in the clear here, over another listener: it is not they that are tried.
    let world = World::around(&config(&tls, ""), server());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client_config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client_config = Arc::new(client_config);
    let connect = || {
        let name = ServerName::try_from("api.example.com").unwrap();
        let session = ClientConnection::new(Arc::clone(&client_config), name).unwrap();
        StreamOwned::new(session, tcp(&world))
    };
    let mut login = connect();
    let code = world.wechat.issue_code("alice");
    write!(
        login,
        "GET /wx/login?code={code} HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    login.read_to_string(&mut answer).unwrap();
    let (_, rest) = answer.split_once("\"skey\":\"").expect(&answer);
    talk(client(connect(), &rest[..43]));
}

#[test]
fn a_proxy_may_come_over_a_unix_socket() {
    let directory = Scratch::new();
    let path = directory.path().join("gateway.sock");
    let both = format!("listen = [\"127.0.0.1:0\", \"unix:{}\"]", path.display());
    let config = config("", "").replacen("listen = \"127.0.0.1:0\"", &both, 1);
    let world = World::around(&config, server());
    let skey = world.skey_of("alice");
    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    talk(client(stream, &skey));
}

#[test]
fn a_backend_may_be_asked_under_tls() {
    let backend = server();
    let secured = Secured::before(backend.address(), &["localhost"], Farewell::Proper);
    let directory = Scratch::new();
    directory.write("ca.pem", &secured.pem);
    let ca = directory.path().join("ca.pem").display().to_string();
    let server = format!("\"https://localhost:{}\"", secured.port());
    let tls = format!("tls = {{ ca = \"{ca}\" }}");
    let config = config("", &tls).replace("\"BACKEND\"", &server);
    let world = World::around(&config, backend);
    let skey = world.skey_of("alice");
    talk(client(tcp(&world), &skey));
    drop(world);
    drop(secured);
}
