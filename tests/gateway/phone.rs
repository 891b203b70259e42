//! Phone numbers: from a code to the backend, or to the client where a route says so, and to nobody else.

mod tokens;
mod trouble;

use serde_json::{Value, json};
use wxgate::simulator::{Api, Behaviour};

use crate::harness::{APPID, Answer, Ask, World};

/// Routes for phone codes.
const ROUTES: &str = r#"
[[routes]]
path = "/phone"
action = "phone"
upstream = "php"

[[routes]]
path = "/bind"
action = "phone"
upstream = "php"
open_data_field = "wx_phone"

[[routes]]
path = "/my-number"
action = "phone"
response = { number = "{phone_number}", pure = "{pure_phone_number}", text = "+{country_code}", no = "{null}" }
"#;
const NUMBER: &str = "13800138000";
const FORM: &str = "application/x-www-form-urlencoded";

fn world() -> World {
    World::with(ROUTES)
}

fn by_json(world: &World, skey: &str, code: &str) -> Answer {
    let body = json!({"code": code, "n": 1});
    world.ask(&Ask::post("/phone").skey(skey).json(&body))
}

/// Sends a fresh code of alice's, and gives the answer.
fn phone(world: &World, skey: &str) -> Answer {
    by_json(world, skey, &world.wechat.issue_phone_code(NUMBER))
}

#[track_caller]
fn is_the_number(info: &Value) {
    assert_eq!(info["phoneNumber"], NUMBER, "{info}");
    assert_eq!(info["purePhoneNumber"], NUMBER, "{info}");
    assert_eq!(info["countryCode"], "86", "{info}");
    assert_eq!(info["watermark"]["appid"], APPID, "{info}");
}

/// Holds that nothing of an answer is the number.
#[track_caller]
fn tells_no_number(answer: &Answer) {
    let shown = format!("{:?} {}", answer.headers, answer.text());
    assert!(!shown.contains(NUMBER), "{shown}");
}

fn calls(outcome: &str) -> String {
    format!("wxgate_wechat_requests_total{{app=\"shop\",outcome=\"{outcome}\"}}")
}

#[test]
fn the_backend_gets_the_number_in_the_json_body_and_the_client_gets_the_backends_answer() {
    let world = world();
    let skey = world.skey_of("alice");
    let code = world.wechat.issue_phone_code(NUMBER);
    let sent = format!(r#"{{ "n": 1.50, "code":"{code}","openData":{{"phoneNumber":"110"}} }}"#);
    let ask = Ask::post("/phone?a=b&openData=110").skey(&skey);
    let answer = world.ask(&ask.header("Content-Type", "application/json").body(&sent));
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    tells_no_number(&answer);
    let seen = world.backend.only_seen();
    assert_eq!(seen.target, "/phone?a=b");
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("Content-Length"), [seen.body.len().to_string()]);
    let body = String::from_utf8(seen.body).unwrap();
    let before = format!(r#"{{"n":1.50,"code":"{code}","openData":"#);
    let info = body.strip_prefix(&before).unwrap();
    is_the_number(&serde_json::from_str(info.strip_suffix('}').unwrap()).unwrap());
}

#[test]
fn the_backend_gets_the_number_in_the_form_and_no_field_of_that_name_but_ours() {
    let world = world();
    let skey = world.skey_of("alice");
    let code = world.wechat.issue_phone_code("+1-2025550123");
    let sent = format!("wx_phone=110&a=%7e+b&WX%5fPHONE=110&code={code}&wx_phone[x]=110");
    let ask = Ask::post("/bind").skey(&skey).header("Content-Type", FORM);
    assert_eq!(world.ask(&ask.body(&sent)).text(), "seen");
    let body = String::from_utf8(world.backend.only_seen().body).unwrap();
    let before = format!("a=%7e+b&code={code}&wx_phone=");
    assert!(body.starts_with(&before), "{body}");
    let fields: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
    let info: Value = serde_json::from_str(&fields.last().unwrap().1).unwrap();
    assert_eq!(info["phoneNumber"], "+12025550123");
    assert_eq!(info["purePhoneNumber"], "2025550123");
    assert_eq!(info["countryCode"], "1");
}

#[test]
fn the_client_is_told_what_the_response_of_the_route_says_and_no_backend_is_asked() {
    let world = world();
    let skey = world.skey_of("alice");
    let by_json = |code: &str| Ask::post("/my-number").json(&json!({"code": code}));
    let by_form = |code: &str| Ask::post("/my-number").form(&[("code", code)]);
    for ask in [by_json as fn(&str) -> Ask, by_form] {
        let code = world.wechat.issue_phone_code("+1-2025550123");
        let answer = world.ask(&ask(&code).skey(&skey));
        let told =
            json!({"number": "+12025550123", "pure": "2025550123", "text": "+1", "no": null});
        assert_eq!((answer.status, answer.json()), (200, told));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn without_a_session_no_code_is_spent() {
    let world = world();
    let code = world.wechat.issue_phone_code(NUMBER);
    for path in ["/phone", "/my-number"] {
        let ask = Ask::post(path).json(&json!({"code": code}));
        world.ask(&ask).refused(401, "session_missing");
        world.ask(&ask.skey("x")).refused(401, "session_invalid");
    }
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 0);
    let skey = world.skey_of("alice");
    assert_eq!(by_json(&world, &skey, &code).status, 200);
}

#[test]
fn the_sessions_app_is_the_one_whose_code_it_is_and_others_are_left_out() {
    let only = "\n[[routes]]\npath = \"/shop-only\"\naction = \"phone\"\nupstream = \"php\"\napp = \"shop\"\n";
    let world = World::with_two_apps(&format!("{ROUTES}{only}"));
    let code = world.wechat.issue_code("alice");
    let login = world.ask(&Ask::post("/game/login").form(&[("code", &code)]));
    let skey = login.json()["skey"].as_str().unwrap().to_owned();
    assert_eq!(phone(&world, &skey).status, 200);
    let body: Value = serde_json::from_slice(&world.backend.only_seen().body).unwrap();
    assert_eq!(
        body["openData"]["watermark"]["appid"],
        crate::harness::GAME_APPID
    );
    let ask = Ask::post("/shop-only").skey(&skey);
    let ask = ask.form(&[("code", &world.wechat.issue_phone_code(NUMBER))]);
    world.ask(&ask).refused(401, "session_invalid");
}

#[test]
fn a_request_without_a_code_is_refused_without_a_call() {
    let world = world();
    let skey = world.skey_of("alice");
    let json = |body: &str| {
        let ask = Ask::post("/x").header("Content-Type", "application/json");
        ask.body(body)
    };
    for ask in [
        Ask::post("/x"),
        Ask::post("/x?code=C").form(&[("js_code", "C")]),
        Ask::post("/x").header("X-WX-Code", "C").form(&[]),
        Ask::post("/x").form(&[("code", "")]),
        json("{}"),
        json("[\"code\"]"),
        json(r#"{"code":7}"#),
        json(r#"{"code":""}"#),
    ] {
        for path in ["/phone", "/my-number"] {
            let answer = world.ask(&ask.clone().to(path).skey(&skey));
            answer.refused(400, "phone_code_missing");
        }
    }
    let long = "c".repeat(513);
    for odd in ["a b", "电话", "a\u{7}", &long] {
        for path in ["/phone", "/my-number"] {
            let ask = Ask::post(path).skey(&skey).json(&json!({"code": odd}));
            world.ask(&ask).refused(400, "phone_code_invalid");
        }
    }
    assert_eq!(world.wechat.calls_at(Api::AccessToken), 0);
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_code_that_is_unknown_used_or_too_old_is_refused_and_nothing_is_forwarded() {
    let world = world();
    let skey = world.skey_of("alice");
    let used = world.wechat.issue_phone_code(NUMBER);
    assert_eq!(by_json(&world, &skey, &used).status, 200);
    world.backend.forget();
    let old = world.wechat.issue_phone_code(NUMBER);
    world.wechat.age_codes(std::time::Duration::from_mins(5));
    let login = world.wechat.issue_code("alice");
    for code in ["unknown", &used, &old, &login] {
        let answer = by_json(&world, &skey, code).refused(400, "phone_code_invalid");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains("ask the user"), "{message}");
    }
    assert_eq!(world.count(&calls("code_invalid")), 4);
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_phone_route_takes_post_alone() {
    let world = world();
    let skey = world.skey_of("alice");
    for path in ["/phone", "/my-number"] {
        for method in ["GET", "PUT", "HEAD", "OPTIONS"] {
            let mut line = world.connect();
            let answer = line.ask(&Ask::new(method, path).skey(&skey));
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn what_backends_could_read_otherwise_is_refused_before_the_code_is_spent() {
    let world = world();
    let skey = world.skey_of("alice");
    let code = world.wechat.issue_phone_code(NUMBER);
    let body = json!({"code": code}).to_string();
    let typed = |media_type: &str| Ask::post("/phone").header("Content-Type", media_type);
    for ask in [
        typed("text/plain").body(&body),
        typed(FORM).body(&body),
        typed("application/json; charset=gbk").body(&body),
        typed("application/json")
            .header("Content-Encoding", "gzip")
            .body(&body),
        typed("application/json").body(&body[1..]),
    ] {
        world.ask(&ask.skey(&skey)).refused(400, "bad_request");
    }
    let large = typed("application/json").body(" ".repeat(64 * 1024 + 1));
    world.ask(&large.skey(&skey)).refused(413, "body_too_large");
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 0);
    assert!(world.backend.seen().is_empty());
    assert_eq!(by_json(&world, &skey, &code).status, 200);
}

#[test]
fn an_skey_in_the_body_does_not_go_on_beside_the_number() {
    let token = "[sessions]\ntoken = [\"json:skey\"]\n";
    let world = World::with(&format!("{ROUTES}\n{token}"));
    let skey = world.skey_of("alice");
    let code = world.wechat.issue_phone_code(NUMBER);
    world.ask(&Ask::post("/phone").json(&json!({"skey": skey, "code": code})));
    let body: Value = serde_json::from_slice(&world.backend.only_seen().body).unwrap();
    assert_eq!(body.get("skey"), None);
    is_the_number(&body["openData"]);
}

#[test]
fn nothing_of_code_number_and_access_token_is_logged_at_any_level() {
    let mut world = world();
    let skey = world.skey_of("alice");
    let mut private = vec![NUMBER.to_owned(), skey.clone(), world.openid_of("alice")];
    for behaviour in trouble::troubles() {
        let code = world.wechat.issue_phone_code(NUMBER);
        let told = json!({"errcode": 48001, "errmsg": format!("no {code}")}).to_string();
        world.wechat.behave_next_at(Api::PhoneNumber, 1, behaviour);
        world
            .wechat
            .behave_next_at(Api::PhoneNumber, 1, Behaviour::Body(told));
        for _ in 0..2 {
            by_json(&world, &skey, &code);
        }
        private.push(code);
        private.extend(world.wechat.access_token_of(APPID));
    }
    assert_eq!(phone(&world, &skey).status, 200);
    let ask = Ask::post("/my-number").skey(&skey);
    world.ask(&ask.form(&[("code", &world.wechat.issue_phone_code(NUMBER))]));
    let secret = crate::harness::SECRET;
    let told = json!({"errcode": 40125, "errmsg": format!("no {secret}")}).to_string();
    world
        .wechat
        .behave_at(Api::AccessToken, Behaviour::Body(told));
    world.wechat.revoke_token(APPID, 42001);
    phone(&world, &skey).refused(502, "gateway_misconfigured");
    private.push(secret.to_owned());
    world.stop();
    let log = world.log.text();
    assert!(log.contains("48001 no ***"), "{log}");
    assert!(log.contains("40125 no ***"), "{log}");
    for text in private {
        assert!(!log.contains(&text), "{text} is in the log:\n{log}");
    }
}
