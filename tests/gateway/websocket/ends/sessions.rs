//! How a session's end ends its WebSockets, whatever ends it.

use serde_json::json;

use super::*;

const SESSION_INVALID: (u16, &str) = (1008, "session_invalid");

#[test]
fn a_logout_ends_the_websockets_of_that_session_and_no_others() {
    let (backend, heard) = listening();
    let world = around(backend);
    let mut other = opened(&world);
    let skey = world.skey_of("bob");
    let mut line = world.connect();
    line.open_websocket(&Ask::websocket("/ws/room").skey(&skey));
    assert_eq!(world.count(OPEN), 2);
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    both_are_told(&world, &mut line, &heard, SESSION_INVALID, "session");
    assert_eq!(world.count(OPEN), 1);
    other.send_all(&masked(TEXT, b"still here"));
    let still = heard.recv_timeout(LONGEST).unwrap();
    assert_eq!(still, Some((TEXT, b"still here".to_vec())));
}

#[test]
fn a_session_that_its_time_ends_ends_its_websocket() {
    let (backend, heard) = listening();
    let world = around(backend);
    let mut line = opened(&world);
    world.clock.turn(Duration::from_hours(25));
    both_are_told(&world, &mut line, &heard, SESSION_INVALID, "session");
}

#[test]
fn a_session_that_others_push_out_ends_its_websocket() {
    let (backend, heard) = listening();
    let few = config("", "").replace("[sessions]", "[sessions]\ncapacity = 1");
    let world = World::around(&few, backend);
    let mut line = opened(&world);
    world.skey_of("bob");
    both_are_told(&world, &mut line, &heard, SESSION_INVALID, "session");
}

#[test]
fn a_session_that_makes_way_for_another_ends_its_websocket_and_says_so() {
    let (backend, heard) = listening();
    let one = config("", "").replace("[sessions]", "[sessions]\nmax_sessions_per_user = 1");
    let world = World::around(&one, backend);
    let mut line = opened(&world);
    world.skey_of("alice");
    let replaced = (1008, "session_replaced");
    both_are_told(&world, &mut line, &heard, replaced, "session");
}

#[test]
fn a_session_that_an_operator_revokes_ends_its_websocket() {
    let (backend, heard) = listening();
    let token = "[admin]\ntoken = { env = \"SHOP_SECRET\" }";
    let world = World::around(&config("", "").replace("[admin]", token), backend);
    let mut line = opened(&world);
    let all = Ask::post("/api/sessions/revoke").json(&json!({"app": "shop"}));
    assert_eq!(world.operate(&all).json(), json!({"revoked": 1}));
    both_are_told(&world, &mut line, &heard, SESSION_INVALID, "session");
}

#[test]
fn a_rotation_ends_no_websocket_and_the_end_of_the_rotated_session_does() {
    let (backend, heard) = listening();
    let rotate = "\n[[routes]]\npath = \"/wx/rotate\"\naction = \"rotate\"\n";
    let grace = config("", "").replace("[sessions]", "[sessions]\nrotate_grace = \"1h\"");
    let world = World::around(&format!("{grace}{rotate}"), backend);
    let skey = world.skey_of("bob");
    let mut line = world.connect();
    line.open_websocket(&Ask::websocket("/ws/room").skey(&skey));
    let new = world.ask(&Ask::post("/wx/rotate").skey(&skey)).json();
    let new = new["skey"].as_str().unwrap().to_owned();
    line.send_all(&masked(TEXT, b"still here"));
    let still = heard.recv_timeout(LONGEST).unwrap();
    assert_eq!(still, Some((TEXT, b"still here".to_vec())));
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&new)).status, 200);
    both_are_told(&world, &mut line, &heard, SESSION_INVALID, "session");
}
