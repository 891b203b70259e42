//! Backends behind unix sockets, and sockets that nobody is behind.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

use crate::harness::{Ask, BASE, Backend, Scratch, World};

/// A socket that leads to a backend of the harness, which sees every byte and connection as it would its own.
struct Door {
    scratch: Scratch,
}

impl Door {
    fn to(backend: SocketAddr) -> Self {
        let door = Self::closed();
        let listener = UnixListener::bind(door.path()).unwrap();
        thread::spawn(move || {
            for inside in listener.incoming() {
                let (Ok(inside), Ok(outside)) = (inside, TcpStream::connect(backend)) else {
                    return;
                };
                thread::spawn(move || relay(&inside, &outside));
            }
        });
        door
    }

    /// One that nobody has made yet.
    fn closed() -> Self {
        let scratch = Scratch::new();
        Self { scratch }
    }

    fn path(&self) -> PathBuf {
        self.scratch.path().join("app.sock")
    }

    /// The base config with this server, with `others`, and with more keys of the upstream.
    fn config(&self, others: &[SocketAddr], more: &str) -> String {
        let others = others.iter().map(|at| format!("\"http://{at}\""));
        let this = format!("\"unix:{}\"", self.path().display());
        let servers: Vec<_> = [this].into_iter().chain(others).collect();
        let servers = format!("servers = [{}]\n{more}", servers.join(", "));
        BASE.replace("servers = [\"BACKEND\"]", &servers)
    }
}

/// Carries bytes both ways until both ends have ended.
fn relay(inside: &UnixStream, outside: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut from, mut to) = (inside, outside);
            let _ = io::copy(&mut from, &mut to);
            let _ = outside.shutdown(Shutdown::Write);
        });
        let (mut from, mut to) = (outside, inside);
        let _ = io::copy(&mut from, &mut to);
        let _ = inside.shutdown(Shutdown::Both);
    });
}

#[test]
fn a_backend_behind_a_socket_sees_what_any_other_would() {
    let backend = Backend::start();
    let door = Door::to(backend.address());
    let world = World::around(&door.config(&[], ""), backend);
    let skey = world.skey_of("alice");
    let body = "x".repeat(1 << 20);
    let ask = Ask::post("/orders?a=b")
        .header("X_OpenId", "boss")
        .skey(&skey);
    let answer = world.ask(&ask.body(&body));
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("Host"), ["api.example.com"]);
    assert_eq!(
        (seen.target.as_str(), seen.body.len()),
        ("/orders?a=b", body.len())
    );
}

#[test]
fn its_connections_are_kept_for_the_next_request() {
    let backend = Backend::start();
    let door = Door::to(backend.address());
    let world = World::around(&door.config(&[], ""), backend);
    for _ in 0..5 {
        assert_eq!(world.get("/open/x").status, 200);
    }
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn it_is_asked_for_a_host_of_its_own_where_the_config_has_one() {
    let backend = Backend::start();
    let door = Door::to(backend.address());
    let world = World::around(&door.config(&[], "host = \"api.internal\""), backend);
    assert_eq!(world.get("/open/x").status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Host"), ["api.internal"]);
}

#[test]
fn it_is_asked_whether_it_is_well() {
    let backend = Backend::start();
    let door = Door::to(backend.address());
    let world = World::around(
        &door.config(&[], "health = { path = \"/healthz\" }"),
        backend,
    );
    world.backend.wait_seen(1);
    let seen = world.backend.only_seen();
    assert_eq!(
        (seen.target.as_str(), seen.values("Host")),
        ("/healthz", vec!["localhost"])
    );
    assert_eq!(seen.values("X-Wxgate-Event"), ["health"]);
}

#[test]
fn a_socket_that_is_not_there_or_refuses_makes_it_unreachable() {
    let door = Door::closed();
    let world = World::of(&door.config(&[], ""));
    let answer = world.get("/open/x").refused(502, "upstream_unreachable");
    let reason = world.access_line(&answer)["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = door.path();
    let path = path.display();
    assert_eq!(
        reason,
        format!(
            "no server of the upstream can be reached: unix:{path}: No such file or directory (os error 2)"
        )
    );
    // What is left of one who listened there.
    drop(UnixListener::bind(door.path()).unwrap());
    let answer = world.get("/open/x").refused(502, "upstream_unreachable");
    let reason = world.access_line(&answer)["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        reason.ends_with("Connection refused (os error 111)"),
        "{reason}"
    );
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn another_server_takes_what_a_socket_refuses() {
    let backend = Backend::start();
    let door = Door::closed();
    let config = door.config(&[backend.address()], "fail_timeout = \"1h\"");
    let world = World::around(&config, backend);
    for _ in 0..4 {
        assert_eq!(world.get("/open/x").status, 200);
    }
    assert_eq!(world.backend.seen().len(), 4);
}

#[test]
fn a_socket_where_too_many_wait_is_waited_for_as_long_as_a_connection_may_take() {
    let door = Door::closed();
    let path = door.path();
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(&socket2::SockAddr::unix(&path).unwrap())
        .unwrap();
    socket.listen(0).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let world = World::of(&door.config(&[], "connect_timeout = \"200ms\""));
    let answer = world.get("/open/x").refused(502, "upstream_unreachable");
    let reason = world.access_line(&answer)["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.ends_with("no connection within 200ms"), "{reason}");
}
