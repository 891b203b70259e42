//! What each has a config of its own elsewhere, in one: dialects, several apps, a backend that is told of logins, phone
//! numbers and encrypted data.

use serde_json::{Value, json};

use crate::harness::{APPID, Answer, Ask, BASE, Backend, GAME_APPID, SECRET, World};

const PATH: &str = "/internal/wx-login";
/// A login to one of two apps, of which the backend is told; and a login, a phone number, encrypted data and a backend for
/// the clients of each dialect, all of the app `shop`.
const MORE: &str = r#"
[apps.game]
appid = "wxfedcba9876543210"
secret = { env = "SHOP_SECRET" }

[[routes]]
path = "/any/login"
action = "login"
app = ["shop", "game"]
app_from = "referer"
on_login = { upstream = "php", path = "/internal/wx-login" }

[identity]
identity_preset = "cloudrun"
claims = { role = "X-User-Role" }
"#;
const DIALECT: &str = r#"
[[routes]]
path = "/DIALECT/login"
action = "login"
app = "shop"
dialect = "DIALECT"
on_login = { upstream = "php", path = "/internal/wx-login" }

[[routes]]
path = "/DIALECT/phone"
action = "phone"
upstream = "php"
app = "shop"
dialect = "DIALECT"

[[routes]]
path = "/DIALECT/profile"
upstream = "php"
open_data = "decrypt"
dialect = "DIALECT"
"#;
const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";
const DIALECTS: [&str; 2] = ["wafer1", "wafer2"];

/// A backend that knows its users by app and unionid, and lets nobody in who is `banned`.
fn backend() -> Backend {
    Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            if seen.target != PATH {
                conversation.answer("200 OK", b"seen");
                continue;
            }
            let news: Value = serde_json::from_slice(&seen.body).unwrap();
            let said = json!({
                "user_id": format!("{}-7", news["app"].as_str().unwrap()),
                "claims": {"role": "vip"},
                "data": {"nick": news["userInfo"]["nickName"]},
            });
            let status = match news["unionid"].as_str() {
                Some("banned") => "403 Forbidden",
                _ => "200 OK",
            };
            conversation.answer(status, said.to_string().as_bytes());
        }
    })
}

/// A world in which `wafer2` has a response of its own, with what the backend says.
fn world() -> World {
    let login = "action = \"login\"";
    let base = BASE.replace(login, &format!("{login}\napp = \"shop\""));
    let [one, two] = DIALECTS.map(|dialect| DIALECT.replace("DIALECT", dialect));
    let named = "dialect = \"wafer2\"\non_login";
    let response = r#"response = { code = 0, data = { skey = "{skey}", userinfo = "{data}" } }"#;
    let two = two.replace(named, &format!("{response}\n{named}"));
    let world = World::around(&format!("{base}{MORE}{one}{two}"), backend());
    world.wechat.register_app(GAME_APPID, SECRET);
    world
}

/// Logs alice in as a client of this dialect does, with her encrypted data.
fn log_in(world: &World, dialect: &str) -> Answer {
    let code = world.wechat.issue_code("alice");
    let sealed = world
        .wechat
        .encrypted(APPID, "alice", json!({"nickName": "Alice"}));
    let ask = Ask::get(&format!("/{dialect}/login")).header("X-WX-Code", &code);
    let ask = ask.header("X-WX-Encrypted-Data", &sealed.encrypted_data);
    world.ask(&ask.header("X-WX-IV", &sealed.iv))
}

fn skey(world: &World, dialect: &str) -> String {
    let answer = log_in(world, dialect).json();
    let skey = [&answer["session"]["skey"], &answer["data"]["skey"]];
    let skey = skey.iter().find_map(|skey| skey.as_str());
    skey.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The skey of a login of alice's to the app `game`, which the `Referer` names.
fn skey_of_game(world: &World) -> String {
    let code = world.wechat.issue_code_of(GAME_APPID, "alice");
    let referer = format!("https://servicewechat.com/{GAME_APPID}/7/page-frame.html");
    let ask = Ask::post("/any/login").form(&[("code", &code)]);
    let answer = world.ask(&ask.header("Referer", &referer));
    answer.json()["skey"].as_str().unwrap().to_owned()
}

/// Holds that this is how clients of `dialect` are told that something has failed.
#[track_caller]
fn is_told(answer: &Answer, dialect: &str, error: [&str; 2]) {
    let body = answer.json();
    let (mark, error) = match dialect {
        "wafer1" => ((MAGIC, 1), error[0]),
        _ => (("code", -1), error[1]),
    };
    assert_eq!((answer.status, &body[mark.0]), (200, &json!(mark.1)));
    assert_eq!(body["error"], error, "{body}");
}

#[test]
fn what_the_backend_says_of_a_user_reaches_the_clients_of_a_dialect_and_later_requests() {
    let world = world();
    let told = log_in(&world, "wafer2").json();
    assert_eq!(told["data"]["userinfo"], json!({"nick": "Alice"}), "{told}");
    for dialect in DIALECTS {
        let skey = skey(&world, dialect);
        world.backend.forget();
        let ask = Ask::get(&format!("/{dialect}/profile")).header("X-WX-Skey", &skey);
        assert_eq!(world.ask(&ask).text(), "seen");
        let seen = world.backend.only_seen();
        let told = ["X-User-Id", "X-User-Role", "X-WX-APPID", "X-WX-SOURCE"];
        let told = told.map(|name| seen.values(name).concat());
        assert_eq!(told, ["shop-7", "vip", APPID, "wx_client"]);
        assert_eq!(seen.values("X-WX-OPENID"), [world.openid_of("alice")]);
        assert!(seen.values("X-WX-Skey").is_empty(), "{}", seen.head);
    }
}

#[test]
fn who_is_turned_away_by_the_backend_is_told_so_in_the_dialect() {
    let world = world();
    world.wechat.set_unionid("alice", Some("banned"));
    for dialect in DIALECTS {
        let answer = log_in(&world, dialect);
        is_told(&answer, dialect, ["ERR_LOGIN_FAILED"; 2]);
        assert_eq!(world.access_line(&answer)["refusal"], "login_blocked");
    }
    assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 0);
}

#[test]
fn the_backend_is_told_to_which_of_several_apps_a_login_is() {
    let world = world();
    let skey = skey_of_game(&world);
    let news: Value = serde_json::from_slice(&world.backend.only_seen().body).unwrap();
    let openid = world.wechat.openid_of(GAME_APPID, "alice");
    assert_eq!(
        (&news["app"], &news["openid"]),
        (&json!("game"), &json!(openid))
    );
    world.backend.forget();
    assert_eq!(world.get_as(&skey, "/orders").text(), "seen");
    let seen = world.backend.only_seen();
    let told = ["X-User-Id", "X-WX-APPID", "X-WX-OPENID"].map(|name| seen.values(name).concat());
    assert_eq!(told, ["game-7", GAME_APPID, &openid]);
    world
        .ask(&Ask::post(PATH).skey(&skey))
        .refused(404, "route_not_found");
}

#[test]
fn a_phone_route_tells_a_lost_session_in_the_dialect_and_nothing_else() {
    let world = world();
    let game = skey_of_game(&world);
    for dialect in DIALECTS {
        let skey = skey(&world, dialect);
        let phone = |skey: &str, code: &str| {
            let ask = Ask::post(&format!("/{dialect}/phone")).header("X-WX-Skey", skey);
            world.ask(&ask.json(&json!({ "code": code })))
        };
        let code = world.wechat.issue_phone_code("13800138000");
        let lost = ["ERR_INVALID_SESSION", "ERR_SESSION_INVALID"];
        for other in [&game, "x", ""] {
            is_told(&phone(other, &code), dialect, lost);
        }
        phone(&skey, "no-such-code").refused(400, "phone_code_invalid");
        world.backend.forget();
        assert_eq!(phone(&skey, &code).text(), "seen");
        let seen = world.backend.only_seen();
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body["openData"]["phoneNumber"], "13800138000");
        assert_eq!(seen.values("X-User-Id"), ["shop-7"]);
    }
}

#[test]
fn data_that_does_not_open_is_no_lost_session_for_the_clients_of_a_dialect() {
    let world = world();
    for dialect in DIALECTS {
        let skey = skey(&world, dialect);
        world.wechat.renew_key(APPID, "alice");
        let sealed = world.wechat.encrypted(APPID, "alice", json!({}));
        let body = json!({"encryptedData": sealed.encrypted_data, "iv": sealed.iv});
        let ask = Ask::post(&format!("/{dialect}/profile")).header("X-WX-Skey", &skey);
        let answer = world.ask(&ask.json(&body));
        let line = world.access_line(&answer);
        let reason = "encryptedData does not open: the user's key is stale";
        assert_eq!(line["reason"], reason);
        let told = answer.refused(400, "data_undecryptable").json();
        assert_eq!((&told["code"], &told[MAGIC]), (&Value::Null, &Value::Null));
    }
}

#[test]
fn nothing_of_users_codes_keys_and_tokens_is_logged_or_counted() {
    let mut world = world();
    let mut private = vec![SECRET.to_owned(), "Alice".to_owned(), "nobody".to_owned()];
    for dialect in DIALECTS {
        let skey = skey(&world, dialect);
        let ask = |path: &str| Ask::post(&format!("/{dialect}/{path}")).header("X-WX-Skey", &skey);
        let code = world.wechat.issue_phone_code("13800138000");
        let sealed = world.wechat.encrypted(APPID, "nobody", json!({}));
        let data = json!({"encryptedData": sealed.encrypted_data, "iv": sealed.iv});
        assert_eq!(
            world.ask(&ask("phone").json(&json!({"code": code}))).status,
            200
        );
        world
            .ask(&ask("phone").json(&json!({"code": code})))
            .refused(400, "phone_code_invalid");
        world
            .ask(&ask("profile").json(&data))
            .refused(400, "data_undecryptable");
        world.wechat.renew_key(APPID, "alice");
        private.extend([skey, code, sealed.encrypted_data, sealed.iv]);
        private.push(world.wechat.session_key_of(APPID, "alice"));
    }
    private.push(skey_of_game(&world));
    let users = [APPID, GAME_APPID].map(|appid| world.wechat.openid_of(appid, "alice"));
    private.extend(users);
    private.push(world.wechat.access_token_of(APPID).unwrap());
    private.extend(["13800138000", "shop-7", "vip"].map(str::to_owned));
    let told = [
        world.admin("/metrics").text(),
        world.admin("/readyz").text(),
    ];
    world.stop();
    let told = format!("{} {}", told.concat(), world.log.text());
    assert!(
        told.contains("phone_code_invalid") && told.contains("the user's key is good"),
        "{told}"
    );
    for text in private {
        assert!(!told.contains(&text), "{text} in {told}");
    }
}
