//! Logging in: a code becomes a session.

mod told;

use serde_json::{Value, json};
use wxgate::simulator::Sealed;

use crate::harness::{APPID, Answer, Ask, World};

const LOGIN: &str = "action = \"login\"";

#[test]
fn a_code_becomes_a_skey_that_the_backend_sees_as_an_openid() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let answer = world.get_as(&skey, "/orders?page=2");
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = world.backend.only_seen();
    assert_eq!(seen.target, "/orders?page=2");
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("X-AppId"), [APPID]);
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["status"], &line["app"]),
        (&200.into(), &"shop".into())
    );
}

#[test]
fn a_code_is_taken_from_wherever_clients_put_it() {
    let world = World::new();
    let in_query = |name, code| format!("/wx/login?a=b&{name}={code}");
    let ways: [fn(&str, &str) -> Ask; 4] = [
        |name, code| Ask::post("/wx/login").form(&[("a", "b"), (name, code)]),
        |name, code| Ask::post("/wx/login").json(&json!({"a": 1, name: code})),
        |name, code| Ask::new("GET", "/wx/login").form(&[(name, code)]),
        |_, code| Ask::get("/wx/login").header("X-WX-Code", code),
    ];
    for name in ["code", "js_code"] {
        let code = || world.wechat.issue_code("alice");
        let queries = ["GET", "POST"].map(|method| Ask::new(method, &in_query(name, code())));
        for ask in ways.map(|way| way(name, &code())).iter().chain(&queries) {
            assert_eq!(world.ask(ask).status, 200, "{ask:?}");
        }
    }
    let code = world.wechat.issue_code("alice");
    let ask = Ask::post("/wx/login").header("X-WX-Code", &code);
    assert_eq!(world.ask(&ask).status, 200);
    assert_eq!(world.wechat.calls(), 13);
}

#[test]
fn logins_one_after_the_other_share_connections_to_wechat() {
    let world = World::new();
    for _ in 0..30 {
        world.skey_of("alice");
    }
    let (calls, connections) = (world.wechat.calls(), world.wechat.connections());
    assert!(
        calls == 30 && connections < 10,
        "{calls} calls, {connections} connections"
    );
}

#[test]
fn the_usual_answer_is_a_skey_and_its_lifetime_and_nothing_of_the_user() {
    let world = World::new();
    world.wechat.set_unionid("alice", Some("uAlice"));
    let answer = world.login("alice");
    assert_eq!(answer.status, 200);
    let type_of_body = answer.header("content-type");
    assert_eq!(type_of_body, Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["skey", "expires_in"]);
    assert_eq!(body["skey"].as_str().unwrap().len(), 43);
    assert!(is_about_a_week(&body["expires_in"]), "{body}");
    let openid = world.openid_of("alice");
    let session_key = world.wechat.session_key_of(APPID, "alice");
    for private in [openid.as_str(), "uAlice", &session_key] {
        assert!(!format!("{answer:?}{}", answer.text()).contains(private));
    }
}

#[test]
fn a_route_gives_its_own_answer_shape_and_types_are_kept() {
    let world = World::with(
        r#"
[[routes]]
path = "/old/login"
action = "login"
response = { status = 200, msg = "", data = { id = "{skey}", left = "{expires_in}", user = "{openid}", union = "{unionid}", no = "{null}", all = ["{openid}:{unionid}:{null}", true, 1.5] } }
"#,
    );
    let login = |user| {
        let code = world.wechat.issue_code(user);
        world.get(&format!("/old/login?code={code}")).json()
    };
    let openid = world.openid_of("alice");
    let mut body = login("alice");
    let left = body["data"]["left"].take();
    assert!(is_about_a_week(&left), "{left}");
    let skey = body["data"]["id"].take();
    assert_eq!(
        world.get_as(skey.as_str().unwrap(), "/mine").text(),
        "seen",
        "the skey in the shape is a session's"
    );
    let all = json!([format!("{openid}::"), true, 1.5]);
    assert_eq!(
        body.to_string(),
        json!({
            "status": 200, "msg": "",
            "data": {"id": null, "left": null, "user": openid, "union": null, "no": null, "all": all}
        })
        .to_string()
    );
    world.wechat.set_unionid("alice", Some("uAlice"));
    let data = &login("alice")["data"];
    let all = format!("{openid}:uAlice:");
    assert_eq!(
        (&data["union"], &data["all"][0]),
        (&json!("uAlice"), &json!(all))
    );
}

#[test]
fn login_check_and_logout_take_get_and_post_and_no_other_method() {
    let world = World::new();
    let skey = world.skey_of("alice");
    for path in ["/wx/login", "/wx/check", "/wx/logout"] {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
            let answer = world.ask(&Ask::new(method, path).skey(&skey));
            assert_eq!(answer.header("allow"), Some("GET, POST"), "{method} {path}");
            if method == "HEAD" {
                assert_eq!(answer.status, 405);
            } else {
                answer.refused(405, "method_not_allowed");
            }
        }
    }
    assert_eq!(world.get_as(&skey, "/wx/check").status, 200);
    assert_eq!(world.wechat.calls(), 1);
}

#[test]
fn a_login_route_may_take_one_method_alone() {
    let world = World::where_config(&[
        (LOGIN, &format!("{LOGIN}\nmethods = [\"POST\"]")),
        ("path = \"/*\"", "path = \"/mine\""),
    ]);
    let code = world.wechat.issue_code("alice");
    let answer = world.get(&format!("/wx/login?code={code}"));
    let answer = answer.refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(world.wechat.calls(), 0);
    assert_eq!(world.login_with(&code).status, 200);
}

#[test]
fn what_is_no_login_is_refused_without_a_call() {
    let world = World::new();
    let refused = |ask: Ask, status, code| {
        world.ask(&ask).refused(status, code);
    };
    let missing = [
        Ask::get("/wx/login"),
        Ask::get("/wx/login?code=&js_code="),
        Ask::post("/wx/login").json(&json!({"code": 7})),
        Ask::post("/wx/login").json(&json!(["code"])),
        Ask::post("/wx/login").body("code=C"),
        Ask::post("/wx/login")
            .header("Content-Type", "application/json")
            .body("{\"code\":"),
    ];
    for ask in missing {
        refused(ask, 400, "login_code_missing");
    }
    for code in ["a b", "a\nb", "登录", "\u{7f}", &"c".repeat(513)] {
        let ask = Ask::post("/wx/login").form(&[("code", code)]);
        refused(ask, 401, "login_code_invalid");
    }
    let with = |name, value| Ask::post("/wx/login").form(&[("code", "C"), (name, value)]);
    refused(with("signature", "s"), 400, "signature_invalid");
    refused(with("encryptedData", "d"), 400, "data_undecryptable");
    refused(with("iv", "i"), 400, "data_undecryptable");
    assert_eq!(world.wechat.calls(), 0);
}

#[test]
fn a_code_of_512_characters_goes_to_wechat() {
    let world = World::new();
    let answer = world.login_with(&"c".repeat(512));
    answer.refused(401, "login_code_invalid");
    assert_eq!(world.wechat.calls(), 1);
}

#[test]
fn a_login_whose_body_is_over_64_kib_is_refused_and_one_of_64_kib_is_not() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let with_length = |length: usize| {
        let body = format!("code={code}&fill=");
        let fill = "f".repeat(length - body.len());
        Ask::post("/wx/login")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body + &fill)
    };
    let answer = world.ask(&with_length(64 * 1024 + 1));
    answer.refused(413, "body_too_large");
    assert_eq!(world.wechat.calls(), 0);
    assert_eq!(world.ask(&with_length(64 * 1024)).status, 200);
}

#[test]
fn a_signature_must_be_made_with_the_users_own_key() {
    let world = World::new();
    let raw_data = r#"{"nickName":"小明 & +","gender":1}"#;
    let login = |user: &str, raw_data: &str, name: &str| {
        let signature = world
            .wechat
            .signed(APPID, user, r#"{"nickName":"小明 & +","gender":1}"#);
        let code = world.wechat.issue_code("alice");
        let fields = [
            ("code", code.as_str()),
            (name, raw_data),
            ("signature", &signature),
        ];
        world.ask(&Ask::post("/wx/login").form(&fields))
    };
    assert_eq!(login("alice", raw_data, "rawData").status, 200);
    assert_eq!(login("alice", raw_data, "rawdata").status, 200);
    login("bob", raw_data, "rawData").refused(400, "signature_invalid");
    login("alice", "{}", "rawData").refused(400, "signature_invalid");
}

#[test]
fn raw_data_without_a_signature_proves_nothing_and_hinders_nothing() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let fields = [("code", code.as_str()), ("rawData", "{}")];
    let answer = world.ask(&Ask::post("/wx/login").form(&fields));
    assert_eq!(answer.status, 200);
}

#[test]
fn a_unionid_that_only_encrypted_data_tells_reaches_the_backend() {
    let world = World::new();
    let sealed = |user: &str| {
        let unionid = format!("u-{user}");
        world
            .wechat
            .encrypted(APPID, user, json!({"unionId": unionid}))
    };
    let code = |user| world.wechat.issue_code(user);
    assert_eq!(
        unionid_of(&world, &by_form(&world, &code("a"), &sealed("a"))),
        "u-a"
    );
    assert_eq!(
        unionid_of(&world, &by_header(&world, &code("b"), &sealed("b"))),
        "u-b"
    );
    assert_eq!(
        unionid_of(&world, &by_json(&world, &code("c"), &sealed("c"))),
        "u-c"
    );
}

#[test]
fn base64_whose_plus_signs_became_spaces_on_the_way_is_still_read() {
    let world = World::new();
    let sealed = loop {
        let sealed = world
            .wechat
            .encrypted(APPID, "alice", json!({"unionId": "uA"}));
        if sealed.encrypted_data.contains('+') && sealed.iv.contains('+') {
            break sealed;
        }
    };
    let code = world.wechat.issue_code("alice");
    let Sealed { encrypted_data, iv } = sealed;
    let answer = world.ask(
        &Ask::post("/wx/login")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!(
                "code={code}&encryptedData={encrypted_data}&iv={iv}"
            )),
    );
    assert_eq!(unionid_of(&world, &answer), "uA");
}

#[test]
fn encrypted_data_that_is_not_this_users_or_this_apps_is_refused() {
    let world = World::new();
    let seal = |user, payload| world.wechat.encrypted(APPID, user, payload);
    let good = seal("alice", json!({}));
    let bob = world.openid_of("bob");
    let no_base64 = Sealed {
        encrypted_data: "%%%".to_owned(),
        ..good.clone()
    };
    let short_iv = Sealed {
        iv: "AAAA".to_owned(),
        ..good.clone()
    };
    let cases = [
        ("another key", seal("bob", json!({}))),
        ("another openid", seal("alice", json!({"openId": bob}))),
        (
            "another app",
            seal(
                "alice",
                json!({"watermark": {"appid": "wxfedcba9876543210"}}),
            ),
        ),
        ("no watermark", seal("alice", json!([1]))),
        ("no base64", no_base64),
        ("a short iv", short_iv),
    ];
    for (what, sealed) in cases {
        let answer = by_form(&world, &world.wechat.issue_code("alice"), &sealed);
        let answer = answer.refused(400, "data_undecryptable");
        let line = world.access_line(&answer);
        assert_eq!(line["refusal"], "data_undecryptable", "{what}");
    }
    let answer = by_form(&world, &world.wechat.issue_code("alice"), &good);
    assert_eq!(answer.status, 200);
}

#[test]
fn a_proof_that_does_not_hold_leaves_the_code_to_one_that_does() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let wrong = world.wechat.encrypted(APPID, "bob", json!({}));
    by_form(&world, &code, &wrong).refused(400, "data_undecryptable");
    let right = world.wechat.encrypted(APPID, "alice", json!({}));
    assert_eq!(by_form(&world, &code, &right).status, 200);
    assert_eq!(world.wechat.calls(), 1);
}

#[test]
fn the_unionid_header_is_there_exactly_when_the_unionid_is_known() {
    let world = World::new();
    let forged = |skey: &str| {
        Ask::get("/mine")
            .skey(skey)
            .header("X-UnionId", "uMallory")
            .header("X_OpenId", "oMallory")
    };
    world.ask(&forged(&world.skey_of("alice")));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-UnionId"), [""; 0]);
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    world.backend.forget();
    world.wechat.set_unionid("alice", Some("uAlice"));
    world.ask(&forged(&world.skey_of("alice")));
    assert_eq!(world.backend.only_seen().values("X-UnionId"), ["uAlice"]);
}

fn is_about_a_week(seconds: &Value) -> bool {
    seconds
        .as_u64()
        .is_some_and(|seconds| (600_000..=604_800).contains(&seconds))
}

fn by_form(world: &World, code: &str, sealed: &Sealed) -> Answer {
    let fields = [
        ("code", code),
        ("encryptedData", &sealed.encrypted_data),
        ("iv", &sealed.iv),
    ];
    world.ask(&Ask::post("/wx/login").form(&fields))
}

fn by_json(world: &World, code: &str, sealed: &Sealed) -> Answer {
    let Sealed { encrypted_data, iv } = sealed;
    let body = json!({"code": code, "encryptedData": encrypted_data, "iv": iv});
    world.ask(&Ask::post("/wx/login").json(&body))
}

fn by_header(world: &World, code: &str, sealed: &Sealed) -> Answer {
    world.ask(
        &Ask::get("/wx/login")
            .header("X-WX-Code", code)
            .header("X-WX-Encrypted-Data", &sealed.encrypted_data)
            .header("X-WX-IV", &sealed.iv),
    )
}

/// The unionid that the backend is told of the session that this login opened.
fn unionid_of(world: &World, login: &Answer) -> String {
    assert_eq!(login.status, 200, "{login:?}");
    world.backend.forget();
    world.get_as(login.json()["skey"].as_str().unwrap(), "/mine");
    let seen = world.backend.only_seen();
    seen.values("X-UnionId").join("|")
}
