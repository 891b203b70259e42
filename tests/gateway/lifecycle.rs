//! Sessions that make way for others of the same user's.

use std::time::Duration;

use wxgate::domain::refusal::RefusalCode;

use crate::harness::{Ask, World};

const ONE: &str = "[sessions]\nmax_sessions_per_user = 1\n";

#[test]
fn a_login_elsewhere_ends_the_session_before_and_its_client_is_told_so() {
    let world = World::with(ONE);
    let (phone, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    assert_eq!(world.get_as(&phone, "/mine").status, 200);
    let tablet = world.skey_of("alice");
    for path in ["/mine", "/wx/check"] {
        let told = world.get_as(&phone, path).refused(401, "session_replaced");
        let message = RefusalCode::SessionReplaced.message();
        assert_eq!(told.json()["message"], message);
    }
    for skey in [&tablet, &bob] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
    assert_eq!(world.backend.seen().len(), 3);
    let answer = world.get_as(&phone, "/mine");
    let line = world.access_line(&answer);
    assert_eq!(line["refusal"], "session_replaced");
    assert_eq!(line["reason"], "the user has logged in elsewhere since");
}

#[test]
fn an_optional_route_serves_whoever_was_replaced_as_nobody() {
    let world = World::with(ONE);
    let phone = world.skey_of("alice");
    world.skey_of("alice");
    let answer = world.get_as(&phone, "/maybe/x");
    assert_eq!(answer.status, 200);
    let seen = world.backend.seen();
    assert!(seen[0].values("x-openid").is_empty());
}

#[test]
fn a_login_that_is_repeated_ends_nothing_and_a_logout_of_a_replaced_skey_neither() {
    let world = World::with(ONE);
    let code = world.wechat.issue_code("alice");
    let skeys = [(); 3].map(|()| world.login_with(&code).json()["skey"].clone());
    assert!(skeys.iter().all(|skey| *skey == skeys[0]));
    let old = skeys[0].as_str().unwrap();
    assert_eq!(world.get_as(old, "/mine").status, 200);
    let new = world.skey_of("alice");
    assert_eq!(world.get_as(old, "/wx/logout").status, 200);
    assert_eq!(world.get_as(&new, "/mine").status, 200);
    world.get_as(old, "/mine").refused(401, "session_replaced");
    // The session of the code has ended, so it is used up.
    world.login_with(&code).refused(401, "login_code_used");
}

#[test]
fn the_same_user_of_another_app_is_another_one() {
    let world = World::with_two_apps(ONE);
    let shop = world.skey_of("alice");
    let code = world.wechat.issue_code("alice");
    let login = Ask::post("/game/login").form(&[("code", &code)]);
    let game = world.ask(&login).json()["skey"]
        .as_str()
        .unwrap()
        .to_owned();
    for skey in [&shop, &game] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
}

#[test]
fn a_refusal_of_a_replaced_session_takes_its_own_shape_and_is_told_for_a_day() {
    let shape = "[refusals]\nsession_replaced = { status = 200, body = { errno = 409 } }\n\
        [sessions]\nmax_sessions_per_user = 1\nlifetime = \"7d\"\nidle = \"2d\"";
    let world = World::with(shape);
    let phone = world.skey_of("alice");
    let tablet = world.skey_of("alice");
    let hours = |count| world.clock.turn(Duration::from_hours(count));
    hours(23);
    let told = world.get_as(&phone, "/mine");
    assert_eq!(
        (told.status, told.text()),
        (200, r#"{"errno":409}"#.to_owned())
    );
    hours(1);
    world
        .get_as(&phone, "/mine")
        .refused(401, "session_invalid");
    assert_eq!(world.get_as(&tablet, "/mine").status, 200);
}
