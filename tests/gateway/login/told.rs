//! What the answer to a login can tell beside the skey: an id of the session, and what came of the user.

use serde_json::{Value, json};

use super::by_form;
use crate::harness::{APPID, Answer, Ask, World};

/// A world whose login answers the id of the session and the user.
fn world() -> World {
    let login = "action = \"login\"";
    let response =
        "response = { id = \"{session_id}\", skey = \"{skey}\", user = \"{user_info}\" }";
    World::where_config(&[(login, &format!("{login}\n{response}"))])
}

fn signed(world: &World, code: &str, raw_data: &str) -> Answer {
    let signature = world.wechat.signed(APPID, "alice", raw_data);
    let fields = [
        ("code", code),
        ("rawData", raw_data),
        ("signature", &signature),
    ];
    world.ask(&Ask::post("/wx/login").form(&fields))
}

fn user_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["user"].clone()
}

#[test]
fn a_login_tells_what_its_encrypted_data_holds_before_what_its_signed_data_says() {
    let world = world();
    let payload = json!({"nickName": "小明", "n": 1.50, "deep": {"a": [null]}});
    let sealed = world.wechat.encrypted(APPID, "alice", payload);
    let user = user_of(&by_form(&world, &world.wechat.issue_code("alice"), &sealed));
    assert_eq!(
        (&user["nickName"], &user["deep"]),
        (&json!("小明"), &json!({"a": [null]}))
    );
    assert_eq!(user["openId"], world.openid_of("alice"));
    assert_eq!(user["watermark"]["appid"], APPID);

    let raw_data = r#"{"nickName":"of rawData"}"#;
    let code = world.wechat.issue_code("alice");
    let user = user_of(&signed(&world, &code, raw_data));
    assert_eq!(user, json!({"nickName": "of rawData"}));

    let signature = world.wechat.signed(APPID, "alice", raw_data);
    let both = json!({
        "code": world.wechat.issue_code("alice"),
        "rawData": raw_data, "signature": signature,
        "encryptedData": sealed.encrypted_data, "iv": sealed.iv,
    });
    let answer = world.ask(&Ask::post("/wx/login").json(&both));
    assert_eq!(user_of(&answer)["nickName"], "小明");
}

#[test]
fn what_nobody_signed_or_what_is_no_object_tells_nothing() {
    let world = world();
    assert_eq!(user_of(&world.login("alice")), json!({}));
    let code = world.wechat.issue_code("alice");
    let unsigned = [("code", code.as_str()), ("rawData", r#"{"nickName":"x"}"#)];
    let answer = world.ask(&Ask::post("/wx/login").form(&unsigned));
    assert_eq!(user_of(&answer), json!({}));
    let deep = "[".repeat(10_000);
    for raw_data in ["[1]", "x", "{\"a\":", deep.as_str()] {
        let code = world.wechat.issue_code("alice");
        assert_eq!(user_of(&signed(&world, &code, raw_data)), json!({}));
    }
}

#[test]
fn a_login_that_is_repeated_tells_what_came_with_it_each_time() {
    let world = world();
    let code = world.wechat.issue_code("alice");
    let first = signed(&world, &code, r#"{"n":1}"#).json();
    let second = signed(&world, &code, r#"{"n":2}"#).json();
    assert_eq!(
        (&first["user"], &second["user"]),
        (&json!({"n": 1}), &json!({"n": 2}))
    );
    assert_eq!(
        (&first["skey"], &first["id"]),
        (&second["skey"], &second["id"])
    );
}

#[test]
fn the_id_of_a_session_is_one_of_each_login_and_no_token() {
    let world = world();
    let [first, second] = [world.login("alice").json(), world.login("alice").json()];
    assert_ne!(first["id"], second["id"]);
    let id = first["id"].as_str().unwrap();
    assert_eq!(id.len(), 32, "{id}");
    world.get_as(id, "/orders").refused(401, "session_invalid");
    assert_eq!(
        world
            .get_as(first["skey"].as_str().unwrap(), "/orders")
            .status,
        200
    );
}
