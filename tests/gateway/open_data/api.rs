//! Data opened for a backend that asks the operator's listener.

use super::*;
use crate::harness::{BASE, Line, SECRET};

fn world() -> World {
    let admin = "[admin]\n";
    let token = format!("{admin}token = {{ env = \"SHOP_SECRET\" }}\n");
    assert!(BASE.contains(admin));
    World::where_config(&[(admin, &token)])
}

fn ask(world: &World, ask: &Ask) -> Answer {
    let address = world.gateway().admin_address().unwrap();
    Line::to(address).ask(
        &ask.clone()
            .header("Authorization", &format!("Bearer {SECRET}")),
    )
}

fn decrypt(world: &World, app: &str, openid: &str, sealed: &Sealed) -> Answer {
    let mut body = json_of(sealed);
    body["app"] = app.into();
    body["openid"] = openid.into();
    ask(world, &Ask::post("/api/decrypt").json(&body))
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &json!(code)));
    assert!(body["message"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
}

#[test]
fn data_opens_by_the_apps_name_or_appid_with_either_key_and_without_a_session() {
    let world = world();
    let skey = world.skey_of("alice");
    let (openid, sealed) = (world.openid_of("alice"), sealed(&world));
    world.wechat.renew_keys(true);
    let other = world.skey_of("alice");
    for skey in [&skey, &other] {
        world.get_as(skey, "/wx/logout");
    }
    for app in ["shop", APPID] {
        let answer = decrypt(&world, app, &openid, &sealed);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        is_alices(&world, &body["data"]);
        assert_eq!(body.as_object().unwrap().len(), 1);
    }
}

#[test]
fn what_does_not_open_is_refused_with_a_code_that_says_why() {
    let world = world();
    world.skey_of("alice");
    world.skey_of("bob");
    let openid = world.openid_of("alice");
    let good = sealed(&world);
    let carol = world.openid_of("carol");
    is_refused(&decrypt(&world, "game", &openid, &good), 404, "app_unknown");
    for unknown in [carol.as_str(), "用户", "a b"] {
        let answer = decrypt(&world, "shop", unknown, &good);
        is_refused(&answer, 404, "user_unknown");
    }
    let bob = world.openid_of("bob");
    for (openid, sealed) in [
        (&bob, good.clone()),
        (&openid, world.wechat.encrypted(APPID, "bob", json!({}))),
        (
            &openid,
            world
                .wechat
                .encrypted(APPID, "alice", json!({"openId": bob})),
        ),
        (
            &openid,
            Sealed {
                iv: String::new(),
                ..good.clone()
            },
        ),
    ] {
        let answer = decrypt(&world, "shop", openid, &sealed);
        is_refused(&answer, 400, "data_undecryptable");
    }
    assert_eq!(decrypt(&world, "shop", &openid, &good).status, 200);
}

#[test]
fn what_is_no_such_request_is_refused() {
    let world = world();
    let post = |body: &Value| ask(&world, &Ask::post("/api/decrypt").json(body));
    for body in [
        json!([]),
        json!({}),
        json!({"app": "shop"}),
        json!({"openid": "o", "encryptedData": "d", "iv": "i"}),
        json!({"app": "shop", "openid": "o"}),
    ] {
        is_refused(&post(&body), 400, "bad_request");
    }
    let signed =
        json!({"app": "shop", "openid": "o", "encryptedData": "d", "iv": "i", "signature": "s"});
    is_refused(&post(&signed), 400, "signature_invalid");
    let large = json!({"app": "f".repeat(64 * 1024)});
    is_refused(&post(&large), 413, "body_too_large");
    let answer = ask(&world, &Ask::get("/api/decrypt"));
    assert_eq!(answer.header("allow"), Some("POST"));
    is_refused(&answer, 405, "method_not_allowed");
}

#[test]
fn the_token_comes_first() {
    let world = world();
    world.skey_of("alice");
    let body = json_of(&sealed(&world));
    let address = world.gateway().admin_address().unwrap();
    let answer = Line::to(address).ask(&Ask::post("/api/decrypt").json(&body));
    is_refused(&answer, 401, "unauthorized");
    // Where there is no token there is no entry.
    let world = World::new();
    let answer = ask(&world, &Ask::post("/api/decrypt").json(&body));
    is_refused(&answer, 404, "not_found");
}
