//! Upgrades by which more could reach a backend than was decided on, or less than was: none of them does.

use super::{Line, around, config, echo, world};
use crate::harness::{ACCEPT, Ask, Backend, Gate, KEY, TEXT, World, masked};

const SMUGGLED: &[u8] =
    b"GET /open/smuggled HTTP/1.1\r\nHost: api.example.com\r\nX-OpenId: boss\r\n\r\n";

/// A backend that answers each handshake with these bytes, and whatever comes then as a request.
fn answering(bytes: String) -> Backend {
    Backend::that(move |conversation| {
        conversation.read_request();
        conversation.send(bytes.as_bytes());
        while conversation.read_request().is_some() {
            conversation.answer("200 OK", b"smuggled");
        }
    })
}

/// Holds that a handshake and what is said behind it are one request to the backend, and one line.
#[track_caller]
fn is_one(world: &World, line: &mut Line) {
    assert!(line.is_ended());
    assert_eq!(world.backend.seen().len(), 1, "{:#?}", world.backend.seen());
    assert_eq!(world.log.access_lines().len(), 1);
}

#[test]
fn nothing_reaches_the_backend_behind_a_handshake_before_it_has_agreed() {
    let (asked, answer) = (Gate::default(), Gate::default());
    let backend = Backend::that({
        let (asked, answer) = (asked.clone(), answer.clone());
        move |conversation| {
            if conversation.number > 1 {
                conversation.read_request();
                conversation.answer("200 OK", b"");
                return;
            }
            conversation.read_request();
            asked.open();
            answer.wait();
            assert!(conversation.is_quiet());
            conversation.answer("200 OK", b"not agreed");
            assert_eq!(conversation.rest(), b"");
        }
    });
    let world = around(backend);
    let mut line = world.connect();
    line.send_all(&[Ask::websocket("/open/ws").bytes(), SMUGGLED.to_vec()].concat());
    asked.wait();
    line.send_all(SMUGGLED);
    // The one worker has seen to all that had come before.
    assert_eq!(world.get("/open/a").status, 200);
    answer.open();
    assert_eq!(line.answer().text(), "not agreed");
    assert!(line.is_silent_to_its_end());
    let targets: Vec<_> = world
        .backend
        .seen()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    assert_eq!(targets, ["/open/ws", "/open/a"]);
}

#[test]
fn what_is_sent_early_is_not_read_without_a_limit() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.wait_end();
    });
    let world = around(backend);
    let mut line = world.connect();
    line.send_all(&Ask::websocket("/open/ws").bytes());
    world.backend.wait_seen(1);
    let many = vec![0; 64 * 1024 * 1024];
    let taken = line.send_while_taken(&many);
    assert!(taken < many.len() / 2, "{taken} bytes were taken");
}

#[test]
fn a_refused_upgrade_leaves_no_connection_on_which_a_request_could_be_smuggled() {
    for status in ["200 OK", "400 Bad Request", "426 Upgrade Required"] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        let world = around(answering(answer));
        let mut line = world.connect();
        line.send_all(&[Ask::websocket("/open/ws").bytes(), SMUGGLED.to_vec()].concat());
        let answer = line.answer();
        assert_eq!(answer.text(), "no");
        line.send(SMUGGLED);
        is_one(&world, &mut line);
    }
}

#[test]
fn a_forged_agreement_opens_nothing() {
    let good = ["Upgrade: websocket", "Connection: Upgrade"];
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let [upgrade, connection] = good;
    let wrong = "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let cases: [(&[&str], &str); 13] = [
        (
            &[upgrade, connection],
            "its Sec-WebSocket-Accept is not the one",
        ),
        (
            &[upgrade, connection, wrong],
            "its Sec-WebSocket-Accept is not the one",
        ),
        (
            &[upgrade, connection, &accept, &accept],
            "its Sec-WebSocket-Accept is not the one",
        ),
        (&[&accept], "it does not say Upgrade: websocket"),
        (&[upgrade, &accept], "it does not say Upgrade: websocket"),
        (&[connection, &accept], "it does not say Upgrade: websocket"),
        (
            &["Upgrade: h2c", connection, &accept],
            "it does not say Upgrade: websocket",
        ),
        (
            &[upgrade, upgrade, connection, &accept],
            "it does not say Upgrade: websocket",
        ),
        (
            &[
                upgrade,
                connection,
                &accept,
                "Sec-WebSocket-Protocol: other",
            ],
            "it chooses a subprotocol",
        ),
        (
            &[
                upgrade,
                connection,
                &accept,
                "Sec-WebSocket-Protocol: chat, b",
            ],
            "it chooses a subprotocol",
        ),
        (
            &[
                upgrade,
                connection,
                &accept,
                "Sec-WebSocket-Extensions: x-other",
            ],
            "it uses an extension",
        ),
        (
            &[upgrade, connection, &accept, "Content-Length: 9"],
            "it tells of a body",
        ),
        (
            &[upgrade, connection, &accept, "Transfer-Encoding: chunked"],
            "it tells of a body",
        ),
    ];
    for (headers, reason) in cases {
        let lines = headers.join("\r\n");
        let world = around(answering(format!(
            "HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n\r\n"
        )));
        let mut line = world.connect();
        let ask = Ask::websocket("/open/ws")
            .header("Sec-WebSocket-Protocol", "chat, b")
            .header(
                "Sec-WebSocket-Extensions",
                "permessage-deflate; client_max_window_bits",
            );
        line.send_all(&[ask.bytes(), SMUGGLED.to_vec()].concat());
        let refused = line.answer().refused(502, "upstream_failed");
        let told = world.access_line(&refused)["reason"]
            .as_str()
            .unwrap()
            .to_owned();
        let whole = format!("the backend's answer does not open the WebSocket: {reason}");
        assert!(told.starts_with(&whole), "{headers:?}: {told}");
        is_one(&world, &mut line);
    }
}

#[test]
fn an_offered_extension_and_subprotocol_may_be_chosen() {
    let more = "Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: Permessage-Deflate; server_no_context_takeover\r\nContent-Length: 0\r\n";
    let world = around(super::agreeing(more));
    let ask = Ask::websocket("/open/ws")
        .header("Sec-WebSocket-Protocol", "chat")
        .header("Sec-WebSocket-Protocol", "b")
        .header("Sec-WebSocket-Extensions", "x-other, permessage-deflate");
    let mut line = world.connect();
    line.open_websocket(&ask);
    line.send_all(&masked(TEXT, b"hello"));
    assert_eq!(line.frame(), (TEXT, b"hello".to_vec()));
}

#[test]
fn a_switch_that_nobody_asked_for_is_a_failure_of_the_backend_here_too() {
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    let world = around(answering(agreed));
    let refused = world.get("/open/ws").refused(502, "upstream_failed");
    let reason = world.access_line(&refused)["reason"].clone();
    assert_eq!(
        reason,
        "the backend answered with an upgrade that nobody asked for"
    );
}

#[test]
fn a_handshake_that_is_none_is_refused_before_the_backend_hears_of_it() {
    let ask = || Ask::websocket("/open/ws");
    let without = |name| ask().without(name);
    let method = "a WebSocket is opened with GET";
    let body = "a WebSocket handshake has no body";
    let version = "a WebSocket handshake says Sec-WebSocket-Version: 13, once";
    let key = "a WebSocket handshake has one Sec-WebSocket-Key, of 16 bytes in base64";
    let protocols = "Sec-WebSocket-Protocol names each subprotocol once";
    let post = Ask::post("/open/ws")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY);
    let chunked = ask().header("Transfer-Encoding", "chunked");
    let chunked = [chunked.bytes(), b"0\r\n\r\n".to_vec()].concat();
    let version_8 = without("Sec-WebSocket-Version").header("Sec-WebSocket-Version", "8");
    let keyed = |value| without("Sec-WebSocket-Key").header("Sec-WebSocket-Key", value);
    let offering = |value| ask().header("Sec-WebSocket-Protocol", value);
    let cases = [
        (post.bytes(), method),
        (ask().body("hello").bytes(), body),
        (chunked, body),
        (without("Sec-WebSocket-Version").bytes(), version),
        (version_8.bytes(), version),
        (ask().header("Sec-WebSocket-Version", "13").bytes(), version),
        (without("Sec-WebSocket-Key").bytes(), key),
        (ask().header("Sec-WebSocket-Key", KEY).bytes(), key),
        (keyed("dG9vIHNob3J0").bytes(), key),
        (keyed("not base64 at all, is it").bytes(), key),
        (offering("chat, chat").bytes(), protocols),
        (offering("a b").bytes(), protocols),
    ];
    let world = world();
    for (bytes, reason) in cases {
        let mut line = world.connect();
        line.send_all(&[bytes, SMUGGLED.to_vec()].concat());
        let refused = line.answer().refused(400, "bad_request");
        assert_eq!(world.access_line(&refused)["reason"], reason);
        assert_eq!(refused.header("connection"), Some("close"), "{reason}");
        assert!(line.is_silent_to_its_end(), "{reason}");
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn an_upgrade_to_anything_else_stays_without_effect_and_without_a_word_to_the_backend() {
    let world = around(Backend::start());
    let ask = || Ask::get("/open/ws");
    let asks = [
        ask()
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", "h2c")
            .header("HTTP2-Settings", "AAMAAABk"),
        ask()
            .header("Connection", "Upgrade")
            .header("Upgrade", "TLS/1.0, foo"),
        ask()
            .header("Connection", "Upgrade")
            .header("Upgrade", "websockets"),
        ask()
            .header("Connection", "Upgrade")
            .header("Upgrade", "xwebsocket"),
        // It is not meant for this hop, so that it is not meant at all.
        Ask::websocket("/open/ws").without("Connection"),
        Ask::websocket("/open/ws")
            .without("Connection")
            .header("Connection", "keep-alive"),
        Ask::websocket("/open/ws").without("Upgrade"),
    ];
    let mut line = world.connect();
    for ask in asks {
        assert_eq!(line.ask(&ask).text(), "seen");
        let seen = world.backend.only_seen();
        for name in ["Upgrade", "Connection", "HTTP2-Settings"] {
            assert_eq!(seen.values(name), [""; 0], "{}", seen.head);
        }
        world.backend.forget();
    }
    // HTTP/1.0 knows of no upgrade.
    let old = String::from_utf8(Ask::websocket("/open/ws").bytes()).unwrap();
    line.send_all(old.replace("HTTP/1.1", "HTTP/1.0").as_bytes());
    assert_eq!(line.answer().text(), "seen");
    assert_eq!(world.backend.only_seen().values("Upgrade"), [""; 0]);
}

#[test]
fn one_of_several_offered_protocols_is_the_websocket_and_the_backend_hears_of_that_alone() {
    let world = world();
    let ask = Ask::websocket("/open/ws").without("Upgrade");
    let mut line = world.connect();
    line.open_websocket(&ask.header("Upgrade", "h2c, WebSocket"));
    assert_eq!(world.backend.only_seen().values("Upgrade"), ["websocket"]);
}

#[test]
fn connection_takes_nothing_out_of_a_handshake_that_identity_or_agreement_need() {
    let world = world();
    let skey = world.skey_of("alice");
    let ask = Ask::websocket("/ws/a").skey(&skey).without("Connection");
    let listed = "Upgrade, X-OpenId, X-Request-Id, Connection, Host";
    let mut line = world.connect();
    line.open_websocket(&ask.header("Connection", listed));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("Upgrade"), ["websocket"]);
    assert_eq!(seen.values("X-Request-Id").len(), 1);
    assert_eq!(seen.values("Host"), ["api.example.com"]);
}

#[test]
fn a_login_is_a_login_whatever_it_wants_to_become() {
    let world = World::around(&config("", ""), echo());
    let code = world.wechat.issue_code("alice");
    let mut line = world.connect();
    let ask = Ask::websocket(&format!("/wx/login?code={code}"));
    line.send_all(&[ask.bytes(), SMUGGLED.to_vec()].concat());
    let answer = line.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["skey"].is_string());
    assert!(line.is_silent_to_its_end());
    assert!(world.backend.seen().is_empty());
}
