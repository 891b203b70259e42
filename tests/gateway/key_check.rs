//! Data that does not open: whether the key is stale or the data not the user's, WeChat says, and the refusal with it.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use wxgate::simulator::{Api, Behaviour, Sealed, seal_blocks, seal_bytes};

use crate::harness::{APPID, Answer, Ask, BASE, Line, SECRET, World};

const ROUTES: &str = r#"
[[routes]]
path = "/profile"
upstream = "php"
open_data = "decrypt"
"#;
const LOG_IN: &str =
    "the encrypted data does not belong to this login: log in, then fetch it again";
const FETCH: &str = "this is not what WeChat encrypted for this user: fetch it again";

fn world() -> World {
    World::with(ROUTES)
}

/// Data that never opens for alice.
fn bobs(world: &World) -> Sealed {
    world.wechat.encrypted(APPID, "bob", json!({}))
}

fn json_of(sealed: &Sealed) -> Value {
    json!({"encryptedData": sealed.encrypted_data, "iv": sealed.iv})
}

fn profile(world: &World, skey: &str, sealed: &Sealed) -> Answer {
    world.ask(&Ask::post("/profile").skey(skey).json(&json_of(sealed)))
}

/// Holds that this is a refusal of data, and gives its message.
#[track_caller]
fn told(answer: Answer) -> String {
    let body = answer.refused(400, "data_undecryptable").json();
    body["message"].as_str().unwrap().to_owned()
}

fn checks(world: &World) -> usize {
    world.wechat.calls_at(Api::SessionKey)
}

#[test]
fn with_a_good_key_the_data_is_to_be_fetched_again_and_with_a_stale_one_after_a_login() {
    let world = world();
    let skey = world.skey_of("alice");
    let answer = profile(&world, &skey, &bobs(&world));
    let line = world.access_line(&answer);
    assert_eq!(told(answer), FETCH);
    let reason = "encryptedData does not open, though the user's key is good";
    assert_eq!(line["reason"], reason);

    let other = world.skey_of("carol");
    world.wechat.renew_key(APPID, "carol");
    let fresh = world.wechat.encrypted(APPID, "carol", json!({}));
    let answer = profile(&world, &other, &fresh);
    let line = world.access_line(&answer);
    assert_eq!(told(answer), LOG_IN);
    let reason = "encryptedData does not open: the user's key is stale";
    assert_eq!(line["reason"], reason);
    assert_eq!(checks(&world), 2);
    assert!(world.backend.seen().is_empty());

    // What the message says helps.
    let other = world.skey_of("carol");
    let fresh = world.wechat.encrypted(APPID, "carol", json!({}));
    assert_eq!(profile(&world, &other, &fresh).status, 200);
    assert_eq!(checks(&world), 2, "what opens needs no check");
}

#[test]
fn whatever_is_wrong_with_the_data_the_check_and_the_answer_are_the_same() {
    let world = world();
    let skey = world.skey_of("alice");
    let key = world.wechat.session_key_bytes(APPID, "alice");
    let sealed = |data: &str, iv: &str| Sealed {
        encrypted_data: data.to_owned(),
        iv: iv.to_owned(),
    };
    let iv = "AAAAAAAAAAAAAAAAAAAAAA==";
    for (what, data) in [
        ("another user's key", bobs(&world)),
        (
            "another app",
            world
                .wechat
                .encrypted(APPID, "alice", json!({"watermark": {"appid": "wx2"}})),
        ),
        ("no JSON", seal_bytes(&key, b"{\"watermark\":")),
        ("bad padding", seal_blocks(&key, &[[0; 16]; 2])),
        ("random", seal_blocks(&[9; 16], &[[3; 16]; 4])),
        ("no base64", sealed("%%%", iv)),
        ("no blocks", sealed("AAAA", iv)),
        ("an iv that is no base64", sealed(iv, "用户")),
    ] {
        let before = checks(&world);
        assert_eq!(told(profile(&world, &skey, &data)), FETCH, "{what}");
        assert_eq!(checks(&world), before + 1, "{what}");
        world.clock.turn(Duration::from_mins(1));
    }
}

#[test]
fn half_a_pair_and_a_bad_signature_need_no_check() {
    let world = world();
    let skey = world.skey_of("alice");
    let good = world.wechat.encrypted(APPID, "alice", json!({}));
    let ask = |fields: &[(&str, &str)]| world.ask(&Ask::post("/profile").skey(&skey).form(fields));
    assert_eq!(told(ask(&[("iv", &good.iv)])), LOG_IN);
    assert_eq!(told(ask(&[("encryptedData", "x"), ("iv", "")])), LOG_IN);
    let signed = [("rawData", "{}"), ("signature", "s")];
    let sealed = [("encryptedData", "x"), ("iv", "x")];
    ask(&[signed, sealed].concat()).refused(400, "signature_invalid");
    assert_eq!(
        (checks(&world), world.wechat.calls_at(Api::AccessToken)),
        (0, 0)
    );
}

#[test]
fn a_login_needs_no_check() {
    let world = world();
    let code = world.wechat.issue_code("alice");
    let mut body = json_of(&bobs(&world));
    body["code"] = code.into();
    let answer = world.ask(&Ask::post("/wx/login").json(&body));
    assert_eq!(told(answer), LOG_IN);
    assert_eq!(checks(&world), 0);
}

#[test]
fn a_verdict_is_remembered_for_a_minute_and_for_its_user_and_key_alone() {
    let world = world();
    let (alice, carol) = (world.skey_of("alice"), world.skey_of("carol"));
    let data = bobs(&world);
    for _ in 0..3 {
        assert_eq!(told(profile(&world, &alice, &data)), FETCH);
    }
    assert_eq!(checks(&world), 1);
    world.wechat.renew_key(APPID, "alice");
    assert_eq!(told(profile(&world, &alice, &data)), FETCH);
    assert_eq!(told(profile(&world, &carol, &data)), FETCH);
    assert_eq!(checks(&world), 2);
    world.clock.turn(Duration::from_mins(1));
    assert_eq!(told(profile(&world, &alice, &data)), LOG_IN);
    assert_eq!(checks(&world), 3);
    // A login brings another key.
    let alice = world.skey_of("alice");
    assert_eq!(told(profile(&world, &alice, &data)), FETCH);
    assert_eq!(checks(&world), 4);
}

#[test]
fn a_users_key_is_checked_once_however_many_wait() {
    let world = world();
    let skey = world.skey_of("alice");
    let data = bobs(&world);
    world.wechat.behave_at(Api::SessionKey, Behaviour::Held);
    thread::scope(|scope| {
        let asking = || scope.spawn(|| told(profile(&world, &skey, &data)));
        let asking: Vec<_> = (0..8).map(|_| asking()).collect();
        assert!(world.wechat.arrived_blocking_at(Api::SessionKey, 1));
        // The one worker has all its time for others.
        assert_eq!(world.get_as(&skey, "/orders").status, 200);
        world.wechat.release();
        for message in asking {
            assert_eq!(message.join().unwrap(), FETCH);
        }
    });
    assert_eq!(checks(&world), 1);
}

#[test]
fn where_wechat_gives_no_verdict_the_message_is_the_usual_one_and_one_warning_is_logged() {
    let warning = "WeChat does not say which keys are stale";
    for behaviour in [
        Behaviour::Status(500),
        Behaviour::Reset,
        Behaviour::HalfJson,
        Behaviour::Errcode(40003),
        Behaviour::Errcode(40164),
        Behaviour::Body("{}".to_owned()),
    ] {
        let world = world();
        let users = ["alice", "carol", "dave"].map(|user| world.skey_of(user));
        let data = bobs(&world);
        world.wechat.behave_at(Api::SessionKey, behaviour.clone());
        for skey in &users {
            let answer = profile(&world, skey, &data);
            let reason = world.access_line(&answer)["reason"].to_string();
            assert!(reason.contains("does not say"), "{reason}");
            assert_eq!(told(answer), LOG_IN, "{behaviour:?}");
            assert_eq!(told(profile(&world, skey, &data)), LOG_IN);
        }
        assert_eq!(checks(&world), 3, "{behaviour:?}");
        let line = world.log.line("a warning", |line| line["level"] == "WARN");
        assert_eq!(
            (&line["message"], &line["app"]),
            (&json!(warning), &json!("shop"))
        );
        assert_eq!(world.log.text().matches(warning).count(), 1);
    }
}

#[test]
fn a_token_that_wechat_does_not_take_is_exchanged_for_a_check_too() {
    for errcode in [40001, 40014, 42001] {
        let world = world();
        let (alice, carol) = (world.skey_of("alice"), world.skey_of("carol"));
        let data = bobs(&world);
        assert_eq!(told(profile(&world, &alice, &data)), FETCH);
        world.wechat.revoke_token(APPID, errcode);
        assert_eq!(told(profile(&world, &carol, &data)), FETCH);
        assert_eq!(checks(&world), 3);
        assert_eq!(world.wechat.calls_at(Api::AccessToken), 2);
    }
}

#[test]
fn a_route_shows_the_message_in_a_shape_of_its_own() {
    let shape =
        "[refusals]\ndata_undecryptable = { status = 200, body = { errmsg = \"{message}\" } }";
    let world = World::with(&format!("{ROUTES}\n{shape}"));
    let skey = world.skey_of("alice");
    let answer = profile(&world, &skey, &bobs(&world));
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"errmsg": FETCH}))
    );
}

#[test]
fn a_backend_that_asks_the_operators_listener_is_told_which_too() {
    let admin = "[admin]\n";
    let token = format!("{admin}token = {{ env = \"SHOP_SECRET\" }}\n");
    assert!(BASE.contains(admin));
    let world = World::where_config(&[(admin, &token)]);
    world.skey_of("alice");
    let message = |sealed: &Sealed| {
        let mut body = json_of(sealed);
        body["app"] = "shop".into();
        body["openid"] = world.openid_of("alice").into();
        let ask = Ask::post("/api/decrypt").json(&body);
        let ask = ask.header("Authorization", &format!("Bearer {SECRET}"));
        let answer = Line::to(world.gateway().admin_address().unwrap()).ask(&ask);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("data_undecryptable"))
        );
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(message(&bobs(&world)), FETCH);
    world.wechat.renew_key(APPID, "alice");
    world.clock.turn(Duration::from_mins(1));
    assert_eq!(message(&bobs(&world)), LOG_IN);
    assert_eq!(checks(&world), 2);
}

#[test]
fn no_key_signature_openid_and_access_token_is_logged() {
    let mut world = world();
    let skey = world.skey_of("alice");
    let openid = world.openid_of("alice");
    let errmsg = format!("no {openid}");
    let telltale = json!({"errcode": 40003, "errmsg": errmsg}).to_string();
    world
        .wechat
        .behave_next_at(Api::SessionKey, 1, Behaviour::Body(telltale));
    profile(&world, &skey, &bobs(&world));
    world.clock.turn(Duration::from_mins(1));
    profile(&world, &skey, &bobs(&world));
    let key = world.wechat.session_key_of(APPID, "alice");
    let token = world.wechat.access_token_of(APPID).unwrap();
    world.stop();
    let log = world.log.text();
    assert!(log.contains("40003: no ***"), "{log}");
    for private in [openid, key, token, skey, SECRET.to_owned()] {
        assert!(!log.contains(&private), "{private} in {log}");
    }
}
