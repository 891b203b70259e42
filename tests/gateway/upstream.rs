//! Connections to backends: kept, shared out, and never to blame for an answer that did not come.

use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

use crate::harness::{Ask, BASE, Backend, Gate, World, refusing};

const ACTIVE: &str = r#"wxgate_upstream_connections{upstream="php",state="active"}"#;
const IDLE: &str = r#"wxgate_upstream_connections{upstream="php",state="idle"}"#;

/// How many requests to the upstream ended like this.
fn outcome(outcome: &str) -> String {
    format!(r#"wxgate_upstream_requests_total{{upstream="php",outcome="{outcome}"}}"#)
}

/// A backend that ends every connection after its answer, without saying so in it.
fn forgetful() -> Backend {
    Backend::that(|conversation| {
        conversation.read_request();
        conversation.answer("200 OK", b"once");
    })
}

/// The config with these servers.
fn servers(addresses: &[SocketAddr]) -> String {
    let written: Vec<_> = addresses
        .iter()
        .map(|a| format!("\"http://{a}\""))
        .collect();
    BASE.replace("\"BACKEND\"", &written.join(", "))
}

#[test]
fn one_connection_carries_one_request_after_the_other() {
    let world = World::new();
    let mut line = world.connect();
    for _ in 0..20 {
        assert_eq!(line.ask(&Ask::get("/open/")).text(), "seen");
        assert_eq!(world.ask(&Ask::post("/open/").body("x")).text(), "seen");
    }
    assert_eq!(world.backend.connections(), 1);
    assert_eq!(world.count(&outcome("ok")), 40);
    world.await_count(ACTIVE, 0);
    world.await_count(IDLE, 1);
}

#[test]
fn requests_at_the_same_time_have_connections_of_their_own() {
    let go_on = Gate::default();
    let backend = Backend::that({
        let go_on = go_on.clone();
        move |conversation| {
            while conversation.read_request().is_some() {
                go_on.wait();
                conversation.answer("200 OK", b"seen");
            }
        }
    });
    let world = World::around(BASE, backend);
    let mut lines: Vec<_> = (0..4).map(|_| world.connect()).collect();
    for line in &mut lines {
        line.send(&Ask::get("/open/").bytes());
    }
    world.backend.wait_seen(4);
    assert_eq!(world.backend.connections(), 4);
    assert_eq!((world.count(ACTIVE), world.count(IDLE)), (4, 0));
    go_on.open();
    for line in &mut lines {
        assert_eq!(line.answer().text(), "seen");
    }
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 4);
}

#[test]
fn a_connection_that_the_backend_closed_meanwhile_is_no_fault_that_a_client_sees() {
    let world = World::around(BASE, forgetful());
    let mut line = world.connect();
    for round in 1..=100 {
        let ask = match round % 3 {
            0 => Ask::get("/open/"),
            1 => Ask::post("/open/").body("precious"),
            _ => Ask::post("/open/"),
        };
        assert_eq!(line.ask(&ask).text(), "once", "in round {round}");
        world.backend.wait_closed(round);
        assert_eq!(world.backend.seen().len(), round);
    }
    world.await_count(IDLE, 0);
}

/// A backend that answers the first request of its first connection, and then goes away from whatever it reads.
fn leaving() -> Backend {
    Backend::that(|conversation| {
        conversation.read_request();
        if conversation.number == 1 {
            conversation.answer("200 OK", b"first");
            conversation.read_request();
        }
    })
}

#[test]
fn a_get_that_an_old_connection_lost_is_repeated_once() {
    let answering = Backend::that(|conversation| {
        conversation.read_request();
        conversation.answer("200 OK", b"first");
        if conversation.number == 1 {
            conversation.read_request();
        }
    });
    let world = World::around(BASE, answering);
    let mut line = world.connect();
    line.ask(&Ask::get("/open/"));
    assert_eq!(line.ask(&Ask::get("/open/again")).text(), "first");
    let targets: Vec<_> = world
        .backend
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["/open/", "/open/again", "/open/again"]);
    assert_eq!(world.count(&outcome("retried")), 1);
    assert_eq!(world.count(&outcome("ok")), 2);
}

#[test]
fn a_get_that_a_new_connection_lost_is_not_repeated() {
    let world = World::around(BASE, leaving());
    let mut line = world.connect();
    line.ask(&Ask::get("/open/"));
    line.ask(&Ask::get("/open/"))
        .refused(502, "upstream_failed");
    assert_eq!(world.backend.seen().len(), 3);
    line.ask(&Ask::get("/open/"))
        .refused(502, "upstream_failed");
    assert_eq!(world.backend.seen().len(), 4);
    assert_eq!(world.backend.connections(), 3);
}

#[test]
fn a_post_that_may_have_arrived_is_never_repeated() {
    for ask in [
        Ask::post("/open/").body("precious"),
        Ask::post("/open/"),
        Ask::new("PUT", "/open/").body("precious"),
    ] {
        let world = World::around(BASE, leaving());
        let mut line = world.connect();
        line.ask(&Ask::get("/open/"));
        line.ask(&ask).refused(502, "upstream_failed");
        assert_eq!(world.backend.seen().len(), 2);
        assert_eq!(world.count(&outcome("retried")), 0);
        assert_eq!(world.count(&outcome("failed")), 1);
    }
}

#[test]
fn servers_take_turns() {
    let (one, two) = (Backend::start(), Backend::start());
    let world = World::around(&servers(&[one.address(), two.address()]), one);
    for _ in 0..6 {
        assert_eq!(world.get("/open/").status, 200);
    }
    assert_eq!((world.backend.seen().len(), two.seen().len()), (3, 3));
    assert_eq!((world.backend.connections(), two.connections()), (1, 1));
}

#[test]
fn a_server_that_refuses_is_passed_over_and_no_client_sees_it() {
    let (_held, dead) = refusing();
    let alive = Backend::start();
    let world = World::around(&servers(&[dead, alive.address()]), alive);
    for _ in 0..6 {
        assert_eq!(world.ask(&Ask::post("/open/").body("x")).status, 200);
    }
    assert_eq!(world.count(&outcome("ok")), 6);
    assert_eq!(world.count(&outcome("unreachable")), 0);
    // It was tried when its turn first came, and then left alone.
    assert_eq!(
        world
            .log
            .text()
            .matches("a backend cannot be reached")
            .count(),
        1
    );
}

#[test]
fn a_server_that_came_back_is_found_when_the_others_are_gone() {
    let (held, dead) = refusing();
    let (other, dying) = refusing();
    other.listen(16).unwrap();
    let last_words = Backend::on(TcpListener::from(other), |conversation| {
        conversation.read_request();
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast");
    });
    let world = World::around(&servers(&[dead, dying]), last_words);
    for _ in 0..2 {
        assert_eq!(world.get("/open/").text(), "last");
    }
    world.backend.stop();
    held.listen(16).unwrap();
    let back = Backend::on(TcpListener::from(held), |conversation| {
        while conversation.read_request().is_some() {
            conversation.answer("200 OK", b"back");
        }
    });
    // The one that stopped takes a last connection, on which it says nothing, before its port refuses.
    while world.get("/open/").text() != "back" {}
    for _ in 0..4 {
        assert_eq!(world.get("/open/").text(), "back");
    }
    assert_eq!(back.connections(), 1);
}

#[test]
fn where_no_server_takes_connections_all_are_tried() {
    let (_held, one) = refusing();
    let (_held_too, two) = refusing();
    let world = World::of(&servers(&[one, two]));
    let answer = world.get("/open/").refused(502, "upstream_unreachable");
    let reason = world.access_line(&answer)["reason"].to_string();
    assert!(
        reason.contains("no server of the upstream can be reached: 127.0.0.1:"),
        "{reason}"
    );
    for server in [one, two] {
        let server = server.to_string();
        world.log.line("a server that was tried", |line| {
            line["message"] == "a backend cannot be reached" && line["server"] == server
        });
    }
    assert_eq!(world.count(&outcome("unreachable")), 1);
}

#[test]
fn a_connection_that_is_not_ready_after_its_answer_is_ended() {
    let read = Gate::default();
    let gate = Mutex::new(read.clone());
    let backend = Backend::that(move |conversation| {
        conversation.read_head();
        conversation.answer("200 OK", b"too early");
        conversation.wait_end();
        gate.lock().unwrap().open();
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "9").bytes());
    assert_eq!(line.answer().text(), "too early");
    drop(line);
    read.wait();
    world.await_count(ACTIVE, 0);
    world.await_count(IDLE, 0);
}
