//! Backends that speak TLS: who is believed, and that all passes as it does without.

use std::net::SocketAddr;

use crate::harness::{
    Ask, BASE, Backend, Farewell, Gate, Met, Process, Scratch, Secured, World, wxgate,
};

const MIB: usize = 1024 * 1024;

/// A gateway before a backend that speaks TLS.
struct Place {
    secured: Secured,
    world: World,
    _scratch: Scratch,
}

/// A gateway that knows the backend behind `secured` by its certificate and asks for it at `host`, with more keys in `tls`.
fn place(backend: Backend, secured: Secured, host: &str, more: &str) -> Place {
    let scratch = Scratch::new();
    scratch.write("ca.pem", &secured.pem);
    let ca = scratch.path().join("ca.pem").display().to_string();
    let server = format!("\"https://{host}:{}\"", secured.port());
    let tls = format!("[upstreams.php]\ntls = {{ ca = \"{ca}\"{more} }}");
    let config = BASE
        .replace("workers = 1", "workers = 1\nmax_body = \"64MiB\"")
        .replace("\"BACKEND\"", &server)
        .replace("[upstreams.php]", &tls);
    Place {
        secured,
        world: World::around(&config, backend),
        _scratch: scratch,
    }
}

fn before(backend: Backend) -> Place {
    let secured = Secured::before(backend.address(), &["localhost"], Farewell::Proper);
    place(backend, secured, "localhost", "")
}

fn met(name: Option<&str>) -> Met {
    Met {
        server_name: name.map(str::to_owned),
        protocol: Some(b"http/1.1".to_vec()),
    }
}

/// Bytes among which every shift shows.
fn pattern(length: usize) -> Vec<u8> {
    let byte = |place: usize| u8::try_from(place % 251).unwrap();
    (0..length).map(byte).collect()
}

#[test]
fn a_backend_under_tls_is_told_who_it_is_and_keeps_its_connection() {
    let Place { secured, world, .. } = &before(Backend::start());
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    for _ in 0..10 {
        assert_eq!(line.ask(&Ask::get("/orders").skey(&skey)).text(), "seen");
        assert_eq!(line.ask(&Ask::post("/open/").body("x")).text(), "seen");
    }
    let seen = world.backend.seen();
    assert_eq!(seen.len(), 20);
    assert_eq!(seen[0].values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen[0].values("Host"), ["api.example.com"]);
    assert_eq!(seen[1].body, b"x");
    assert_eq!(secured.met(), [met(Some("localhost"))]);
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn long_bodies_pass_both_ways() {
    let Place { world, .. } = &before(Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            conversation.answer("200 OK", &seen.body);
        }
    }));
    let mut line = world.connect();
    for length in [0, 1, 16 * 1024, 8 * MIB] {
        let body = pattern(length);
        let answer = line.ask(&Ask::post("/open/echo").body(&body));
        assert!(answer.body == body, "{length} bytes came back changed");
    }
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn what_was_taken_arrives_before_any_more_is_sent() {
    const WHOLE: usize = 64 * MIB;
    let stopped = Gate::default();
    let (tell, taken) = std::sync::mpsc::channel();
    let taken = std::sync::Mutex::new(taken);
    let read = Gate::default();
    let backend = Backend::that({
        let (stopped, read) = (stopped.clone(), read.clone());
        move |conversation| {
            conversation.read_head();
            stopped.wait();
            let taken: usize = taken.lock().unwrap().recv().unwrap();
            assert!(conversation.read(taken).unwrap() == pattern(WHOLE)[..taken]);
            read.open();
            conversation.read(WHOLE - taken);
            conversation.answer("200 OK", b"all of it");
        }
    });
    let secured = Secured::before(backend.address(), &["localhost"], Farewell::Proper);
    let Place { world, .. } = &place(backend, secured, "localhost", "");
    let mut line = world.connect();
    let ask = Ask::post("/open/big").header("Content-Length", &WHOLE.to_string());
    line.send(&ask.bytes());
    let body = pattern(WHOLE);
    let count = line.send_while_taken(&body);
    assert!(count < WHOLE / 2, "{count} bytes were taken");
    tell.send(count).unwrap();
    stopped.open();
    read.wait();
    line.send(&body[count..]);
    assert_eq!(line.answer().text(), "all of it");
}

#[test]
fn the_name_that_is_asked_for_is_that_of_the_address_or_of_the_config() {
    let backend = Backend::start();
    let secured = Secured::before(backend.address(), &["api.internal"], Farewell::Proper);
    let named = place(
        backend,
        secured,
        "127.0.0.1",
        ", server_name = \"api.internal\"",
    );
    assert_eq!(named.world.get("/open/").status, 200);
    assert_eq!(named.secured.met(), [met(Some("api.internal"))]);
    let backend = Backend::start();
    let secured = Secured::before(backend.address(), &["127.0.0.1"], Farewell::Proper);
    let address = place(backend, secured, "127.0.0.1", "");
    assert_eq!(address.world.get("/open/").status, 200);
    assert_eq!(address.secured.met(), [met(None)]);
}

#[test]
fn who_is_not_the_one_that_is_meant_gets_nothing() {
    let backend = Backend::start();
    let secured = Secured::before(backend.address(), &["other.internal"], Farewell::Proper);
    let other_name = place(backend, secured, "localhost", "");
    let backend = Backend::start();
    let secured = Secured::before(backend.address(), &["localhost"], Farewell::Proper);
    let mut liar = Secured::before(backend.address(), &["localhost"], Farewell::Proper);
    liar.pem.clone_from(&secured.pem);
    let other_key = place(backend, liar, "localhost", "");
    for Place { world, .. } in [&other_name, &other_key] {
        let skey = world.skey_of("alice");
        let ask = Ask::get("/orders").skey(&skey);
        let answer = world.ask(&ask).refused(502, "upstream_unreachable");
        let reason = world.access_line(&answer)["reason"].to_string();
        assert!(reason.contains("invalid peer certificate"), "{reason}");
        assert!(world.backend.seen().is_empty());
    }
}

#[test]
fn a_backend_that_speaks_no_tls_is_unreachable() {
    let backend =
        Backend::that(|conversation| conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let port = backend.address().port();
    let config = BASE.replace("\"BACKEND\"", &format!("\"https://127.0.0.1:{port}\""));
    let world = World::around(&config, backend);
    world.get("/open/").refused(502, "upstream_unreachable");
}

#[test]
fn a_connection_that_ended_meanwhile_is_found_out_before_it_is_used() {
    let Place { world, .. } = &before(Backend::that(|conversation| {
        conversation.read_request();
        conversation.answer("200 OK", b"once");
    }));
    for count in 1..=3 {
        let answer = world.ask(&Ask::post("/open/").body("precious"));
        assert_eq!((answer.status, answer.text().as_str()), (200, "once"));
        world.backend.wait_closed(count);
    }
    assert_eq!(world.backend.seen().len(), 3);
}

#[test]
fn what_stands_behind_an_answer_is_not_the_next_one() {
    let Place { world, .. } = &before(Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
            );
        }
    }));
    let mut line = world.connect();
    for _ in 0..3 {
        assert_eq!(line.ask(&Ask::get("/open/")).text(), "ok");
    }
    assert_eq!(world.backend.connections(), 3);
}

#[test]
fn an_answer_that_is_cut_off_is_not_taken_for_whole() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.send(b"HTTP/1.1 200 OK\r\n\r\nto the end");
    });
    let secured = Secured::before(backend.address(), &["localhost"], Farewell::None);
    let Place { world, .. } = &place(backend, secured, "localhost", "");
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    let (status, headers) = line.head().unwrap();
    let answer = line.finish("GET", status, headers);
    assert_eq!((answer.status, answer.text().as_str()), (200, "to the end"));
    assert!(
        !answer.is_whole,
        "whoever cuts a connection could shorten any answer"
    );
}

#[test]
fn the_authorities_of_the_machine_are_believed_where_none_is_named() {
    let scratch = Scratch::new();
    let secured = Secured::before(
        SocketAddr::from(([127, 0, 0, 1], 1)),
        &["localhost"],
        Farewell::Proper,
    );
    scratch.write("roots.pem", &secured.pem);
    scratch.write("none.pem", "");
    let route = "[[routes]]\npath = \"/*\"\nupstream = \"php\"\nauth = \"none\"";
    let config = format!("upstreams.php.servers = [\"https://127.0.0.1:1\"]\n{route}");
    scratch.write("gateway.toml", &config);
    let check = |roots: &str| {
        let mut command = wxgate(&["check"]);
        command.current_dir(scratch.path());
        command.env("SSL_CERT_FILE", scratch.path().join(roots));
        command.env_remove("SSL_CERT_DIR");
        Process::run(command)
    };
    assert_eq!(check("roots.pem").code, Some(0));
    let none = check("none.pem");
    assert_eq!(none.code, Some(1));
    assert!(
        none.err
            .contains("1:25: this machine has no CA certificates")
            || none
                .out
                .contains("1:25: this machine has no CA certificates"),
        "{none:?}"
    );
}
