//! WebSockets: who may open one, what passes through it, and how it ends.

mod ends;
mod peers;
mod smuggling;

use std::sync::mpsc;

use serde_json::Value;

use crate::harness::{
    ACCEPT, Ask, BASE, Backend, CLOSE, LONGEST, Line, PING, TEXT, World, farewell, masked,
};

/// The routes on which WebSockets may be opened.
const ROUTES: &str = r#"
[[routes]]
path = "/ws/*"
upstream = "php"
websocket = true
response_headers = { set = { X-Frame-Options = "DENY" }, remove = ["X-Powered-By"] }

[[routes]]
path = "/open/ws"
upstream = "php"
auth = "none"
websocket = true

[[routes]]
path = "/maybe/ws"
upstream = "php"
auth = "optional"
websocket = true
"#;
const OPEN: &str = r#"wxgate_websockets{route="/ws/*"}"#;

/// Where skeys may stand, for clients that cannot set headers.
const PLACES: &str = "[sessions]\ntoken = [\"header:X-Skey\", \"query:skey\", \"cookie:skey\", \"subprotocol:wxgate.skey.\"]\n";

/// A backend that agrees and sends back what it gets.
fn echo() -> Backend {
    agreeing("")
}

/// The same with more headers.
fn agreeing(more: &'static str) -> Backend {
    Backend::that(move |conversation| {
        conversation.open_websocket(more);
        conversation.echo();
    })
}

/// The config with the routes and more of [server] and the upstream.
fn config(server: &str, upstream: &str) -> String {
    BASE.replace("workers = 1", &format!("workers = 1\n{server}"))
        .replace(
            "servers = [\"BACKEND\"]",
            &format!("servers = [\"BACKEND\"]\n{upstream}"),
        )
        + PLACES
        + ROUTES
}

fn world() -> World {
    around(echo())
}

fn around(backend: Backend) -> World {
    World::around(&config("", ""), backend)
}

/// An open WebSocket of alice's.
fn opened(world: &World) -> Line {
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    line.open_websocket(&Ask::websocket("/ws/room").skey(&skey));
    line
}

/// The access line of the one WebSocket that there was.
fn access_line(world: &World) -> Value {
    world
        .log
        .line("the WebSocket", |line| line["status"] == 101)
}

#[test]
fn a_websocket_is_opened_under_the_identity_of_its_session_and_carries_both_ways() {
    let world = around(agreeing(
        "X-OpenId: forged\r\nX-Powered-By: PHP\r\nX-Kept: 1\r\n",
    ));
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    let ask = Ask::websocket("/ws/room?skey=no&id=7")
        .skey(&skey)
        .header("X-OpenId", "forged")
        .header("Sec-WebSocket-Extensions", "permessage-deflate");
    let headers = line.open_websocket(&ask);
    let seen = world.backend.only_seen();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/ws/room?id=7")
    );
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("Connection"), ["upgrade"]);
    assert_eq!(seen.values("Upgrade"), ["websocket"]);
    assert_eq!(
        seen.values("Sec-WebSocket-Extensions"),
        ["permessage-deflate"]
    );
    assert!(!seen.head.contains(&skey), "{}", seen.head);

    let named = |name: &str| {
        let named = headers.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(named("sec-websocket-accept"), [ACCEPT]);
    assert_eq!(named("connection"), ["upgrade"]);
    assert_eq!(named("upgrade"), ["websocket"]);
    assert_eq!(named("x-openid"), [""; 0]);
    assert_eq!(named("x-powered-by"), [""; 0]);
    assert_eq!(
        (named("x-kept"), named("x-frame-options")),
        (vec!["1"], vec!["DENY"])
    );
    assert_eq!(
        (named("content-length"), named("transfer-encoding")),
        (vec![], vec![])
    );
    assert_eq!(named("x-request-id"), seen.values("X-Request-Id"));

    line.send_all(&masked(TEXT, b"hello"));
    assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
    line.send_all(&masked(PING, b"beat"));
    assert_eq!(line.frame(), (PING, b"beat".to_vec()));
    line.send_all(&masked(CLOSE, b"\x03\xe8done"));
    assert_eq!(line.farewell(), (1000, "done".to_owned()));
    assert!(line.is_silent_to_its_end());
}

#[test]
fn a_websocket_is_counted_while_it_lasts_and_has_one_line_at_its_end() {
    let world = world();
    let mut line = opened(&world);
    assert_eq!(world.count(OPEN), 1);
    assert_eq!(
        world.count(r#"wxgate_requests_total{route="/ws/*",status="101"}"#),
        1
    );
    line.send_all(&masked(TEXT, b"hello"));
    assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
    let all = world.log.access_lines();
    assert!(all.iter().all(|line| line["path"] != "/ws/room"), "{all:?}");
    line.send_all(&masked(CLOSE, b"\x03\xe8"));
    assert_eq!(line.farewell().0, 1000);
    drop(line);
    world.await_count(OPEN, 0);
    let told = access_line(&world);
    assert_eq!(told["path"], "/ws/room");
    assert_eq!(
        (&told["route"], &told["app"]),
        (&"/ws/*".into(), &"shop".into())
    );
    assert_eq!(
        (&told["received"], &told["bytes"]),
        (&19.into(), &11.into())
    );
    assert_eq!(told["ended"], "client");
    assert_eq!(told.get("cut"), None, "{told}");
    assert!(told["upstream_ms"].is_number() && told["duration_ms"].is_number());
    assert_eq!(
        world.count(r#"wxgate_requests_total{route="/ws/*",status="101"}"#),
        1
    );
    let states = r#"wxgate_upstream_connections{upstream="php",state="active"}"#;
    world.await_count(states, 0);
}

#[test]
fn a_route_takes_websockets_only_where_it_says_so() {
    let world = world();
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    line.send_all(&Ask::websocket("/orders").skey(&skey).bytes());
    let refused = line.answer().refused(400, "bad_request");
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(refused.header("sec-websocket-version"), Some("13"));
    let reason = world.access_line(&refused)["reason"].clone();
    assert_eq!(
        reason,
        "the route has no `websocket = true`, and so takes none"
    );
    assert!(line.is_ended());
    assert!(world.backend.seen().is_empty());
}

#[test]
fn without_a_session_there_is_no_websocket_but_on_open_routes() {
    let world = world();
    for (skey, code) in [(None, "session_missing"), (Some("A"), "session_invalid")] {
        let mut ask = Ask::websocket("/ws/room");
        if let Some(skey) = skey {
            ask = ask.skey(&skey.repeat(43));
        }
        let mut line = world.connect();
        line.send_all(&[ask.bytes(), masked(TEXT, b"early")].concat());
        line.answer().refused(401, code);
        assert!(line.is_ended());
    }
    assert!(world.backend.seen().is_empty());
    for target in ["/open/ws", "/maybe/ws"] {
        let mut line = world.connect();
        line.open_websocket(&Ask::websocket(target).header("X-OpenId", "forged"));
        line.send_all(&masked(TEXT, b"hello"));
        assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
        assert_eq!(world.backend.only_seen().values("X-OpenId"), [""; 0]);
        world.backend.forget();
    }
}

#[test]
fn an_skey_may_stand_in_every_place_that_a_handshake_has() {
    let world = around(agreeing("Sec-WebSocket-Protocol: chat.v2\r\n"));
    let skey = world.skey_of("alice");
    let offered = format!("chat.v1,wxgate.skey.{skey}, chat.v2");
    let asks = [
        Ask::websocket("/ws/a").skey(&skey),
        Ask::websocket(&format!("/ws/a?skey={skey}")),
        Ask::websocket("/ws/a").header("Cookie", &format!("a=b; skey={skey}")),
        Ask::websocket("/ws/a").header("Sec-WebSocket-Protocol", &offered),
    ];
    for (place, ask) in asks.into_iter().enumerate() {
        let ask = match place {
            3 => ask,
            _ => ask.header("Sec-WebSocket-Protocol", "chat.v1, chat.v2"),
        };
        let mut line = world.connect();
        let headers = line.open_websocket(&ask);
        let chosen = ("sec-websocket-protocol".to_owned(), "chat.v2".to_owned());
        assert!(headers.contains(&chosen), "{headers:?}");
        let seen = world.backend.only_seen();
        assert!(!seen.head.contains(&skey), "{}", seen.head);
        let kept = seen.values("Sec-WebSocket-Protocol").join(", ");
        let kept: Vec<_> = kept.split(',').map(str::trim).collect();
        assert_eq!(kept, ["chat.v1", "chat.v2"]);
        assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
        world.backend.forget();
    }
}

#[test]
fn who_offers_a_token_and_no_subprotocol_is_told_why_nothing_can_be_chosen() {
    let world = world();
    let skey = world.skey_of("alice");
    let offered = format!("wxgate.skey.{skey}");
    let ask = Ask::websocket("/ws/a").header("Sec-WebSocket-Protocol", &offered);
    let refused = world.ask(&ask).refused(400, "bad_request");
    let line = world.access_line(&refused);
    let reason = "the client offers no subprotocol beside its token, so that none can be chosen";
    assert_eq!(line["reason"], reason);
    assert!(!world.log.text().contains(&skey));
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_page_of_another_origin_opens_nothing_with_the_users_cookie() {
    let cors =
        "upstream = \"php\"\nwebsocket = true\ncors = { origins = [\"https://h5.example.com\"] }";
    let config = config("", "").replacen("upstream = \"php\"\nwebsocket = true", cors, 1);
    let world = World::around(&config, echo());
    let skey = world.skey_of("alice");
    let cookie = format!("skey={skey}");
    let ask = |origin: &str| {
        Ask::websocket("/ws/a")
            .header("Cookie", &cookie)
            .header("Origin", origin)
    };
    for origin in [
        "https://evil.example",
        "null",
        "https://api.example.com.evil.example",
    ] {
        let refused = world.ask(&ask(origin)).refused(400, "bad_request");
        let reason = world.access_line(&refused)["reason"].clone();
        assert_eq!(
            reason,
            "a page of another origin opens a WebSocket with the user's cookie"
        );
    }
    let twice = ask("https://h5.example.com").header("Origin", "https://evil.example");
    world.ask(&twice).refused(400, "bad_request");
    assert!(world.backend.seen().is_empty());
    // Its own pages may, those that the route names, and whoever holds the skey itself.
    world
        .connect()
        .open_websocket(&ask("https://api.example.com"));
    world
        .connect()
        .open_websocket(&ask("https://h5.example.com"));
    let held = Ask::websocket("/ws/a").skey(&skey);
    world
        .connect()
        .open_websocket(&held.header("Origin", "https://evil.example"));
}

#[test]
fn a_websocket_keeps_its_place_among_those_that_the_backend_has() {
    let world = World::around(&config("", "max_requests = 1\nqueue = 0"), echo());
    let line = opened(&world);
    world.get("/open/a").refused(503, "overloaded");
    drop(line);
    world.await_count(OPEN, 0);
    let mut line = world.connect();
    line.open_websocket(&Ask::websocket("/open/ws"));
}

#[test]
fn handshakes_count_towards_the_limits_of_address_and_user() {
    let limits = "[limits]\nrequests_per_user = \"1/m\"\n";
    let world = World::around(&format!("{}\n{limits}", config("", "")), echo());
    let skey = world.skey_of("alice");
    let ask = Ask::websocket("/ws/a").skey(&skey);
    world.connect().open_websocket(&ask);
    let refused = world.ask(&ask).refused(429, "rate_limited");
    assert_eq!(refused.header("connection"), Some("close"));
}

#[test]
fn what_the_backend_answers_instead_is_an_ordinary_answer_that_ends_the_connection() {
    for (status, body) in [
        ("200 OK", "a page"),
        ("404 Not Found", "none"),
        ("401 Unauthorized", "no"),
    ] {
        let backend = Backend::that(move |conversation| {
            while conversation.read_request().is_some() {
                conversation.answer(status, body.as_bytes());
            }
        });
        let world = around(backend);
        let mut line = world.connect();
        line.send_all(&Ask::websocket("/open/ws").bytes());
        let answer = line.answer();
        assert_eq!(answer.text(), body);
        assert!(status.starts_with(&answer.status.to_string()));
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(line.is_silent_to_its_end());
        // The backend's connection is as good as any.
        assert_eq!(world.get("/open/a").text(), body);
        assert_eq!(world.backend.connections(), 1);
        assert_eq!(world.count(r#"wxgate_websockets{route="/open/ws"}"#), 0);
    }
}

#[test]
fn a_backend_that_never_answers_is_given_up_in_its_time() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.wait_end();
    });
    let world = World::around(&config("", "timeout = \"200ms\""), backend);
    let mut line = world.connect();
    line.send_all(&[Ask::websocket("/open/ws").bytes(), masked(TEXT, b"early")].concat());
    let refused = line.answer().refused(504, "upstream_timeout");
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(line.is_ended());
    world.backend.wait_closed(1);
}

#[test]
fn what_is_said_early_and_late_passes_in_order() {
    let (tell, heard) = mpsc::channel();
    let backend = Backend::that(move |conversation| {
        conversation.read_request().unwrap();
        let agreed = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        // In one write with the answer.
        let first = [agreed.as_bytes(), &masked(TEXT, b"first")].concat();
        conversation.send(&first);
        tell.send(conversation.read_frame().unwrap()).unwrap();
        conversation.send(&farewell(1000, ""));
        conversation.wait_end();
    });
    let world = around(backend);
    let mut line = world.connect();
    line.send_all(&[Ask::websocket("/open/ws").bytes(), masked(TEXT, b"early")].concat());
    assert_eq!(line.head().unwrap().0, 101);
    assert_eq!(line.read(11), masked(TEXT, b"first"));
    assert_eq!(
        heard.recv_timeout(LONGEST).unwrap(),
        (TEXT, b"early".to_vec())
    );
    assert_eq!(line.farewell().0, 1000);
}
