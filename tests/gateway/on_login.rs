//! The backend is told of a login before it is answered, and what it says of the user is believed from then on.

mod closed;
mod failures;
mod once;

use serde_json::{Value, json};

use crate::harness::{APPID, Answer, Ask, BASE, Backend, Gate, Seen, World};

/// Where the backend is told.
const PATH: &str = "/internal/wx-login";
/// What a login answers, so that tests see all that the backend added.
const RESPONSE: &str = r#"response = { skey = "{skey}", user = "{user_id}", data = "{data}" }"#;
const CLAIMS: &str = r#"
[identity.claims]
role = "X-User-Role"
level = "X-User-Level"
"#;

/// The base config with an `on_login` that has these keys beside where it goes, and two claims.
fn config(keys: &str) -> String {
    let login = "action = \"login\"";
    let to = format!("on_login = {{ upstream = \"php\", path = \"{PATH}\"{keys} }}");
    let told = BASE.replace(login, &format!("{login}\n{to}\n{RESPONSE}"));
    format!("{told}\n{CLAIMS}")
}

/// A backend that says this when it is told of a login, under this status, and `seen` to everything else.
fn saying(status: &'static str, said: impl Into<String>) -> Backend {
    let said = said.into();
    Backend::that(move |conversation| {
        while let Some(seen) = conversation.read_request() {
            if seen.target == PATH {
                conversation.answer(status, said.as_bytes());
            } else {
                conversation.answer("200 OK", b"seen");
            }
        }
    })
}

/// A world whose backend says this of everybody who logs in.
fn world_saying(said: &Value) -> World {
    World::around(&config(""), saying("200 OK", said.to_string()))
}

/// What the backend was told of logins.
fn calls(world: &World) -> Vec<Seen> {
    let seen = world.backend.seen().into_iter();
    seen.filter(|seen| seen.target == PATH).collect()
}

/// The body of the one call there was.
#[track_caller]
fn only_call(world: &World) -> String {
    let calls = calls(world);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    world.backend.forget();
    String::from_utf8(calls[0].body.clone()).unwrap()
}

/// The skey of a login that must have gone well.
#[track_caller]
fn skey(login: &Answer) -> String {
    assert_eq!(login.status, 200, "{login:?}");
    login.json()["skey"].as_str().unwrap().to_owned()
}

/// What the backend is told of the user under these headers in a request with this skey.
#[track_caller]
fn told(world: &World, skey: &str, names: [&str; 3]) -> Vec<Vec<String>> {
    world.backend.forget();
    assert_eq!(world.get_as(skey, "/mine").text(), "seen");
    let seen = world.backend.only_seen();
    let owned = |name| seen.values(name).into_iter().map(str::to_owned).collect();
    names.into_iter().map(owned).collect()
}

const NAMES: [&str; 3] = ["X-User-Id", "X-User-Role", "X-User-Level"];

#[test]
fn the_backend_is_told_before_there_is_a_session_and_before_the_answer() {
    let gate = Gate::default();
    let opened = gate.clone();
    let backend = Backend::that(move |conversation| {
        while conversation.read_request().is_some() {
            opened.wait();
            conversation.answer("200 OK", br#"{"user_id":7}"#);
        }
    });
    let world = World::around(&config(""), backend);
    let code = world.wechat.issue_code("alice");
    let mut line = world.connect();
    line.send(&Ask::post("/wx/login").form(&[("code", &code)]).bytes());
    world.backend.wait_seen(1);
    assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 0);
    assert_eq!(world.log.access_lines(), [] as [Value; 0]);
    gate.open();
    let answer = line.answer();
    assert_eq!(answer.json()["user"], "7", "{answer:?}");
    assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 1);
}

#[test]
fn it_is_told_app_openid_unionid_and_whether_they_came_before() {
    let world = world_saying(&json!({}));
    let openid = world.openid_of("alice");
    let news = |unionid: &str, is_first: bool| {
        format!(
            r#"{{"app":"shop","openid":"{openid}","unionid":{unionid},"userInfo":null,"first_seen_here":{is_first}}}"#
        )
    };
    world.skey_of("alice");
    assert_eq!(only_call(&world), news("null", true));
    world.wechat.set_unionid("alice", Some("uAlice"));
    world.skey_of("alice");
    assert_eq!(only_call(&world), news("\"uAlice\"", false));
}

#[test]
fn it_is_told_what_was_sealed_else_what_was_signed_and_nothing_that_was_neither() {
    let world = world_saying(&json!({}));
    let raw = r#"{"nickName":"小明 & +","gender":1}"#;
    let signature = world.wechat.signed(APPID, "alice", raw);
    let no_object = world.wechat.signed(APPID, "alice", "[1]");
    let sealed = world
        .wechat
        .encrypted(APPID, "alice", json!({"unionId": "uA", "n": [1.5]}));
    let sealed = [
        ("encryptedData", sealed.encrypted_data.as_str()),
        ("iv", &sealed.iv),
    ];
    let signed = [("rawData", raw), ("signature", &signature)];
    let told = |proofs: &[(&str, &str)]| {
        let code = world.wechat.issue_code("alice");
        let fields = [proofs, &[("code", &code)]].concat();
        skey(&world.ask(&Ask::post("/wx/login").form(&fields)));
        let told: Value = serde_json::from_str(&only_call(&world)).unwrap();
        (told["userInfo"].clone(), told["unionid"].clone())
    };
    assert_eq!(told(&signed).0.to_string(), raw);
    assert_eq!(told(&[("rawData", raw)]).0, Value::Null);
    assert_eq!(
        told(&[("rawData", "[1]"), ("signature", &no_object)]).0,
        Value::Null
    );
    for proofs in [&sealed[..], &[sealed, signed].concat()] {
        let (user_info, unionid) = told(proofs);
        assert_eq!(user_info["openId"], world.openid_of("alice"), "{user_info}");
        assert_eq!(user_info["n"], json!([1.5]), "{user_info}");
        assert_eq!(user_info["watermark"]["appid"], APPID, "{user_info}");
        assert_eq!(user_info.get("nickName"), None, "{user_info}");
        assert_eq!(unionid, "uA");
    }
}

#[test]
fn a_login_whose_proof_does_not_hold_is_not_told() {
    let world = world_saying(&json!({}));
    let code = world.wechat.issue_code("alice");
    let fields = [
        ("code", code.as_str()),
        ("rawData", "{}"),
        ("signature", "s"),
    ];
    let answer = world.ask(&Ask::post("/wx/login").form(&fields));
    answer.refused(400, "signature_invalid");
    world
        .login_with("unknown")
        .refused(401, "login_code_invalid");
    assert!(calls(&world).is_empty());
}

#[test]
fn the_call_has_these_headers_and_nothing_else_of_the_client() {
    let world = world_saying(&json!({}));
    world.wechat.set_unionid("alice", Some("uAlice"));
    let code = world.wechat.issue_code("alice");
    let forged = ["X-Wxgate-Event", "X_Wxgate_Event", "X-User-Id", "X_OpenId"];
    let ask = Ask::new("GET", "/wx/login?a=b")
        .header("X-WX-Code", &code)
        .header("X-Skey", "AAAA")
        .header("Cookie", "a=b")
        .header("X-Forwarded-For", "10.0.0.1")
        .header("X-Other", "o");
    let ask = forged
        .iter()
        .fold(ask, |ask, name| ask.header(name, "forged"));
    let answer = world.ask(&ask);
    let seen = world.backend.only_seen();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", PATH));
    let length = seen.body.len().to_string();
    let openid = world.openid_of("alice");
    let mut expected = [
        ("host", "api.example.com"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("content-length", &length),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "api.example.com"),
        ("x-request-id", answer.header("x-request-id").unwrap()),
        ("x-openid", &openid),
        ("x-unionid", "uAlice"),
        ("x-appid", APPID),
        ("x-wxgate-event", "login"),
    ];
    expected.sort_unstable();
    let mut headers: Vec<_> = seen
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    headers.sort_unstable();
    assert_eq!(headers, expected, "{}", seen.head);
}

#[test]
fn what_a_trusted_proxy_says_of_the_client_reaches_the_call() {
    let trusting = "[server]\ntrusted_proxies = [\"127.0.0.1\"]";
    let config = config("").replacen("[server]", trusting, 1);
    let world = World::around(&config, saying("200 OK", "{}"));
    let code = world.wechat.issue_code("alice");
    let ask = Ask::post("/wx/login")
        .form(&[("code", &code)])
        .header("X-Forwarded-For", "10.0.0.1")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.example")
        .header("X-Request-Id", "r-1");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-For"), ["10.0.0.1, 127.0.0.1"]);
    assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["shop.example"]);
    assert_eq!(seen.values("X-Request-Id"), ["r-1"]);
}

#[test]
fn what_it_says_of_the_user_is_told_with_every_later_request() {
    let said = json!({"user_id": 7, "claims": {"level": true, "role": "vip user", "other": []}});
    let world = world_saying(&said);
    let first = world.skey_of("alice");
    assert_eq!(told(&world, &first, NAMES), [["7"], ["vip user"], ["true"]]);
    // The user of every session is the one of its own login.
    let second = world.skey_of("alice");
    assert_ne!(first, second);
    assert_eq!(told(&world, &first, NAMES), [["7"], ["vip user"], ["true"]]);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("X-Wxgate-Event"), [""; 0]);
}

#[test]
fn an_answer_of_nothing_adds_nothing() {
    for (status, said) in [
        ("204 No Content", ""),
        ("200 OK", ""),
        ("201 Created", "[]"),
        (
            "200 OK",
            r#"{"user_id":null,"claims":{"role":null},"more":{"a":1}}"#,
        ),
    ] {
        let world = World::around(&config(""), saying(status, said));
        let login = world.login("alice");
        let body = login.json();
        assert_eq!((&body["user"], &body["data"]), (&Value::Null, &Value::Null));
        assert_eq!(told(&world, &skey(&login), NAMES), [[""; 0]; 3], "{said}");
    }
}

#[test]
fn the_answer_to_the_client_may_hold_the_user_id_and_data_of_any_shape() {
    let data = json!({"z": [1, 2.5, null], "a": {"昵称": "小明"}, "ok": true});
    let world = world_saying(&json!({"user_id": "u 7", "data": data}));
    let body = world.login("alice").json();
    assert_eq!((&body["user"], &body["data"]), (&json!("u 7"), &data));
    assert_eq!(body["data"].to_string(), data.to_string());
}

#[test]
fn a_check_may_tell_the_user_id_and_without_one_null() {
    let check = "action = \"check\"";
    let shape = format!("{check}\nresponse = {{ user = \"{{user_id}}\" }}");
    let checking = config("").replace(check, &shape);
    for (said, user) in [
        (json!({"user_id": 7}), json!("7")),
        (json!({}), Value::Null),
    ] {
        let world = World::around(&checking, saying("200 OK", said.to_string()));
        let skey = world.skey_of("alice");
        assert_eq!(
            world.get_as(&skey, "/wx/check").json(),
            json!({"user": user})
        );
    }
}

#[test]
fn nothing_that_is_said_of_anybody_is_logged() {
    let said = json!({"user_id": "user-77", "claims": {"role": "admirable"}, "data": "data-77"});
    let world = world_saying(&said);
    let sealed = world
        .wechat
        .encrypted(APPID, "alice", json!({"nickName": "nick-77"}));
    let code = world.wechat.issue_code("alice");
    let fields = [
        ("code", code.as_str()),
        ("encryptedData", &sealed.encrypted_data),
        ("iv", &sealed.iv),
    ];
    let login = world.ask(&Ask::post("/wx/login").form(&fields));
    let later = world.get_as(&skey(&login), "/mine");
    for answer in [login, later] {
        world.access_line(&answer);
    }
    let log = world.log.text();
    for private in [
        "user-77",
        "admirable",
        "data-77",
        "nick-77",
        &world.openid_of("alice"),
    ] {
        assert!(!log.contains(private), "{log}");
    }
}
