//! Bodies that are too large, or not wanted: what is refused is not read, and what is cut off never looks whole.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::harness::{Ask, BASE, Backend, World};

const SMALL: &str = "workers = 1\nmax_body = \"1KiB\"";

/// A world where a body may have 1 KiB.
fn small() -> World {
    World::where_config(&[("workers = 1", SMALL)])
}

/// A world where a body may have 1 KiB, and what became of each request's body at the backend.
fn watched(answer_first: bool) -> (World, Receiver<Option<Vec<u8>>>) {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    let backend = Backend::that(move |conversation| {
        while let Some(head) = conversation.read_head() {
            if answer_first {
                conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
            }
            let body = conversation.read_body(&head);
            tell.lock().unwrap().send(body).unwrap();
            conversation.wait_end();
        }
    });
    (
        World::around(&BASE.replace("workers = 1", SMALL), backend),
        told,
    )
}

#[test]
fn a_body_that_announces_too_much_is_refused_and_nothing_of_it_is_forwarded() {
    let world = small();
    let answer = world.ask(&Ask::post("/open/").body([b'x'; 1025]));
    let answer = answer.refused(413, "body_too_large");
    assert_eq!(
        world.access_line(&answer)["reason"],
        "the body is over 1024 bytes"
    );
    assert_eq!(world.backend.connections(), 0);
    assert_eq!(
        world.ask(&Ask::post("/open/").body([b'x'; 1024])).status,
        200
    );
}

#[test]
fn a_chunked_body_over_the_limit_is_refused_and_never_whole_at_the_backend() {
    let (world, bodies) = watched(false);
    let mut line = world.connect();
    let ask = Ask::post("/open/").header("Transfer-Encoding", "chunked");
    line.send(&ask.bytes());
    let chunk = [&b"200\r\n"[..], &[b'x'; 512], b"\r\n"].concat();
    for _ in 0..2 {
        line.send(&chunk);
    }
    line.send(b"1\r\nx\r\n0\r\n\r\n");
    line.answer().refused(413, "body_too_large");
    assert_eq!(bodies.recv().unwrap(), None);
    world.backend.wait_closed(1);
    world.await_count(
        r#"wxgate_upstream_requests_total{upstream="php",outcome="aborted"}"#,
        1,
    );
}

#[test]
fn a_chunked_body_over_the_limit_cuts_off_an_answer_that_has_begun() {
    let (world, bodies) = watched(true);
    let mut line = world.connect();
    let ask = Ask::post("/open/").header("Transfer-Encoding", "chunked");
    line.send(&ask.bytes());
    let (status, headers) = line.head().unwrap();
    assert_eq!(status, 200);
    assert_eq!(line.read(2), b"ha");
    line.send(b"401\r\n");
    line.send(&[b'x'; 1025]);
    line.send(b"\r\n0\r\n\r\n");
    assert!(line.is_ended());
    assert_eq!(bodies.recv().unwrap(), None);
    let id = headers.iter().find(|(name, _)| name == "x-request-id");
    let access = world.log.access_line(&id.unwrap().1);
    assert_eq!(
        (&access["cut"], &access["bytes"]),
        (&true.into(), &2.into())
    );
}

#[test]
fn a_route_has_a_limit_of_its_own() {
    let route = |path: &str, limit: &str| {
        format!(
            "[[routes]]\npath = \"{path}\"\nupstream = \"php\"\nauth = \"none\"\nmax_body = \"{limit}\"\n"
        )
    };
    let config = format!("{BASE}{}{}", route("/large", "64KiB"), route("/tiny", "2B"));
    let world = World::of(&config.replace("workers = 1", SMALL));
    let status =
        |path: &str, length: usize| world.ask(&Ask::post(path).body(vec![b'x'; length])).status;
    assert_eq!(status("/large", 64 * 1024), 200);
    assert_eq!(status("/large", 64 * 1024 + 1), 413);
    assert_eq!((status("/tiny", 2), status("/tiny", 3)), (200, 413));
    assert_eq!((status("/open/", 1024), status("/open/", 1025)), (200, 413));
}

#[test]
fn a_client_that_waits_for_leave_gets_it_when_its_body_is_wanted() {
    let world = World::new();
    let ask = Ask::post("/open/")
        .header("Expect", "100-continue")
        .header("Content-Length", "4");
    let mut line = world.connect();
    line.send(&ask.bytes());
    assert_eq!(line.head().unwrap(), (100, Vec::new()));
    line.send(b"body");
    assert_eq!(line.answer().text(), "seen");
    let seen = world.backend.only_seen();
    assert_eq!(seen.body, b"body");
    assert_eq!(seen.values("Expect"), [""; 0]);
}

#[test]
fn a_client_that_waits_for_leave_is_refused_without_it_and_its_body_is_not_read() {
    let world = small();
    for (path, length, status, code) in [
        ("/private", "4", 401, "session_missing"),
        ("/open/", "4096", 413, "body_too_large"),
        ("/open//x", "4", 400, "bad_request"),
        ("/wx/login", "100000", 413, "body_too_large"),
    ] {
        let ask = Ask::post(path)
            .header("Expect", "100-continue")
            .header("Content-Type", "application/json")
            .header("Content-Length", length);
        let mut line = world.connect();
        line.send(&ask.bytes());
        let (first, headers) = line.head().unwrap();
        assert_eq!(first, status, "{headers:?}");
        let answer = line.finish("POST", first, headers).refused(status, code);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(line.is_ended());
    }
    assert_eq!(world.backend.connections(), 0);
}

#[test]
fn a_refusal_is_read_whole_by_a_client_that_sends_all_of_a_large_body_first() {
    let world = World::new();
    let body = vec![b'x'; 10 * 1024 * 1024];
    let ask = Ask::post("/private").header("Content-Length", &body.len().to_string());
    let mut line = world.connect();
    line.send(&ask.bytes());
    line.send_all(&body);
    let answer = line.answer().refused(401, "session_missing");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(line.is_ended());
}
