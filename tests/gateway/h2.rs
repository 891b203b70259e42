//! HTTP/2 from clients: the same journey as in HTTP/1.1, many at a time on one connection.

mod authority;
mod flow;
mod guests;
mod limits;
mod rules;

use h2::Reason;

use crate::harness::{Ask, BASE, Backend, Gate, Multiplexed, World};

/// A world that speaks HTTP/2 in the clear.
fn world() -> World {
    around(Backend::start())
}

fn around(backend: Backend) -> World {
    World::around(&config(), backend)
}

fn config() -> String {
    BASE.replace("workers = 1", "workers = 1\nh2c = true")
}

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

#[test]
fn a_request_reaches_the_backend_as_one_of_http_1_1_with_the_identity_of_its_session() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let code = world.wechat.issue_code("alice");
    let login = line.ask(&Ask::post("/wx/login").form(&[("code", &code)]));
    let skey = login.json()["skey"].as_str().unwrap().to_owned();
    let ask = Ask::post("/orders?a=b")
        .skey(&skey)
        .header("X-OpenId", "forged")
        .header("TE", "trailers")
        .body("hello");
    let answer = line.ask(&ask);
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    assert!(answer.header("date").is_some(), "{answer:?}");
    assert_eq!(answer.header("content-length"), Some("4"));
    let seen = world.backend.only_seen();
    let first = seen.head.lines().next();
    assert_eq!(first, Some("POST /orders?a=b HTTP/1.1"));
    assert_eq!(seen.values("Host"), ["api.example.com"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("Content-Length"), ["5"]);
    assert_eq!(seen.values("TE"), Vec::<&str>::new());
    assert_eq!(seen.body, b"hello");
    let logged = world.access_line(&answer);
    assert_eq!(
        (&logged["status"], &logged["path"], &logged["bytes"]),
        (&200.into(), &"/orders".into(), &4.into())
    );
    let counted = world.count("wxgate_requests_total{route=\"/*\",status=\"200\"}");
    assert_eq!(counted, 1, "{}", world.admin("/metrics").text());
}

#[test]
fn http_2_is_spoken_in_the_clear_only_where_it_is_asked_for_and_http_1_beside_it() {
    let world = World::new();
    let refused = world.connect().ask(&Ask::new("PRI", "*"));
    assert_eq!(refused.status, 400);
    let mut line = world.connect();
    line.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    line.answer().refused(400, "bad_request");
    let world = self::world();
    let upgrade = Ask::get("/open/")
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA");
    let mut line = world.connect();
    assert_eq!(line.ask(&upgrade).status, 200);
    assert_eq!(line.ask(&Ask::new("PRIX", "/open/")).status, 200);
    let seen = world.backend.seen();
    assert_eq!(seen.len(), 2);
    for name in ["Upgrade", "HTTP2-Settings"] {
        assert_eq!(seen[0].values(name), Vec::<&str>::new());
    }
}

#[test]
fn one_answer_does_not_wait_for_another() {
    let gate = Gate::default();
    let world = around(behind(&gate));
    let mut line = Multiplexed::to(world.address());
    let slow = line.begin(&Ask::get("/open/"));
    world.backend.wait_seen(1);
    line.ask(&Ask::get("/wx/check"))
        .refused(401, "session_missing");
    gate.open();
    assert_eq!(slow.answer().text(), "finished");
    assert_eq!(world.count("wxgate_connections"), 1);
}

#[test]
fn cookies_in_several_headers_reach_the_backend_in_one() {
    let world = world();
    let ask = Ask::get("/open/").header("Cookie", "a=b");
    let ask = ask.header("Cookie", "c=d").header("Cookie", "e=f");
    Multiplexed::to(world.address()).ask(&ask);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Cookie"), ["a=b; c=d; e=f"]);
    assert_eq!(seen.head.matches("ookie").count(), 1, "{}", seen.head);
}

#[test]
fn an_answer_without_a_body_ends_with_its_head() {
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            match seen.target.as_str() {
                "/open/204" => conversation.send(b"HTTP/1.1 204 No Content\r\n\r\n"),
                "/open/304" => {
                    conversation.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
                }
                _ => conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
            }
        }
    });
    let world = around(backend);
    let mut line = Multiplexed::to(world.address());
    for (method, target, status, length) in [
        ("HEAD", "/open/", 200, Some("9")),
        ("GET", "/open/204", 204, None),
        ("GET", "/open/304", 304, None),
        ("HEAD", "/orders", 401, None),
    ] {
        let answer = line.ask(&Ask::new(method, target));
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{target}");
        if length.is_some() || status != 401 {
            assert_eq!(answer.header("content-length"), length, "{target}");
        }
        assert!(world.access_line(&answer).get("cut").is_none(), "{target}");
    }
}

#[test]
fn what_concerns_a_connection_of_http_1_alone_stays_behind() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: timeout=5\r\n\
                X-Own: a\r\nX-Kept: b\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n\
                4\r\nseen\r\n0\r\nX-Late: c\r\n\r\n",
            );
        }
    });
    let world = around(backend);
    let answer = Multiplexed::to(world.address()).ask(&Ask::get("/open/"));
    assert_eq!(answer.text(), "seen");
    assert_eq!(answer.header("x-kept"), Some("b"));
    for name in [
        "connection",
        "keep-alive",
        "transfer-encoding",
        "x-own",
        "x-late",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
}

#[test]
fn the_connection_goes_on_behind_a_refusal_of_a_body_that_is_not_read() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let endless = Ask::post("/orders").header("Content-Length", "5000000");
    let answer = line.open_to_go_on(&endless, true).answer();
    assert_eq!(answer.header("connection"), None);
    answer.refused(401, "session_missing");
    let too_large = Ask::post("/open/").header("Content-Length", "500000000");
    let answer = line.open_to_go_on(&too_large, true).answer();
    answer.refused(413, "body_too_large");
    assert_eq!(line.ask(&Ask::get("/open/")).status, 200);
    assert_eq!(world.backend.seen().len(), 1);
}

#[test]
fn a_client_that_waits_for_leave_gets_it_when_its_body_is_wanted() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let ask = Ask::post("/open/").header("Expect", "100-continue");
    let mut stream = line.open_to_go_on(&ask, true);
    assert!(stream.is_told_to_go_on());
    stream.send(b"hello", true);
    assert_eq!(stream.answer().status, 200);
    assert_eq!(world.backend.only_seen().body, b"hello");
}

#[test]
fn a_stream_that_its_client_resets_takes_its_request_along() {
    let gate = Gate::default();
    let world = around(behind(&gate));
    let mut line = Multiplexed::to(world.address());
    let mut stream = line.begin(&Ask::get("/open/left"));
    world.backend.wait_seen(1);
    stream.reset(Reason::CANCEL);
    let left = |line: &serde_json::Value| line["path"] == "/open/left";
    assert_eq!(world.log.line("the reset", left)["status"], 499);
    gate.open();
    world.backend.wait_closed(1);
    assert_eq!(line.ask(&Ask::get("/open/")).status, 200);
}

#[test]
fn a_backend_that_breaks_off_resets_the_stream_alone() {
    let backend = Backend::that(|conversation| {
        if conversation.read_request().is_some() {
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nseen");
        }
    });
    let world = around(backend);
    let mut line = Multiplexed::to(world.address());
    let stream = line.begin(&Ask::get("/open/"));
    assert_eq!(stream.reason(), Reason::INTERNAL_ERROR);
    let broken = |line: &serde_json::Value| line["path"] == "/open/";
    let logged = world.log.line("the break", broken);
    assert_eq!(
        (&logged["status"], &logged["cut"]),
        (&200.into(), &true.into())
    );
    assert_eq!(line.ask(&Ask::get("/wx/check")).status, 401);
}

#[test]
fn a_gateway_that_stops_finishes_what_was_asked_and_takes_nothing_more() {
    let gate = Gate::default();
    let mut world = around(behind(&gate));
    let mut line = Multiplexed::to(world.address());
    let idle = Multiplexed::to(world.address());
    let stream = line.begin(&Ask::get("/open/"));
    world.backend.wait_seen(1);
    let gateway = world.take_gateway();
    let stopping = std::thread::spawn(move || gateway.stop().map_err(|error| error.to_string()));
    idle.end().unwrap();
    gate.open();
    assert_eq!(stream.answer().text(), "finished");
    line.end().unwrap();
    stopping.join().unwrap().unwrap();
    assert!(!world.log.text().contains("connections were cut off"));
}
