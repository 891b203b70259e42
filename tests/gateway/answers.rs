//! Answers of every shape that HTTP/1 allows, and of some that it does not.

use serde_json::Value;

use crate::harness::{Ask, BASE, Backend, Line, World};

/// A world whose backend answers every request with these bytes, and ends the connection.
fn answering(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> World {
    let backend = Backend::that(move |conversation| {
        conversation.read_request();
        conversation.send(bytes.as_ref());
    });
    World::around(BASE, backend)
}

#[test]
fn an_answer_to_head_keeps_its_length_and_the_connection_goes_on() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            match seen.method.as_str() {
                "HEAD" => conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
                _ => conversation.answer("200 OK", b"a body"),
            }
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    let head = line.ask(&Ask::new("HEAD", "/open/"));
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1234"))
    );
    let access = world.access_line(&head);
    assert_eq!(
        (&access["bytes"], &access["cut"]),
        (&0.into(), &Value::Null)
    );
    assert_eq!(line.ask(&Ask::get("/open/")).text(), "a body");
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn answers_without_a_body_pass_and_the_connections_go_on() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            let status = seen.target.trim_start_matches("/open/");
            conversation.send(format!("HTTP/1.1 {status} X\r\nETag: \"1\"\r\n\r\n").as_bytes());
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    for status in [204, 304] {
        for _ in 0..3 {
            let answer = line.ask(&Ask::get(&format!("/open/{status}")));
            assert_eq!(
                (answer.status, answer.header("etag")),
                (status, Some("\"1\""))
            );
            assert_eq!(answer.header("transfer-encoding"), None);
            assert_eq!(world.access_line(&answer)["cut"], Value::Null);
        }
    }
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn what_a_backend_says_before_its_answer_is_skipped() {
    let world = answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    let (status, headers) = line.head().unwrap();
    assert_eq!(status, 200, "{headers:?}");
    assert_eq!(line.read(2), b"ok");
}

#[test]
fn an_upgrade_that_nobody_asked_for_is_a_failure_of_the_backend() {
    let world =
        answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
    let answer = world.get("/open/").refused(502, "upstream_failed");
    assert_eq!(
        world.access_line(&answer)["reason"],
        "the backend answered with an upgrade that nobody asked for"
    );
    world.backend.wait_closed(1);
}

#[test]
fn a_chunked_answer_passes_without_its_trailers() {
    let world = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-OpenId\r\n\r\n\
         3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-OpenId: leaked\r\n\r\n",
    );
    let answer = world.get("/open/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcdefg"));
    assert_eq!(answer.header("trailer"), None);
    assert!(answer.is_whole);
}

#[test]
fn an_answer_of_http_1_0_that_ends_with_its_connection_is_whole() {
    let world = answering("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nold but whole");
    let mut line = world.connect();
    for _ in 0..3 {
        let answer = line.ask(&Ask::get("/open/"));
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "old but whole")
        );
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert!(answer.is_whole);
    }
}

#[test]
fn a_client_of_http_1_0_gets_an_answer_that_ends_with_the_connection() {
    let world = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n",
    );
    let mut line = world.connect();
    line.send(b"GET /open/ HTTP/1.0\r\nHost: api.example.com\r\n\r\n");
    let answer = line.answer();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "firstsecond")
    );
    assert_eq!(answer.header("transfer-encoding"), None);
}

#[test]
fn large_headers_of_a_backend_pass() {
    let large = "x".repeat(64 * 1024);
    let world = answering(format!(
        "HTTP/1.1 200 OK\r\nX-Large: {large}\r\nContent-Length: 0\r\n\r\n"
    ));
    let answer = world.get("/open/");
    assert_eq!(answer.header("x-large"), Some(&*large));
}

#[test]
fn what_is_not_http_is_a_failure_of_the_backend() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "",
    ] {
        let world = answering(garbage);
        world.get("/open/").refused(502, "upstream_failed");
        world
            .ask(&Ask::post("/open/").body("x"))
            .refused(502, "upstream_failed");
        assert_eq!(world.backend.connections(), 2, "after {garbage:?}");
        assert_eq!(
            world.count(r#"wxgate_upstream_requests_total{upstream="php",outcome="failed"}"#),
            2
        );
    }
}

#[test]
fn an_answer_of_the_gateway_to_head_has_no_body() {
    let world = World::new();
    let mut line: Line = world.connect();
    let answer = line.ask(&Ask::new("HEAD", "/private"));
    assert_eq!(answer.status, 401);
    assert_ne!(answer.header("content-length"), Some("0"));
    assert_eq!(line.ask(&Ask::get("/open/")).text(), "seen");
}
