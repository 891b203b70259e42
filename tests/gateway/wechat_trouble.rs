//! WeChat refuses, is busy, breaks off, or says what it never should.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde_json::json;
use socket2::{Domain, Socket, Type};
use wxgate::simulator::Behaviour;

use crate::harness::{APPID, Answer, BASE, SECRET, World};

/// `[wechat]` of the base config, to be replaced by one with less patience.
const PATIENT: &str = "timeout = \"5s\"\ndeadline = \"10s\"";
const IMPATIENT: &str = "timeout = \"500ms\"\ndeadline = \"800ms\"";

#[test]
fn every_errcode_becomes_its_refusal_after_one_call() {
    let misconfigured = ("gateway_misconfigured", 502, None, "misconfigured");
    let unknown = ("wechat_unavailable", 503, Some("5"), "unknown_errcode");
    let cases = [
        (40029, ("login_code_invalid", 401, None, "code_invalid")),
        (40163, ("login_code_used", 401, None, "code_used")),
        (40226, ("login_blocked", 403, None, "blocked")),
        (
            45011,
            ("login_rate_limited", 429, Some("60"), "rate_limited"),
        ),
        (40013, misconfigured),
        (40125, misconfigured),
        (40164, misconfigured),
        (41002, misconfigured),
        (41004, misconfigured),
        (40002, unknown),
        (41008, unknown),
        (-1000, unknown),
        (i64::MAX, unknown),
    ];
    for (errcode, (code, status, retry_after, outcome)) in cases {
        let world = World::new();
        world.wechat.behave(Behaviour::Errcode(errcode));
        let answer = world.login("alice").refused(status, code);
        assert_eq!(answer.header("retry-after"), retry_after, "{errcode}");
        assert_eq!(world.wechat.calls(), 1, "{errcode}");
        counted(&world, code, outcome);
    }
}

#[test]
fn a_busy_wechat_is_asked_again_until_it_answers() {
    let world = World::new();
    world.wechat.behave_next(2, Behaviour::Busy);
    assert_eq!(world.login("alice").status, 200);
    assert_eq!(world.wechat.calls(), 3);
    assert_eq!(world.count(&calls("busy")), 2);
    counted(&world, "ok", "ok");
}

#[test]
fn a_wechat_that_stays_busy_is_unavailable() {
    let world = World::where_config(&[(PATIENT, IMPATIENT)]);
    world.wechat.behave(Behaviour::Busy);
    unavailable(world.login("alice"));
    assert_eq!(world.count(&logins("wechat_unavailable")), 1);
    assert!(world.wechat.calls() >= 1);
}

#[test]
fn a_wechat_that_never_answers_is_unavailable_after_one_call() {
    let world = World::where_config(&[(PATIENT, IMPATIENT)]);
    world.wechat.behave(Behaviour::Hang);
    unavailable(world.login("alice"));
    assert_eq!(world.wechat.calls(), 1);
    counted(&world, "wechat_unavailable", "timeout");
}

#[test]
fn a_wechat_that_refuses_connections_is_unavailable() {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    socket.bind(&nowhere.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let config = BASE
        .replace("WECHAT", &format!("http://{address}"))
        .replace(PATIENT, IMPATIENT);
    let world = World::of(&config);
    unavailable(world.login("alice"));
    assert!(world.count(&calls("connect")) >= 1);
    assert_eq!(world.wechat.calls(), 0);
}

#[test]
fn what_is_not_the_documented_json_is_unavailable_after_one_call() {
    let body = |body: &str| Behaviour::Body(body.to_owned());
    let cases = [
        (Behaviour::Html, "not_json"),
        (Behaviour::HalfJson, "not_json"),
        (Behaviour::Nothing, "not_json"),
        (body("[]"), "not_json"),
        (body("{}"), "bad_field"),
        (body(r#"{"errcode":0,"errmsg":"ok"}"#), "bad_field"),
        (body(r#"{"openid":"oA"}"#), "bad_field"),
        (
            body("{\"openid\":\"o\\r\\nX-Evil: 1\",\"session_key\":\"k\"}"),
            "bad_field",
        ),
        (Behaviour::Huge, "too_large"),
        (Behaviour::Reset, "broken"),
        (Behaviour::Status(500), "status"),
        (Behaviour::Status(502), "status"),
        (Behaviour::Status(404), "status"),
    ];
    for (behaviour, outcome) in cases {
        let world = World::new();
        world.wechat.behave(behaviour);
        unavailable(world.login("alice"));
        assert_eq!(world.wechat.calls(), 1, "{outcome}");
        counted(&world, "wechat_unavailable", outcome);
    }
}

#[test]
fn a_connection_that_is_reset_when_it_is_used_again_is_no_second_call() {
    let world = World::new();
    assert_eq!(world.login("alice").status, 200);
    world.wechat.behave(Behaviour::Reset);
    unavailable(world.login("alice"));
    assert_eq!(world.wechat.calls(), 2);
}

#[test]
fn a_redirect_is_not_followed() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let back = format!(
        "{}/sns/jscode2session?appid={APPID}&secret={SECRET}&js_code={code}&grant_type=authorization_code",
        world.wechat.base_url()
    );
    world.wechat.behave_next(1, Behaviour::Redirect(back));
    unavailable(world.login_with(&code));
    assert_eq!(world.wechat.calls(), 1);
    counted(&world, "wechat_unavailable", "status");
}

#[test]
fn after_any_trouble_a_login_works_again() {
    let world = World::new();
    for behaviour in [Behaviour::Reset, Behaviour::Huge, Behaviour::Status(500)] {
        world.wechat.behave_next(1, behaviour);
        unavailable(world.login("alice"));
        assert_eq!(world.login("alice").status, 200);
    }
}

#[test]
fn what_the_operator_must_set_right_is_an_error_in_the_log_with_a_remedy() {
    let world = World::new();
    world.wechat.behave(Behaviour::Errcode(40164));
    world.login("alice").refused(502, "gateway_misconfigured");
    let line = world.log.line("an error", |line| line["level"] == "ERROR");
    assert_eq!(line["app"], "shop");
    assert_eq!(line["message"], "logins fail until the operator acts");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("40164"), "{reason}");
    assert!(reason.contains("IP allowlist"), "{reason}");
}

#[test]
fn an_unknown_errcode_is_logged_with_its_number() {
    let world = World::new();
    world.wechat.behave(Behaviour::Errcode(87014));
    unavailable(world.login("alice"));
    let line = world.log.line("a warning", |line| line["level"] == "WARN");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("the unknown errcode 87014"), "{reason}");
}

#[test]
fn no_secret_code_key_openid_or_skey_is_logged_at_any_level() {
    let world = World::new();
    world.wechat.set_unionid("alice", Some("uAliceInAllApps"));
    let mut private = vec![SECRET.to_owned(), "uAliceInAllApps".to_owned()];
    private.push(world.openid_of("alice"));
    private.push(world.wechat.session_key_of(APPID, "alice"));
    let codes: Vec<_> = troubles()
        .into_iter()
        .map(|behaviour| {
            let code = world.wechat.issue_code("alice");
            let errmsg = format!("bad {SECRET} or {code}");
            let telltale = json!({"errcode": 40125, "errmsg": errmsg}).to_string();
            world.wechat.behave_next(1, behaviour);
            world.wechat.behave_next(1, Behaviour::Body(telltale));
            world.get(&format!("/wx/login?code={code}"));
            world.access_line(&world.login_with(&code));
            code
        })
        .collect();
    world.wechat.behave(Behaviour::Normal);
    let code = world.wechat.issue_code("alice");
    let skey = world.login_with(&code).json()["skey"].to_string();
    let skey = skey.trim_matches('"');
    for path in ["/mine", "/wx/check", "/wx/logout", "/mine"] {
        world.access_line(&world.get_as(skey, path));
    }
    private.push(skey.to_owned());
    private.extend(codes);
    private.push(code);
    let log = world.log.text();
    assert!(log.contains("bad *** or ***"), "{log}");
    for text in private {
        assert!(!log.contains(&text), "{text} is in the log:\n{log}");
    }
}

fn troubles() -> [Behaviour; 9] {
    [
        Behaviour::Errcode(40029),
        Behaviour::Errcode(45011),
        Behaviour::Errcode(99999),
        Behaviour::Html,
        Behaviour::HalfJson,
        Behaviour::Huge,
        Behaviour::Reset,
        Behaviour::Status(500),
        Behaviour::Redirect("http://127.0.0.1:1/".to_owned()),
    ]
}

#[track_caller]
fn unavailable(login: Answer) {
    let answer = login.refused(503, "wechat_unavailable");
    assert_eq!(answer.header("retry-after"), Some("5"));
}

/// Holds that one login ended so, and one call so.
#[track_caller]
fn counted(world: &World, login: &str, call: &str) {
    assert_eq!(world.count(&logins(login)), 1, "{login}");
    assert_eq!(world.count(&calls(call)), 1, "{call}");
}

fn logins(outcome: &str) -> String {
    format!("wxgate_logins_total{{app=\"shop\",outcome=\"{outcome}\"}}")
}

fn calls(outcome: &str) -> String {
    format!("wxgate_wechat_requests_total{{app=\"shop\",outcome=\"{outcome}\"}}")
}
