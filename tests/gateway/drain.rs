//! The end of a gateway: what has begun is finished, nothing new begins, and nobody waits for ever.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use wxgate::app::Running;

use crate::harness::{Ask, BASE, Backend, Gate, Line, World};

const CONNECTIONS: &str = "wxgate_connections";

/// A backend that answers once `gate` is open.
fn behind(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::that(move |conversation| {
        while conversation.read_request().is_some() {
            gate.wait();
            conversation.answer("200 OK", b"finished");
        }
    })
}

/// Stops a gateway on a thread of its own.
fn stop(gateway: Running) -> JoinHandle<String> {
    thread::spawn(move || match gateway.stop() {
        Ok(()) => "drained".to_owned(),
        Err(error) => error.to_string(),
    })
}

#[test]
fn what_has_begun_is_finished_and_nothing_new_begins() {
    let gate = Gate::default();
    let mut world = World::around(BASE, behind(&gate));
    let address = world.address();
    let operator = world.gateway().admin_address().unwrap();
    let mut idle = world.connect();
    assert_eq!(idle.ask(&Ask::get("/wx/check")).status, 401);
    let mut silent = world.connect();
    let mut busy = world.connect();
    busy.send(&Ask::get("/open/").bytes());
    world.backend.wait_seen(1);
    world.await_count(CONNECTIONS, 3);
    let ready = || Line::to(operator).ask(&Ask::get("/readyz"));
    assert_eq!(ready().status, 200);

    let stopping = stop(world.take_gateway());
    assert!(idle.is_ended());
    assert!(silent.is_ended());
    assert_eq!((ready().status, ready().text().trim()), (503, "draining"));
    // Each worker closes its own socket.
    let refused = loop {
        if let Err(refused) = TcpStream::connect(address) {
            break refused;
        }
    };
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let counts = || Line::to(operator).ask(&Ask::get("/metrics")).text();
    while !counts().contains("\nwxgate_connections 1\n") {}

    gate.open();
    let answer = busy.answer();
    assert_eq!(answer.text(), "finished");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(busy.is_ended());
    drop(busy);
    assert_eq!(stopping.join().unwrap(), "drained");
    assert_eq!(world.access_line(&answer)["status"], 200);
}

#[test]
fn a_request_that_is_on_its_way_in_is_taken_whole() {
    let gate = Gate::default();
    gate.open();
    let mut world = World::around(BASE, behind(&gate));
    let mut witness = world.connect();
    assert_eq!(witness.ask(&Ask::get("/open/")).status, 200);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "2").bytes());
    line.send(b"x");
    world.await_count(
        r#"wxgate_upstream_connections{upstream="php",state="active"}"#,
        1,
    );
    let stopping = stop(world.take_gateway());
    assert!(witness.is_ended());
    line.send(b"y");
    assert_eq!(line.answer().text(), "finished");
    drop(line);
    assert_eq!(stopping.join().unwrap(), "drained");
    assert_eq!(world.backend.seen()[1].body, b"xy");
}

#[test]
fn what_does_not_end_in_time_is_cut_off() {
    let config = BASE.replace("drain_timeout = \"5s\"", "drain_timeout = \"200ms\"");
    let mut world = World::around(&config, behind(&Gate::default()));
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    world.backend.wait_seen(1);
    let mut half = world.connect();
    half.send(b"GET /open/ HTTP/1.1\r\nHost:");
    let operator = world.gateway().admin_address().unwrap();
    world.await_count(CONNECTIONS, 2);
    world.stop();
    assert!(line.is_ended());
    assert!(half.is_ended());
    assert!(TcpStream::connect(operator).is_err());
    let cut = world.log.line("what was cut off", |line| {
        line["message"] == "connections were cut off"
    });
    assert_eq!(cut["connections"], 2);
}

#[test]
fn an_answer_that_is_cut_off_at_the_end_is_told_as_cut() {
    let config = BASE.replace("drain_timeout = \"5s\"", "drain_timeout = \"200ms\"");
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        conversation.wait_end();
    });
    let mut world = World::around(&config, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    let (status, headers) = line.head().unwrap();
    assert_eq!(line.read(4), b"half");
    world.stop();
    let answer = line.finish("GET", status, headers);
    assert!(!answer.is_whole);
    assert_eq!(world.access_line(&answer)["cut"], true);
    world.backend.wait_closed(1);
}

#[test]
fn a_gateway_that_nobody_talks_to_stops_at_once() {
    let mut world = World::new();
    let mut line = world.connect();
    assert_eq!(line.ask(&Ask::get("/open/")).status, 200);
    let mut silent = world.connect();
    world.await_count(CONNECTIONS, 2);
    world.stop();
    assert!(line.is_ended() && silent.is_ended());
    world.backend.wait_closed(1);
    assert!(!world.log.text().contains("connections were cut off"));
}
