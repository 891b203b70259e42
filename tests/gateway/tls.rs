//! TLS: which certificate is shown, how sessions are resumed, and what happens when certificates are renewed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::harness::{Ask, BASE, Line, Multiplexed, Scratch, World};

/// Writes a new certificate for `names` and its key to `NAME.crt` and `NAME.key`.
fn certify(directory: &Scratch, file: &str, names: &[&str]) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key);
    let certificate = certificate.unwrap();
    directory.write(&format!("{file}.crt"), &certificate.pem());
    directory.write(&format!("{file}.key"), &key.serialize_pem());
    certificate.der().clone()
}

fn pair(directory: &Path, file: &str) -> String {
    let file = directory.join(file);
    let file = file.display();
    format!("{{ cert = \"{file}.crt\", key = \"{file}.key\" }}")
}

fn serving(tls: &str) -> World {
    World::of(&BASE.replace("workers = 1", &format!("workers = 1\ntls = {tls}")))
}

/// A client that trusts these, and remembers its sessions.
fn client(
    trusted: &[&CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add((*certificate).clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    Arc::new(config)
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn connect(client: &Arc<ClientConfig>, name: &str, address: SocketAddr) -> Secured {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::clone(client), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// Asks after an open page, and gives the first line of the answer.
fn ask(stream: &mut Secured) -> std::io::Result<String> {
    stream.write_all(&Ask::new("HEAD", "/open/").bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut piece)?;
        answer.extend_from_slice(&piece[..count]);
        if count == 0 {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// The certificate that is shown to one who asks for `name`.
fn shown(client: &Arc<ClientConfig>, name: &str, world: &World) -> CertificateDer<'static> {
    let mut stream = connect(client, name, world.address());
    assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
    stream.conn.peer_certificates().unwrap()[0].clone()
}

#[test]
fn each_client_is_shown_the_certificate_for_the_name_that_it_asks_for() {
    let directory = Scratch::new();
    let first = certify(
        &directory,
        "first",
        &["api.example.com", "other.example.net"],
    );
    let second = certify(&directory, "second", &["*.example.org", "API.example.org"]);
    let files = ["first", "second"].map(|file| pair(directory.path(), file));
    let world = serving(&format!("[{}]", files.join(", ")));
    let client = client(&[&first, &second], &[&TLS13, &TLS12]);
    assert_eq!(shown(&client, "api.example.com", &world), first);
    assert_eq!(shown(&client, "Shop.example.org", &world), second);
    assert_eq!(shown(&client, "api.example.org", &world), second);
    assert_eq!(shown(&client, "other.example.net", &world), first);
    // For any other name it is the first, which is not for that name.
    let mut stream = connect(&client, "a.shop.example.org", world.address());
    let error = ask(&mut stream).unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[test]
fn a_session_of_tls_is_resumed_in_both_versions() {
    let directory = Scratch::new();
    let trusted = certify(&directory, "tls", &["api.example.com"]);
    let world = serving(&pair(directory.path(), "tls"));
    for version in [&TLS12, &TLS13] {
        let client = client(&[&trusted], &[version]);
        let kinds = [(); 2].map(|()| {
            let mut stream = connect(&client, "api.example.com", world.address());
            assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
            stream.conn.handshake_kind()
        });
        let expected = [HandshakeKind::Full, HandshakeKind::Resumed].map(Some);
        assert_eq!(kinds, expected, "{version:?}");
    }
}

#[test]
fn a_renewed_certificate_is_shown_and_no_connection_is_dropped() {
    let directory = Scratch::new();
    let old = certify(&directory, "tls", &["api.example.com"]);
    let world = serving(&pair(directory.path(), "tls"));
    let mut stream = connect(
        &client(&[&old], &[&TLS13]),
        "api.example.com",
        world.address(),
    );
    assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
    let new = certify(&directory, "tls", &["api.example.com"]);
    let said = "the certificates were read anew";
    world.log.line("a renewal", |line| line["message"] == said);
    // A session of before would not need the certificate.
    let anew = client(&[&new], &[&TLS13]);
    assert_eq!(shown(&anew, "api.example.com", &world), new);
    assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
}

#[test]
fn a_renewal_that_cannot_be_shown_is_told_and_the_old_certificate_stays() {
    let directory = Scratch::new();
    let old = certify(&directory, "tls", &["api.example.com"]);
    let world = serving(&pair(directory.path(), "tls"));
    let another_key = KeyPair::generate().unwrap().serialize_pem();
    directory.write("tls.key", &another_key);
    let line = world.log.line("a renewal", |line| line["level"] == "WARN");
    let said = "the certificates cannot be read anew, and stay as they were";
    assert_eq!(line["message"], said);
    let error = line["error"].as_str().unwrap();
    assert!(
        error.contains("tls.key` does not fit the certificate"),
        "{error}"
    );
    assert_eq!(
        shown(&client(&[&old], &[&TLS13]), "api.example.com", &world),
        old
    );
}

#[test]
fn who_comes_in_the_clear_is_sent_to_tls_and_reaches_no_backend() {
    let directory = Scratch::new();
    let trusted = certify(&directory, "tls", &["api.example.com"]);
    let world = serving(&format!(
        "{}\nredirect = \"127.0.0.1:0\"\nhsts = \"365d\"",
        pair(directory.path(), "tls")
    ));
    let clear = world.gateway().addresses()[1];
    for (host, target, place) in [
        (
            "api.example.com",
            "/open/a?b=c%20",
            "https://api.example.com/open/a?b=c%20",
        ),
        (
            "api.example.com",
            "/nowhere",
            "https://api.example.com/nowhere",
        ),
        ("[::1]", "/wx/login", "https://[::1]/wx/login"),
    ] {
        let ask = Ask::post(target)
            .without("Host")
            .header("Host", host)
            .body("x");
        let answer = Line::to(clear).ask(&ask);
        assert_eq!(
            (answer.status, answer.header("Location")),
            (308, Some(place))
        );
        assert_eq!(answer.header("Strict-Transport-Security"), None);
        assert_eq!(world.access_line(&answer)["status"], 308);
    }
    let ask = Ask::get("/open/x").without("Host").header("Host", "a.cn/b");
    Line::to(clear).ask(&ask).refused(400, "bad_request");
    assert!(world.backend.seen().is_empty());
    let client = client(&[&trusted], &[&TLS13]);
    let mut stream = connect(&client, "api.example.com", world.address());
    let ask = Ask::get("/open/x").header("Connection", "close");
    stream.write_all(&ask.bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("\r\nstrict-transport-security: max-age=31536000\r\n"),
        "{answer}"
    );
}

#[test]
fn a_client_that_can_speak_http_2_does_and_one_that_cannot_speaks_http_1() {
    let directory = Scratch::new();
    let trusted = certify(&directory, "tls", &["api.example.com"]);
    let world = serving(&pair(directory.path(), "tls"));
    for version in [&TLS12, &TLS13] {
        let mut config = (*client(&[&trusted], &[version])).clone();
        let line = Multiplexed::under_tls(config.clone(), "api.example.com", world.address());
        let answer = line.unwrap().ask(&Ask::get("/open/x"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
        let seen = world.backend.only_seen();
        assert!(
            seen.head.starts_with("GET /open/x HTTP/1.1\r\n"),
            "{seen:?}"
        );
        assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
        world.backend.forget();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut stream = connect(&Arc::new(config), "api.example.com", world.address());
        assert_eq!(ask(&mut stream).unwrap(), "HTTP/1.1 200 OK");
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        world.backend.forget();
    }
}
