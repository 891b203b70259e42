//! How many requests a backend has at a time, and how many connections an address.

use std::sync::mpsc;
use std::thread;

use crate::harness::{Ask, BASE, Backend, Gate, World};

/// A world whose backend takes one request at a time and says nothing until the gate is open.
fn crowded(workers: &str, queue: &str) -> (World, Gate) {
    let gate = Gate::default();
    let held = gate.clone();
    let backend = Backend::that(move |conversation| {
        while conversation.read_request().is_some() {
            held.wait();
            conversation.answer("200 OK", b"seen");
        }
    });
    let servers = "servers = [\"BACKEND\"]";
    let config = BASE
        .replace("workers = 1", workers)
        .replace(servers, &format!("{servers}\nmax_requests = 1\n{queue}"));
    (World::around(&config, backend), gate)
}

#[test]
fn a_request_beyond_what_the_backend_takes_waits_or_is_refused() {
    for workers in ["workers = 1", "workers = 2"] {
        let (world, gate) = crowded(workers, "queue = 1");
        let ask = Ask::get("/open/a");
        let mut first = world.connect();
        first.send(&ask.bytes());
        world.backend.wait_seen(1);
        let (answered, answers) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..2 {
                let (world, answered, ask) = (&world, answered.clone(), &ask);
                scope.spawn(move || answered.send(world.ask(ask)).unwrap());
            }
            // One of them waits, and so the other is told at once.
            let refused = answers.recv().unwrap().refused(503, "overloaded");
            assert_eq!(refused.header("retry-after"), Some("1"));
            assert_eq!(world.backend.seen().len(), 1);
            gate.open();
            assert_eq!(first.answer().text(), "seen");
            assert_eq!(answers.recv().unwrap().text(), "seen");
        });
        assert_eq!(world.get("/open/a").text(), "seen");
    }
}

#[test]
fn a_client_that_goes_away_gives_its_place_back() {
    let (world, gate) = crowded("workers = 1", "queue = 0");
    let mut first = world.connect();
    first.send(&Ask::get("/open/a").bytes());
    world.backend.wait_seen(1);
    world.get("/open/a").refused(503, "overloaded");
    drop(first);
    world.await_count("wxgate_connections", 0);
    gate.open();
    assert_eq!(world.get("/open/a").text(), "seen");
}

#[test]
fn an_address_has_only_so_many_connections() {
    let most = "workers = 2\nmax_connections_per_address = 2";
    let world = World::where_config(&[("workers = 1", most)]);
    let mut kept = [world.connect(), world.connect()];
    for line in &mut kept {
        assert_eq!(line.ask(&Ask::get("/open/a")).text(), "seen");
    }
    let mut third = world.connect();
    let refused = third.answer().refused(429, "rate_limited");
    let reason = world.access_line(&refused)["reason"].clone();
    assert_eq!(reason, "the address has too many connections");
    assert!(third.is_ended());
    // Those that were there go on, and when one ends there is room again.
    let [mut first, second] = kept;
    assert_eq!(first.ask(&Ask::get("/open/a")).text(), "seen");
    drop(second);
    world.await_count("wxgate_connections", 1);
    assert_eq!(world.get("/open/a").text(), "seen");
}

#[test]
fn a_proxy_in_front_has_the_connections_of_all_its_clients() {
    let most = "workers = 1\nmax_connections_per_address = 1\ntrusted_proxies = [\"127.0.0.1\"]";
    let world = World::where_config(&[("workers = 1", most)]);
    let mut lines = [world.connect(), world.connect(), world.connect()];
    for line in &mut lines {
        assert_eq!(line.ask(&Ask::get("/open/a")).text(), "seen");
    }
}
