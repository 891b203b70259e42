//! Connections of clients: their limits, their ends, and the places where they come in.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use wxgate::config::{self, Surroundings};
use wxgate::domain::clock::Clock;

use crate::harness::{Ask, BASE, Backend, Gate, Line, Scratch, World};

const CONNECTIONS: &str = "wxgate_connections";

/// A world with more in `[server]`.
fn serving(more: &str) -> World {
    World::of(&with_server(more))
}

fn with_server(more: &str) -> String {
    BASE.replace("workers = 1", &format!("workers = 1\n{more}"))
}

/// Asks over any stream, once, and reads to its end.
fn talk(mut stream: impl Read + Write, ask: &Ask) -> String {
    let ask = ask.clone().header("Connection", "close");
    stream.write_all(&ask.bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_refused() {
    let world = serving("header_timeout = \"100ms\"");
    let mut line = world.connect();
    line.send(b"GET /open/ HTTP/1.1\r\nHost: api.exam");
    let answer = line.answer().refused(400, "bad_request");
    assert_eq!(answer.header("connection"), Some("close"));
    let access = world.access_line(&answer);
    assert_eq!(access["reason"], "the head did not arrive in time");
    assert!(line.is_ended());
    drop(line);
    world.await_count(CONNECTIONS, 0);
}

#[test]
fn a_connection_that_brings_nothing_is_closed_without_a_word() {
    let world = serving("header_timeout = \"100ms\"");
    let mut line = world.connect();
    assert!(line.head().is_none());
    world.await_count(CONNECTIONS, 0);
    assert!(!world.log.text().contains("wxgate::access"));
}

#[test]
fn a_connection_that_rests_after_its_request_is_closed_without_a_word() {
    let world = serving("idle_timeout = \"100ms\"");
    let mut line = world.connect();
    assert_eq!(line.ask(&Ask::get("/open/")).status, 200);
    assert!(line.head().is_none());
    world.await_count(CONNECTIONS, 0);
}

#[test]
fn a_request_that_takes_long_is_not_cut_by_the_times_of_a_connection() {
    let gate = Gate::default();
    let backend = Backend::that({
        let gate = gate.clone();
        move |conversation| {
            conversation.read_request();
            gate.wait();
            conversation.answer("200 OK", b"at last");
        }
    });
    let limits = with_server("idle_timeout = \"50ms\"\nheader_timeout = \"50ms\"");
    let world = World::around(&limits, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    world.backend.wait_seen(1);
    // Both times pass for another connection, which began later.
    assert!(world.connect().is_ended());
    gate.open();
    assert_eq!(line.answer().text(), "at last");
}

#[test]
fn one_connection_too_many_is_told_so_and_there_is_room_again_later() {
    let world = serving("max_connections = 2");
    let mut first = world.connect();
    assert_eq!(first.ask(&Ask::get("/open/")).status, 200);
    let second = world.connect();
    world.await_count(CONNECTIONS, 2);
    let mut third = world.connect();
    let answer = third.answer().refused(503, "overloaded");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(third.is_ended());
    assert_eq!(first.ask(&Ask::get("/open/")).status, 200);
    drop(second);
    world.await_count(CONNECTIONS, 1);
    assert_eq!(world.get("/open/").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            conversation.answer("200 OK", seen.target.as_bytes());
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    let targets: Vec<_> = (0..50).map(|n| format!("/open/{n}")).collect();
    let asks: Vec<_> = targets
        .iter()
        .flat_map(|target| Ask::get(target).bytes())
        .collect();
    line.send(&asks);
    for target in &targets {
        assert_eq!(line.answer().text(), *target);
    }
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn a_connection_goes_on_until_the_client_says_close() {
    let world = World::new();
    let mut line = world.connect();
    for _ in 0..3 {
        let answer = line.ask(&Ask::get("/open/"));
        assert_eq!((answer.status, answer.header("connection")), (200, None));
    }
    let answer = line.ask(&Ask::get("/open/").header("Connection", "close"));
    assert_eq!(
        (answer.status, answer.header("connection")),
        (200, Some("close"))
    );
    assert!(line.is_ended());
    let seen = world.backend.seen();
    assert_eq!(seen[3].values("Connection"), [""; 0]);
}

#[test]
fn a_client_of_http_1_0_is_answered_and_its_connection_kept_only_if_it_asks() {
    let world = World::new();
    let mut line = world.connect();
    for _ in 0..2 {
        line.send(b"GET /open/ HTTP/1.0\r\nHost: a.cn\r\nConnection: keep-alive\r\n\r\n");
        let answer = line.answer();
        assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    line.send(b"GET /open/ HTTP/1.0\r\nHost: a.cn\r\n\r\n");
    assert_eq!(line.answer().text(), "seen");
    assert!(line.is_ended());
}

#[test]
fn what_is_not_http_is_refused_in_our_shape() {
    let world = World::new();
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"[..],
        b"hello\r\n\r\n",
    ] {
        let mut line = world.connect();
        line.send(nonsense);
        let answer = line.answer().refused(400, "bad_request");
        assert_eq!(
            world.access_line(&answer)["reason"],
            "the request is not HTTP/1"
        );
        assert!(line.is_ended());
    }
}

#[test]
fn a_unix_socket_is_served_and_a_file_left_behind_is_no_hindrance() {
    let directory = Scratch::new();
    let path = directory.path().join("http.sock");
    let listen = format!("listen = \"unix:{}\"", path.display());
    let config = BASE.replacen("listen = \"127.0.0.1:0\"", &listen, 1);
    for _ in 0..2 {
        let mut world = World::of(&config);
        let place = format!("unix:{}", path.display());
        assert_eq!(world.gateway().places(), [place]);
        let answer = talk(UnixStream::connect(&path).unwrap(), &Ask::get("/open/"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(world.backend.only_seen().values("X-Forwarded-For"), [""; 0]);
        world.stop();
    }
}

/// A world under TLS, and the way for a client to trust it.
fn under_tls(directory: &Scratch, more: &str) -> (World, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["api.example.com".to_owned()]).unwrap();
    let cert_file = directory.write("tls.crt", &cert.pem());
    let key_file = directory.write("tls.key", &signing_key.serialize_pem());
    let tls = format!(
        "tls = {{ cert = \"{}\", key = \"{}\" }}\n{more}",
        cert_file.display(),
        key_file.display()
    );
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (serving(&tls), Arc::new(client))
}

fn secure(
    client: &Arc<ClientConfig>,
    address: SocketAddr,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("api.example.com").unwrap();
    let connection = ClientConnection::new(Arc::clone(client), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

#[test]
fn under_tls_the_backend_is_told_https_and_the_end_is_said() {
    let directory = Scratch::new();
    let (world, client) = under_tls(&directory, "");
    let ask = Ask::get("/open/").header("X-Forwarded-Proto", "http");
    // Reading to the end fails unless the gateway says under TLS that this is the end.
    let answer = talk(secure(&client, world.address()), &ask);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(
        world.backend.only_seen().values("X-Forwarded-Proto"),
        ["https"]
    );
    world.await_count(CONNECTIONS, 0);
}

#[test]
fn who_speaks_no_tls_or_comes_too_late_is_not_answered_in_the_clear() {
    let directory = Scratch::new();
    let (world, client) = under_tls(&directory, "max_connections = 1");
    let mut plain = world.connect();
    plain.send(&Ask::get("/open/").bytes());
    assert!(plain.is_ended());
    world.await_count(CONNECTIONS, 0);
    let mut first = secure(&client, world.address());
    first.write_all(b"G").unwrap();
    world.await_count(CONNECTIONS, 1);
    assert!(world.connect().head().is_none());
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_given_up() {
    let directory = Scratch::new();
    let (world, _) = under_tls(&directory, "header_timeout = \"100ms\"");
    let mut line = world.connect();
    line.send(b"\x16\x03\x01");
    assert!(line.is_ended());
    world.await_count(CONNECTIONS, 0);
}

#[test]
fn every_worker_serves() {
    let world = World::of(&BASE.replace("workers = 1", "workers = 2"));
    // Each worker has backend connections of its own, and the kernel spreads clients over workers.
    let mut asked = 0;
    while world.backend.connections() < 2 {
        assert!(asked < 10_000, "one worker took everything");
        assert_eq!(world.get("/open/").status, 200);
        asked += 1;
    }
    assert_eq!(world.backend.seen().len(), asked);
}

#[test]
fn a_place_that_another_gateway_has_is_refused_with_a_reason() {
    let world = World::of(&BASE.replace("workers = 1", "workers = 2"));
    let address = world.address();
    let place = format!("[server]\nlisten = \"{address}\"\nworkers = 2\n");
    let plan = config::read("second.toml", &place, &Surroundings::of_process()).unwrap();
    let error = wxgate::app::start(plan, Clock::start()).unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        format!("cannot listen on {address}: Address already in use (os error 98)")
    );
    assert_eq!(world.get("/open/").status, 200);
}

#[test]
fn several_places_are_served_at_once() {
    let places = "listen = [\"127.0.0.1:0\", \"[::1]:0\"]";
    let world = World::of(&BASE.replacen("listen = \"127.0.0.1:0\"", places, 1));
    let addresses = world.gateway().addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    for address in addresses {
        assert_eq!(Line::to(address).ask(&Ask::get("/open/")).text(), "seen");
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-For"), [address.ip().to_string()]);
        world.backend.forget();
    }
}
