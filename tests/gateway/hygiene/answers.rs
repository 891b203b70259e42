//! A backend's answer on its way to the client.

use crate::harness::{Answer, Ask, BASE, Backend, World};

/// What the client gets when a backend answers with these bytes, and then ends the connection.
fn answered(bytes: &'static str) -> (World, Answer) {
    let backend = Backend::that(move |conversation| {
        conversation.read_request();
        conversation.send(bytes.as_bytes());
    });
    let world = World::around(BASE, backend);
    let answer = world.get("/open/x");
    (world, answer)
}

fn names(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}

#[test]
fn no_answer_tells_an_identity_to_the_client() {
    let (_, answer) = answered(
        "HTTP/1.1 200 OK\r\nX-OpenId: o\r\nx_openid: o\r\nX.OPENID: o\r\nX-UnionId: u\r\nX_AppId: a\r\n\
         X-WX-OPENID: o\r\nx_wx_from_openid: o\r\nX.User-ID: i\r\nX_Wxgate_Event: e\r\nX-WX-Source: s\r\nX-WX-ENV: e\r\n\
         X-OpenIds: kept\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(
        names(&answer),
        ["content-length", "date", "x-openids", "x-request-id"]
    );
    assert_eq!(answer.text(), "ok");
}

#[test]
fn trailers_of_an_answer_do_not_reach_the_client() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 200 OK\r\nTrailer: X-OpenId\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nok\r\n0\r\nX-OpenId: o\r\nX_OpenId: o\r\n\r\n",
            );
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    for _ in 0..2 {
        line.send(&Ask::get("/open/x").header("TE", "trailers").bytes());
        let (status, headers) = line.head().unwrap();
        assert_eq!(status, 200);
        assert!(
            headers.iter().all(|(name, _)| name != "trailer"),
            "{headers:?}"
        );
        assert_eq!(line.read(12), b"2\r\nok\r\n0\r\n\r\n");
    }
}

#[test]
fn headers_of_one_hop_and_what_the_backends_connection_names_end_at_the_gateway() {
    let (_, answer) = answered(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Internal\r\nX-Internal: a\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nX-Kept: b\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(
        names(&answer),
        ["content-length", "date", "x-kept", "x-request-id"]
    );
}

#[test]
fn the_request_id_is_one_for_client_backend_and_log_whatever_the_backend_says() {
    let (world, answer) = answered(
        "HTTP/1.1 200 OK\r\nX-Request-Id: of-the-backend\r\nx-request-id: again\r\nContent-Length: 2\r\n\r\nok",
    );
    let seen = world.backend.only_seen();
    assert_eq!(answer.values("X-Request-Id"), seen.values("X-Request-Id"));
    assert_eq!(answer.values("X-Request-Id").len(), 1);
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["status"], &line["upstream"]),
        (&200.into(), &"php".into())
    );
}

#[test]
fn date_and_server_and_cookies_are_the_backends() {
    let (_, answer) = answered(
        "HTTP/1.1 201 Made\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: Apache/1.3\r\n\
         Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!(answer.status, 201);
    assert_eq!(answer.values("Date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
    assert_eq!(answer.values("Server"), ["Apache/1.3"]);
    assert_eq!(answer.values("Set-Cookie"), ["a=b", "c=d"]);
}

#[test]
fn a_backend_of_http_1_0_that_ends_its_answer_by_closing_is_understood() {
    let (world, answer) = answered("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end");
    assert_eq!((answer.status, answer.is_whole), (200, true));
    assert_eq!(answer.text(), "until the end");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let line = world.access_line(&answer);
    assert_eq!((&line["bytes"], line.get("cut")), (&13.into(), None));
}

#[test]
fn an_answer_that_is_not_http_is_refused_in_its_place() {
    for bytes in [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
        "HTTP/2.0 200 OK\r\n\r\n",
    ] {
        let (world, answer) = answered(bytes);
        let answer = answer.refused(502, "upstream_failed");
        assert_eq!(world.access_line(&answer)["upstream"], "php");
    }
}
