//! A backend that cannot be told, or does not say what it should: the login is refused, or goes on without it.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::{NAMES, calls, config, saying, skey, told};
use crate::harness::{Answer, Backend, World};

const PASS: &str = ", on_failure = \"pass\"";
/// Long enough for a call on this machine to come, and short enough to wait for one that never will.
const SOON: &str = ", timeout = \"300ms\"";

/// The line about a call that failed.
#[track_caller]
fn warning(world: &World, login: &Answer) -> Value {
    let request_id = login.header("x-request-id").unwrap();
    world.log.line("an on_login that failed", |line| {
        line["level"] == "WARN" && line["request_id"] == request_id
    })
}

/// Holds that a login with this backend is refused under this code, and goes on where it may; `reason` is in the log.
#[track_caller]
fn fails(keys: &str, backend: impl Fn() -> Backend, status: u16, code: &str, reason: &str) {
    let world = World::around(&config(keys), backend());
    let refused = world.login("alice").refused(status, code);
    let line = warning(&world, &refused);
    let logged = line["reason"].as_str().unwrap();
    assert!(logged.starts_with(reason), "{line}");
    assert_eq!(line["app"], "shop");
    assert_eq!(world.access_line(&refused)["reason"], logged);
    assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 0);
    let outcome = format!("wxgate_logins_total{{app=\"shop\",outcome=\"{code}\"}}");
    world.await_count(&outcome, 1);

    let world = World::around(&config(&format!("{keys}{PASS}")), backend());
    let login = world.login("alice");
    let body = login.json();
    assert_eq!(
        (&body["user"], &body["data"]),
        (&Value::Null, &Value::Null),
        "{body}"
    );
    let line = warning(&world, &login);
    assert!(
        line["reason"].as_str().unwrap().starts_with(reason),
        "{line}"
    );
    world.await_count("wxgate_logins_total{app=\"shop\",outcome=\"ok\"}", 1);
}

/// A backend that answers each request with these bytes, and ends the connection.
fn sending(bytes: &'static [u8]) -> Backend {
    Backend::that(move |conversation| {
        conversation.read_request();
        conversation.send(bytes);
    })
}

#[test]
fn an_answer_that_is_not_what_it_should_be_is_upstream_failed() {
    for (status, said, reason) in [
        (
            "500 Internal Server Error",
            "{}",
            "the backend answered on_login with 500 Internal Server Error",
        ),
        (
            "404 Not Found",
            "",
            "the backend answered on_login with 404 Not Found",
        ),
        (
            "302 Found",
            "",
            "the backend answered on_login with 302 Found",
        ),
        (
            "401 Unauthorized",
            "",
            "the backend answered on_login with 401 Unauthorized",
        ),
        (
            "200 OK",
            "<b>Warning</b>",
            "the answer to on_login is no JSON object",
        ),
        ("200 OK", "[1]", "the answer to on_login is no JSON object"),
        (
            "200 OK",
            "{\"user_id\":7",
            "the answer to on_login is no JSON object",
        ),
        (
            "200 OK",
            r#"{"claims":["vip"]}"#,
            "`claims` in the answer to on_login is no object",
        ),
        (
            "200 OK",
            r#"{"user_id":[7]}"#,
            "`user_id` in the answer to on_login is neither",
        ),
    ] {
        fails("", || saying(status, said), 502, "upstream_failed", reason);
    }
    let large = format!("{{\"data\":\"{}\"}}", "x".repeat(64 * 1024));
    let reason = "the backend's answer is over 65536 bytes";
    fails(
        "",
        || saying("200 OK", large.clone()),
        502,
        "upstream_failed",
        reason,
    );
}

#[test]
fn an_answer_that_breaks_off_is_upstream_failed() {
    let reason = "the backend's answer broke off";
    let broken: [&[u8]; 3] = [
        b"",
        b"no http\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"user_id\":7",
    ];
    for bytes in broken {
        fails("", || sending(bytes), 502, "upstream_failed", reason);
    }
    let upgrade = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let reason = "the backend answered with an upgrade";
    fails("", || sending(upgrade), 502, "upstream_failed", reason);
}

#[test]
fn a_backend_that_is_not_there_is_upstream_unreachable() {
    let nobody = || {
        let backend = Backend::on(TcpListener::bind("127.0.0.1:0").unwrap(), |_| {});
        backend.stop();
        backend
    };
    let reason = "no server of the upstream can be reached";
    fails("", nobody, 502, "upstream_unreachable", reason);
}

#[test]
fn a_backend_that_does_not_answer_in_time_is_upstream_timeout() {
    let silent = || {
        Backend::that(|conversation| {
            conversation.read_request();
            conversation.wait_end();
        })
    };
    let reason = "no answer within";
    fails(SOON, silent, 504, "upstream_timeout", reason);
    let stopping = || {
        Backend::that(|conversation| {
            conversation.read_request();
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"user_id\":");
            conversation.wait_end();
        })
    };
    fails(SOON, stopping, 504, "upstream_timeout", reason);
}

#[test]
fn calls_are_counted_as_requests_to_the_upstream() {
    let outcome = |outcome: &str| {
        format!("wxgate_upstream_requests_total{{upstream=\"php\",outcome=\"{outcome}\"}}")
    };
    let world = World::around(&config(""), saying("200 OK", "{}"));
    world.skey_of("alice");
    world.await_count(&outcome("ok"), 1);
    let silent = Backend::that(|conversation| {
        conversation.read_request();
        conversation.wait_end();
    });
    let world = World::around(&config(SOON), silent);
    world.login("alice").refused(504, "upstream_timeout");
    world.await_count(&outcome("timeout"), 1);
}

#[test]
fn the_users_whom_the_backend_turns_away_are_blocked_even_where_failures_pass() {
    let long = "x".repeat(1 << 20);
    for keys in ["", PASS] {
        for said in ["", "{\"user_id\":7}", &long] {
            let world = World::around(&config(keys), saying("403 Forbidden", said));
            let refused = world.login("alice").refused(403, "login_blocked");
            let line = world.access_line(&refused);
            assert_eq!(line["reason"], "the backend does not let this user in");
            assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 0);
            assert!(!world.log.text().contains("on_login failed"));
        }
    }
}

#[test]
fn a_value_that_would_break_a_header_fails_the_whole_call_and_is_not_logged() {
    let long = "tenkilobytes".repeat(1000);
    let unclean = "it has something else than visible ASCII and spaces between";
    for (value, reason) in [
        (json!("vip\r\nX-OpenId: boss"), unclean),
        (json!("vip\n"), unclean),
        (json!("vip\0"), unclean),
        (json!("小明"), unclean),
        (json!(" vip"), unclean),
        (json!(long), "it has more than 256 bytes"),
        (json!(""), "it is empty"),
        (json!(["vip"]), "is a list or an object"),
        (json!({"vip": 1}), "is a list or an object"),
    ] {
        let said = json!({"user_id": 7, "claims": {"role": value}, "data": 1}).to_string();
        let reason = if reason.starts_with("it") {
            format!("the claim `role` in the answer to on_login cannot stand in a header: {reason}")
        } else {
            format!("the claim `role` in the answer to on_login {reason}")
        };
        fails(
            "",
            || saying("200 OK", said.clone()),
            502,
            "upstream_failed",
            &reason,
        );
        let world = World::around(&config(PASS), saying("200 OK", said));
        let login = world.login("alice");
        assert_eq!(told(&world, &skey(&login), NAMES), [[""; 0]; 3]);
        warning(&world, &login);
        for private in ["vip", "小明", "tenkilobytes", "boss"] {
            assert!(!world.log.text().contains(private), "{}", world.log.text());
        }
    }
    for id in [
        json!("7\r\nX-OpenId: boss"),
        json!("小明"),
        json!(1.5),
        json!(true),
    ] {
        let said = json!({ "user_id": id }).to_string();
        let reason = "`user_id` in the answer to on_login";
        fails(
            "",
            || saying("200 OK", said.clone()),
            502,
            "upstream_failed",
            reason,
        );
    }
}

#[test]
fn a_claim_that_has_no_header_may_be_anything() {
    let said = json!({"user_id": "7", "claims": {"nick": "小明\r\n", "list": [1]}});
    let world = World::around(&config(""), saying("200 OK", said.to_string()));
    let skey = world.skey_of("alice");
    assert_eq!(told(&world, &skey, NAMES)[0], ["7"]);
    assert!(calls(&world).is_empty());
}
