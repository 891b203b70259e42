//! What breaks on the way: a backend that falls silent or dies, a client that stalls or goes away.

use crate::harness::{Answer, Ask, BASE, Backend, Gate, Line, World};

const ACTIVE: &str = r#"wxgate_upstream_connections{upstream="php",state="active"}"#;
const IDLE: &str = r#"wxgate_upstream_connections{upstream="php",state="idle"}"#;
const CONNECTIONS: &str = "wxgate_connections";

/// How many requests to the upstream ended like this.
fn outcome(outcome: &str) -> String {
    format!(r#"wxgate_upstream_requests_total{{upstream="php",outcome="{outcome}"}}"#)
}

/// A backend that reads a request and never answers.
fn silent() -> Backend {
    Backend::that(|conversation| {
        conversation.read_request();
        conversation.wait_end();
    })
}

/// The base config with a short patience for backends.
fn impatient() -> String {
    BASE.replace(
        "servers = [\"BACKEND\"]",
        "servers = [\"BACKEND\"]\ntimeout = \"200ms\"",
    )
}

/// The base config with a short patience for clients.
fn hurried() -> String {
    BASE.replace("workers = 1", "workers = 1\nidle_timeout = \"200ms\"")
}

/// Asks for an answer that the backend breaks off.
fn cut_answer(bytes: &'static [u8]) -> (World, Answer) {
    let read = Gate::default();
    let backend = Backend::that({
        let read = read.clone();
        move |conversation| {
            conversation.read_request();
            conversation.send(bytes);
            read.wait();
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    let (status, headers) = line.head().unwrap();
    read.open();
    let answer = line.finish("GET", status, headers);
    (world, answer)
}

#[test]
fn a_backend_that_never_answers_is_given_up_and_its_connection_ended() {
    let world = World::around(&impatient(), silent());
    let answer = world.get("/open/").refused(504, "upstream_timeout");
    assert_eq!(
        world.access_line(&answer)["reason"],
        "no answer within 200ms"
    );
    world.backend.wait_closed(1);
    world
        .ask(&Ask::post("/open/").body("x"))
        .refused(504, "upstream_timeout");
    assert_eq!(world.backend.seen().len(), 2);
    assert_eq!(world.count(&outcome("timeout")), 2);
    assert_eq!(world.count(&outcome("retried")), 0);
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 0);
}

#[test]
fn the_time_of_a_backend_begins_when_it_has_the_whole_body() {
    // The client never ends its body: for that the backend is not to blame.
    let config = hurried().replace(
        "servers = [\"BACKEND\"]",
        "servers = [\"BACKEND\"]\ntimeout = \"1ms\"",
    );
    let world = World::around(&config, silent());
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "2").bytes());
    line.send(b"x");
    let answer = line.answer().refused(400, "bad_request");
    assert_eq!(
        world.access_line(&answer)["reason"],
        "the client's body did not go on for 200ms"
    );
    world.backend.wait_closed(1);
    assert_eq!(world.backend.seen().len(), 0);
    assert_eq!(world.count(&outcome("aborted")), 1);
}

#[test]
fn a_body_that_stalls_after_its_answer_has_begun_cuts_the_answer_off() {
    let backend = Backend::that(|conversation| {
        conversation.read_head();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        conversation.send_chunk(b"half");
        conversation.wait_end();
    });
    let world = World::around(&hurried(), backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "2").bytes());
    let (status, headers) = line.head().unwrap();
    let answer = line.finish("POST", status, headers);
    assert_eq!((answer.is_whole, answer.text().as_str()), (false, "half"));
    assert_eq!(world.access_line(&answer)["cut"], true);
    world.backend.wait_closed(1);
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 0);
}

#[test]
fn a_backend_that_stops_reading_a_body_is_given_up() {
    let given_up = Gate::default();
    let backend = Backend::that({
        let given_up = given_up.clone();
        move |conversation| {
            conversation.read_head();
            given_up.wait();
        }
    });
    let config = impatient().replace("workers = 1", "workers = 1\nmax_body = \"64MiB\"");
    let world = World::around(&config, backend);
    let mut line = world.connect();
    let length = 32 * 1024 * 1024;
    let ask = Ask::post("/open/").header("Content-Length", &length.to_string());
    line.send(&ask.bytes());
    line.send_while_taken(&vec![b'x'; length]);
    line.answer().refused(504, "upstream_timeout");
    given_up.open();
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 0);
}

#[test]
fn a_body_that_stalls_where_a_token_is_looked_for_is_a_bad_request() {
    let world = World::of(&hurried());
    let ask = Ask::post("/wx/login")
        .header("Content-Type", "application/json")
        .header("Content-Length", "2");
    let mut line = world.connect();
    line.send(&ask.bytes());
    let answer = line.answer().refused(400, "bad_request");
    assert_eq!(
        world.access_line(&answer)["reason"],
        "the body did not arrive in time"
    );
}

#[test]
fn an_answer_that_breaks_off_before_its_length_is_cut_for_the_client_too() {
    let (world, answer) = cut_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!((answer.is_whole, answer.text().as_str()), (false, "half"));
    let access = world.access_line(&answer);
    assert_eq!(
        (&access["cut"], &access["bytes"]),
        (&true.into(), &4.into())
    );
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 0);
}

#[test]
fn a_chunked_answer_that_breaks_off_is_cut_for_the_client_too() {
    for broken in [
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n4\r\nha",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnot a size\r\n",
    ] {
        let (world, answer) = cut_answer(broken);
        assert!(!answer.is_whole, "{answer:?}");
        assert!(answer.text().starts_with("half"), "{answer:?}");
        assert_eq!(world.access_line(&answer)["cut"], true);
        world.await_count(ACTIVE, 0);
    }
}

/// What is left when a client goes away while its request is at the backend.
fn nothing_is_left(world: &World) {
    world.backend.wait_closed(1);
    for gauge in [CONNECTIONS, ACTIVE, IDLE] {
        world.await_count(gauge, 0);
    }
}

#[test]
fn whatever_a_backend_breaks_off_leaves_no_connection_behind() {
    for (bytes, status) in [
        (&b""[..], 502),
        (b"HTTP/1.1 100 Continue\r\n\r\n", 502),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", 200),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            200,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: ",
            200,
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304),
    ] {
        let backend = Backend::that(move |conversation| {
            conversation.read_head();
            conversation.send(bytes);
        });
        let world = World::around(BASE, backend);
        let asks = [
            Ask::get("/open/"),
            Ask::new("HEAD", "/open/"),
            Ask::post("/open/").body(vec![b'x'; 512 * 1024]),
        ];
        for (asked, ask) in (1..).zip(asks) {
            let mut line = world.connect();
            line.send(&ask.bytes());
            assert_eq!(line.head().unwrap().0, status, "{ask:?}");
            drop(line);
            // One that is not closed yet would carry the next request, which is not always repeated.
            world.backend.wait_closed(asked);
        }
        for gauge in [ACTIVE, IDLE, CONNECTIONS] {
            world.await_count(gauge, 0);
        }
    }
}

#[test]
fn a_client_that_goes_away_before_the_answer_ends_the_request_at_the_backend() {
    let world = World::around(BASE, silent());
    let line = ask_and_wait(&world);
    drop(line);
    nothing_is_left(&world);
    world.await_count(&outcome("aborted"), 1);
    assert_eq!(world.backend.seen().len(), 1);
}

fn ask_and_wait(world: &World) -> Line {
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    world.backend.wait_seen(1);
    assert_eq!((world.count(ACTIVE), world.count(CONNECTIONS)), (1, 1));
    line
}

#[test]
fn a_client_that_goes_away_during_the_answer_ends_it_at_the_backend() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        conversation.send_chunk(b"half");
        conversation.wait_end();
    });
    let world = World::around(BASE, backend);
    let mut line = ask_and_wait(&world);
    let (_, headers) = line.head().unwrap();
    assert_eq!(line.chunk(), b"half");
    drop(line);
    nothing_is_left(&world);
    let (_, id) = headers
        .iter()
        .find(|(name, _)| name == "x-request-id")
        .unwrap();
    assert_eq!(world.log.access_line(id)["cut"], true);
}

#[test]
fn a_body_that_the_client_breaks_off_is_never_whole_at_the_backend_nor_repeated() {
    for framing in [("Content-Length", "4096"), ("Transfer-Encoding", "chunked")] {
        let world = World::new();
        let ask = Ask::post("/open/").header(framing.0, framing.1);
        let mut line = world.connect();
        line.send(&ask.bytes());
        line.send(b"400\r\n<?php");
        line.finish_sending();
        assert!(line.is_ended());
        nothing_is_left(&world);
        assert_eq!(world.backend.seen().len(), 0);
        assert_eq!(world.backend.connections(), 1);
        assert_eq!(world.count(&outcome("aborted")), 1);
    }
}

#[test]
fn a_chunked_body_that_is_no_chunked_body_is_a_bad_request() {
    let world = World::new();
    let ask = Ask::post("/open/").header("Transfer-Encoding", "chunked");
    let mut line = world.connect();
    line.send(&ask.bytes());
    line.send(b"not a size\r\n");
    line.answer().refused(400, "bad_request");
    assert!(line.is_ended());
    assert_eq!(world.backend.seen().len(), 0);
    world.backend.wait_closed(1);
}

#[test]
fn a_backend_that_refuses_a_body_early_is_heard() {
    let backend = Backend::that(|conversation| {
        conversation.read_head();
        conversation
            .send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    });
    let config = BASE.replace("workers = 1", "workers = 1\nmax_body = \"64MiB\"");
    let world = World::around(&config, backend);
    for _ in 0..20 {
        let answer = world.ask(&Ask::post("/open/").body(vec![b'x'; 8 * 1024 * 1024]));
        assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
    }
}

#[test]
fn an_answer_before_the_end_of_the_body_is_the_last_one_on_its_connection() {
    let backend = Backend::that(|conversation| {
        conversation.read_head();
        conversation.answer("200 OK", b"early");
        conversation.wait_end();
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "1000").bytes());
    let answer = line.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "early"));
    assert_eq!(answer.header("connection"), Some("close"));
    line.send(&[b'x'; 1000]);
    line.finish_sending();
    assert!(
        line.is_silent_to_its_end(),
        "the body must not be taken for a request"
    );
}
