//! Bodies in both directions, which go as fast as the slower side and no faster.

use h2::client::Builder;

use super::{around, world};
use crate::harness::{Ask, Backend, Gate, Multiplexed};

/// More than all windows and buffers on the way hold, in bytes.
const MUCH: usize = 64 << 20;

#[test]
fn a_body_of_unknown_length_streams_while_it_is_sent() {
    let gate = Gate::default();
    let opens = gate.clone();
    let backend = Backend::that(move |conversation| {
        let head = conversation.read_head().unwrap();
        assert_eq!(head.values("Transfer-Encoding"), ["chunked"]);
        assert_eq!(conversation.read(10).unwrap(), b"5\r\nfirst\r\n");
        opens.open();
        assert_eq!(conversation.read(16).unwrap(), b"6\r\nsecond\r\n0\r\n\r\n");
        conversation.answer("200 OK", b"seen");
        conversation.wait_end();
    });
    let world = around(backend);
    let mut line = Multiplexed::to(world.address());
    let mut stream = line.open_to_go_on(&Ask::post("/open/"), true);
    stream.send(b"first", false);
    gate.wait();
    stream.send(b"second", true);
    assert_eq!(stream.answer().text(), "seen");
}

#[test]
fn server_sent_events_come_one_by_one() {
    let next = Gate::default();
    let backend = Backend::that({
        let next = next.clone();
        move |conversation| {
            conversation.read_request();
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
            conversation.send(b"data: 1\n\n");
            next.wait();
            conversation.send(b"data: 2\n\n");
        }
    });
    let world = around(backend);
    let mut line = Multiplexed::to(world.address());
    let mut stream = line.begin(&Ask::get("/open/events"));
    stream.head().unwrap();
    assert_eq!(&stream.piece().unwrap().unwrap()[..], b"data: 1\n\n");
    next.open();
    assert_eq!(&stream.piece().unwrap().unwrap()[..], b"data: 2\n\n");
    let rest = stream.piece().unwrap();
    assert!(rest.is_none_or(|rest| rest.is_empty()));
}

#[test]
fn a_long_body_arrives_whole_both_ways() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            conversation.answer("200 OK", &seen.body);
        }
    });
    let world = around(backend);
    let body: Vec<_> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let mut line = Multiplexed::to(world.address());
    let answer = line.ask(&Ask::post("/open/").body(&body));
    assert_eq!(answer.header("content-length"), Some("3000000"));
    assert!(answer.body == body);
}

#[test]
fn a_client_sends_no_more_than_the_backend_takes_and_a_window() {
    let gate = Gate::default();
    let waits = gate.clone();
    let backend = Backend::that(move |conversation| {
        conversation.read_head();
        waits.wait();
    });
    let config = super::config().replace("[admin]", "max_body = \"1GiB\"\n[admin]");
    let world = crate::harness::World::around(&config, backend);
    let mut line = Multiplexed::to(world.address());
    let mut stream = line.open_to_go_on(&Ask::post("/open/"), true);
    let sent = stream.send_while_taken(&vec![0; MUCH]);
    assert!((256 << 10..MUCH / 2).contains(&sent), "{sent}");
    // Other streams have room of their own.
    let other = line.ask(&Ask::post("/wx/login").form(&[("code", "none")]));
    assert_eq!(other.status, 401, "{other:?}");
    gate.open();
}

#[test]
fn a_backend_sends_no_more_than_the_client_takes_and_a_buffer() {
    let (gate, told) = (
        Gate::default(),
        std::sync::Arc::new(std::sync::OnceLock::new()),
    );
    let (opens, tells) = (gate.clone(), told.clone());
    let backend = Backend::that(move |conversation| {
        conversation.read_request();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n");
        conversation.send(head.as_bytes());
        tells
            .set(conversation.send_while_taken(&vec![0; MUCH]))
            .unwrap();
        opens.open();
    });
    let world = around(backend);
    let mut settings = Builder::new();
    settings
        .initial_window_size(100_000)
        .initial_connection_window_size(1 << 20);
    let mut line = Multiplexed::with(&settings, world.address());
    let mut stream = line.begin(&Ask::get("/open/"));
    stream.head().unwrap();
    gate.wait();
    let taken = *told.get().unwrap();
    assert!((100_000..MUCH / 2).contains(&taken), "{taken}");
    assert_eq!(line.ask(&Ask::get("/wx/check")).status, 401);
}

#[test]
fn trailers_of_a_client_stay_behind() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let mut stream = line.open_to_go_on(&Ask::post("/open/"), true);
    stream.send(b"hello", false);
    stream.send_trailers(&[("x-openid", "forged")]);
    assert_eq!(stream.answer().status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.values("X-OpenId"), Vec::<&str>::new());
}
