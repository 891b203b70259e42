//! A new skey for a session that goes on.

use std::time::Duration;

use serde_json::json;

use crate::harness::{APPID, Ask, World};

const ROTATE: &str = "\n[[routes]]\npath = \"/wx/rotate\"\naction = \"rotate\"\n";
const SESSIONS: &str = "wxgate_sessions{app=\"shop\"}";

fn rotated(world: &World, skey: &str) -> String {
    let answer = world.ask(&Ask::post("/wx/rotate").skey(skey));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()["skey"].as_str().unwrap().to_owned()
}

#[test]
fn a_rotation_answers_like_a_login_and_the_session_ends_when_it_would_have() {
    let limits = "[sessions]\nlifetime = \"10h\"\nidle = \"4h\"";
    let world = World::with(&format!("{limits}{ROTATE}"));
    let old = world.skey_of("alice");
    world.clock.turn(Duration::from_hours(3));
    let answer = world.ask(&Ask::post("/wx/rotate").skey(&old));
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["skey", "expires_in"]);
    let left = body["expires_in"].as_u64().unwrap();
    assert!((25_190..=25_200).contains(&left), "{left}");
    let new = body["skey"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    // It counts as use.
    world.clock.turn(Duration::from_hours(3));
    assert_eq!(world.get_as(&new, "/mine").status, 200);
    let seen = world.backend.seen();
    assert_eq!(seen[0].values("x-openid"), [world.openid_of("alice")]);
    world.await_count(SESSIONS, 1);
    world.clock.turn(Duration::from_hours(3));
    assert_eq!(world.get_as(&new, "/mine").status, 200);
    world.clock.turn(Duration::from_hours(1));
    world.get_as(&new, "/mine").refused(401, "session_invalid");
}

#[test]
fn the_old_skey_holds_for_its_grace_and_no_longer() {
    let world = World::with(&format!("[sessions]\nrotate_grace = \"30s\"{ROTATE}"));
    let old = world.skey_of("alice");
    let new = rotated(&world, &old);
    world.clock.turn(Duration::from_secs(20));
    for skey in [&old, &new] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
    // An answer that was lost: the old skey gets another one, and the one before is old now too.
    let newest = rotated(&world, &old);
    world.clock.turn(Duration::from_secs(10));
    world.get_as(&old, "/mine").refused(401, "session_invalid");
    world
        .ask(&Ask::post("/wx/rotate").skey(&old))
        .refused(401, "session_invalid");
    for skey in [&new, &newest] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
    world.clock.turn(Duration::from_secs(30));
    world.get_as(&new, "/mine").refused(401, "session_invalid");
    assert_eq!(world.get_as(&newest, "/mine").status, 200);
}

#[test]
fn a_login_is_not_told_again_once_its_skey_has_been_rotated() {
    let world = World::with(&format!("[sessions]\nlogin_replay = \"1h\"{ROTATE}"));
    let code = world.wechat.issue_code("alice");
    let answer = world.login_with(&code).json();
    let old = answer["skey"].as_str().unwrap();
    assert_eq!(world.login_with(&code).json()["skey"], old);
    rotated(&world, old);
    world.login_with(&code).refused(401, "login_code_used");
}

#[test]
fn only_a_post_with_a_session_rotates() {
    let world = World::with(ROTATE);
    let skey = world.skey_of("alice");
    let answer = world
        .get_as(&skey, "/wx/rotate")
        .refused(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    let rotate = Ask::post("/wx/rotate");
    world.ask(&rotate).refused(401, "session_missing");
    world
        .ask(&rotate.clone().skey("x"))
        .refused(401, "session_invalid");
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    world
        .ask(&rotate.skey(&skey))
        .refused(401, "session_invalid");
}

#[test]
fn a_logout_with_the_old_skey_ends_the_session_under_both() {
    let world = World::with(ROTATE);
    let old = world.skey_of("alice");
    let new = rotated(&world, &old);
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&old)).status, 200);
    for skey in [&old, &new] {
        world.get_as(skey, "/mine").refused(401, "session_invalid");
    }
    world.await_count(SESSIONS, 0);
}

#[test]
fn a_rotation_has_an_answer_of_ones_own_and_may_be_for_one_app() {
    let own = "\n[[routes]]\npath = \"/shop/rotate\"\naction = \"rotate\"\napp = \"shop\"\n\
        response = { code = 0, token = \"{skey}\", ttl = \"{expires_in}\", id = \"{session_id}\" }\n";
    let world = World::with_two_apps(own);
    let code = world.wechat.issue_code("alice");
    let login = Ask::post("/game/login").form(&[("code", &code)]);
    let gamer = world.ask(&login).json()["skey"]
        .as_str()
        .unwrap()
        .to_owned();
    let rotate = Ask::post("/shop/rotate");
    world
        .ask(&rotate.clone().skey(&gamer))
        .refused(401, "session_invalid");
    let skey = world.skey_of("alice");
    let body = world.ask(&rotate.skey(&skey)).json();
    assert_eq!(
        (&body["code"], body["id"].as_str().unwrap().len()),
        (&json!(0), 32)
    );
    let new = body["token"].as_str().unwrap();
    assert_eq!(world.get_as(new, "/mine").status, 200);
}

#[test]
fn data_that_was_sealed_before_a_rotation_opens_behind_it() {
    let opening =
        "\n[[routes]]\npath = \"/profile\"\nupstream = \"php\"\nopen_data = \"decrypt\"\n";
    let world = World::with(&format!("{ROTATE}{opening}"));
    let old = world.skey_of("alice");
    let sealed = world
        .wechat
        .encrypted(APPID, "alice", json!({"nickName": "n"}));
    let new = rotated(&world, &old);
    let body = json!({"encryptedData": sealed.encrypted_data, "iv": sealed.iv});
    let answer = world.ask(&Ask::post("/profile").skey(&new).json(&body));
    assert_eq!(answer.status, 200, "{answer:?}");
}
