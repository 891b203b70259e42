//! Backends that say more than they were asked, or say it too early: no client gets what is not the answer to its own
//! request.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::harness::{Ask, BASE, Backend, Gate, World};

const ACTIVE: &str = r#"wxgate_upstream_connections{upstream="php",state="active"}"#;
const IDLE: &str = r#"wxgate_upstream_connections{upstream="php",state="idle"}"#;

/// An answer that looks like any other.
const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";

/// A world whose backend says `first` on its first connection, and `EVIL` where the next answer would stand; on others it
/// answers as it should.
fn evil_after(first: &'static [u8]) -> World {
    let backend = Backend::that(move |conversation| {
        conversation.read_request();
        if conversation.number == 1 {
            conversation.send(first);
            if conversation.read_request().is_some() {
                conversation.send(EVIL);
            }
            conversation.wait_end();
            return;
        }
        conversation.answer("200 OK", b"seen");
    });
    World::around(BASE, backend)
}

#[test]
fn what_is_left_of_an_answer_that_may_have_no_body_is_not_the_next_answer() {
    for first in [
        &b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n"[..],
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let world = evil_after(first);
        assert_eq!(world.get("/open/").status, 204);
        let told = String::from_utf8_lossy(first);
        assert_eq!(world.get("/open/").text(), "seen", "{told}");
        world.await_count(ACTIVE, 0);
    }
}

#[test]
fn a_connection_that_is_to_be_closed_is_not_used_again_whatever_else_it_says() {
    for first in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close , Keep-Alive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive,\tCLOSE\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, close\r\n\r\n",
    ] {
        let world = evil_after(first);
        assert_eq!(world.get("/open/").status, 200);
        let told = String::from_utf8_lossy(first);
        assert_eq!(world.get("/open/").text(), "seen", "{told}");
    }
}

#[test]
fn what_comes_together_with_the_end_of_an_answer_ends_its_connection() {
    for first in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n",
    ] {
        let world = evil_after(first);
        assert!(world.get("/open/").is_whole);
        let told = String::from_utf8_lossy(first);
        assert_eq!(world.get("/open/").text(), "seen", "{told}");
    }
}

#[test]
fn a_body_behind_an_answer_to_head_is_no_answer_to_the_next_request() {
    let world = evil_after(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 200 OK\r\n");
    let mut line = world.connect();
    let pipelined = [Ask::new("HEAD", "/open/"), Ask::get("/open/")];
    line.send(&pipelined.map(|ask| ask.bytes()).concat());
    assert_eq!(line.answer_to("HEAD").status, 200);
    assert_eq!(line.answer().text(), "seen");
    assert_eq!(world.backend.connections(), 2);
}

#[test]
fn a_get_whose_answer_is_none_on_an_old_connection_is_repeated_on_a_new_one() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.answer("200 OK", b"seen");
        if conversation.number == 1 && conversation.read_request().is_some() {
            conversation.send(b"left over");
            conversation.send(EVIL);
        }
    });
    let world = World::around(BASE, backend);
    assert_eq!(world.get("/open/").text(), "seen");
    assert_eq!(world.get("/open/").text(), "seen");
    assert_eq!(world.backend.connections(), 2);
}

#[test]
fn what_nobody_asked_for_is_no_answer_to_who_asks_next() {
    for ask in [Ask::get("/open/"), Ask::post("/open/").body("x")] {
        let speak = Gate::default();
        let (tell, told) = channel();
        let tell = Mutex::new(tell);
        let backend = Backend::that({
            let speak = speak.clone();
            move |conversation| {
                conversation.read_request();
                conversation.answer("200 OK", b"seen");
                if conversation.number == 1 {
                    speak.wait();
                    conversation.send(EVIL);
                    tell.lock().unwrap().send(()).unwrap();
                }
                conversation.wait_end();
            }
        });
        let world = World::around(BASE, backend);
        assert_eq!(world.ask(&ask).text(), "seen");
        world.await_count(IDLE, 1);
        speak.open();
        told.recv().unwrap();
        assert_eq!(world.ask(&ask).text(), "seen");
        assert_eq!(world.backend.connections(), 2);
    }
}

#[test]
fn a_connection_whose_answer_overtook_the_request_carries_no_other() {
    let backend = Backend::that(|conversation| {
        while let Some(head) = conversation.read_head() {
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha");
            conversation.read_body(&head);
            conversation.send(b"lf");
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "2").bytes());
    assert_eq!(line.head().unwrap().0, 200);
    assert_eq!(line.read(2), b"ha");
    line.send(b"ab");
    assert_eq!(line.read(2), b"lf");
    world.backend.wait_closed(1);
    world.await_count(ACTIVE, 0);
    assert_eq!(world.count(IDLE), 0);
}

#[test]
fn a_backend_that_only_ever_says_to_go_on_is_given_up() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        let again = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(4096);
        while conversation.send_while_taken(&again) == again.len() {}
    });
    let world = World::around(BASE, backend);
    let answer = world.get("/open/").refused(502, "upstream_failed");
    let reason = world.access_line(&answer)["reason"].to_string();
    assert!(
        reason.contains("it says to go on without an end"),
        "{reason}"
    );
    world.backend.wait_closed(1);
}

#[test]
fn an_answer_without_a_body_may_tell_a_length_and_the_connection_goes_on() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            conversation.send(match seen.target.as_str() {
                "/open/304" => &b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"[..],
                "/open/204" => b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
                _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
            });
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    for (target, status) in [("304", 304), ("204", 204), ("200", 200), ("304", 304)] {
        let answer = line.ask(&Ask::get(&format!("/open/{target}")));
        assert_eq!((answer.status, answer.is_whole), (status, true));
    }
    assert_eq!(world.backend.connections(), 1);
}
