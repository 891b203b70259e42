//! How long sessions last, who ends them, and on which routes they hold.

use std::time::Duration;

use crate::harness::{Answer, Ask, GAME_APPID, World};

const LIMITS: &str = "[sessions]\nlifetime = \"10h\"\nidle = \"4h\"";
const SESSIONS: &str = "wxgate_sessions{app=\"shop\"}";
const ROUTES_OF_APPS: &str = r#"
[[routes]]
path = "/shop/*"
upstream = "php"
app = "shop"

[[routes]]
path = "/shop/maybe/*"
upstream = "php"
app = ["shop"]
auth = "optional"

[[routes]]
path = "/both/*"
upstream = "php"
app = ["shop", "game"]

[[routes]]
path = "/shop/check"
action = "check"
app = "shop"

[[routes]]
path = "/shop/logout"
action = "logout"
app = "shop"
"#;

#[test]
fn a_session_ends_at_its_lifetime_however_much_it_is_used() {
    let world = World::with(LIMITS);
    let skey = world.skey_of("alice");
    for _ in 0..3 {
        world.clock.turn(Duration::from_hours(3));
        assert_eq!(world.get_as(&skey, "/mine").status, 200);
    }
    world.clock.turn(Duration::from_hours(1));
    world.get_as(&skey, "/mine").refused(401, "session_invalid");
    assert_eq!(world.backend.seen().len(), 3);
}

#[test]
fn a_session_ends_when_it_has_not_been_used_for_its_idle_time() {
    let world = World::with(LIMITS);
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    world.clock.turn(Duration::from_hours(3));
    assert_eq!(world.get_as(&alice, "/mine").status, 200);
    world.clock.turn(Duration::from_hours(1));
    assert_eq!(world.get_as(&alice, "/mine").status, 200);
    world.get_as(&bob, "/mine").refused(401, "session_invalid");
}

#[test]
fn an_optional_route_counts_as_use_and_an_open_one_does_not() {
    let world = World::with(LIMITS);
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    world.clock.turn(Duration::from_hours(3));
    assert_eq!(world.get_as(&alice, "/maybe/x").status, 200);
    assert_eq!(world.get_as(&bob, "/open/x").status, 200);
    world.clock.turn(Duration::from_hours(1));
    assert_eq!(world.get_as(&alice, "/wx/check").status, 200);
    world
        .get_as(&bob, "/wx/check")
        .refused(401, "session_invalid");
}

#[test]
fn a_check_tells_what_is_left_and_does_not_count_as_use() {
    let world = World::with(LIMITS);
    let skey = world.skey_of("alice");
    let first = world.get_as(&skey, "/wx/check").json();
    assert_eq!(first["valid"], true);
    world.clock.turn(Duration::from_hours(3));
    let second = world.ask(&Ask::post("/wx/check").skey(&skey)).json();
    let left = |check: &serde_json::Value| check["expires_in"].as_u64().unwrap();
    assert!((1..=36_000).contains(&left(&first)), "{first}");
    assert!(left(&second) <= left(&first) - 3 * 3600, "{second}");
    world.clock.turn(Duration::from_hours(1));
    world
        .get_as(&skey, "/wx/check")
        .refused(401, "session_invalid");
}

#[test]
fn a_check_needs_a_token_and_answers_in_the_shape_of_its_route() {
    let world = World::with(
        r#"
[[routes]]
path = "/old/check"
action = "check"
response = { errno = 0, user = "{openid}", left = "{expires_in}" }
"#,
    );
    world.get("/wx/check").refused(401, "session_missing");
    world
        .get_as("{skey}", "/wx/check")
        .refused(401, "session_invalid");
    let skey = world.skey_of("alice");
    let body = world.get_as(&skey, "/old/check").json();
    assert_eq!(
        (&body["errno"], &body["user"]),
        (&0.into(), &world.openid_of("alice").into())
    );
    assert!(body["left"].is_u64(), "{body}");
}

#[test]
fn a_session_that_was_logged_out_has_ended_and_may_be_logged_out_again() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let logout = |method| world.ask(&Ask::new(method, "/wx/logout").skey(&skey));
    for method in ["POST", "GET", "POST"] {
        let answer = logout(method);
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
        world.get_as(&skey, "/mine").refused(401, "session_invalid");
    }
}

#[test]
fn a_logout_with_a_token_that_is_none_is_done_and_one_without_a_token_is_refused() {
    let world = World::new();
    for garbage in ["x", &"a".repeat(43), "{skey}"] {
        let answer = world.get_as(garbage, "/wx/logout");
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    }
    world.get("/wx/logout").refused(401, "session_missing");
}

#[test]
fn the_devices_of_one_user_stay_logged_in_beside_each_other() {
    let world = World::new();
    world.wechat.renew_keys(true);
    let phone = world.skey_of("alice");
    let tablet = world.skey_of("alice");
    assert_ne!(phone, tablet);
    for skey in [&phone, &tablet] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
    world.get_as(&tablet, "/wx/logout");
    assert_eq!(world.get_as(&phone, "/mine").status, 200);
    world
        .get_as(&tablet, "/mine")
        .refused(401, "session_invalid");
}

#[test]
fn at_capacity_the_least_recently_used_session_goes_and_a_fresh_login_works() {
    let world = World::with("[sessions]\ncapacity = 2");
    let tidy = || world.gateway().store().tidy();
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    tidy();
    for _ in 0..10 {
        assert_eq!(world.get_as(&bob, "/mine").status, 200);
    }
    assert_eq!(world.get_as(&alice, "/mine").status, 200);
    tidy();
    let carol = world.skey_of("carol");
    tidy();
    for skey in [&alice, &carol] {
        assert_eq!(world.get_as(skey, "/mine").status, 200);
    }
    world.get_as(&bob, "/mine").refused(401, "session_invalid");
    assert_eq!(world.count(SESSIONS), 2);
}

#[test]
fn the_sessions_of_each_app_are_counted() {
    let world = World::with_two_apps(LIMITS);
    let counts = || {
        world.gateway().store().tidy();
        (
            world.count(SESSIONS),
            world.count("wxgate_sessions{app=\"game\"}"),
        )
    };
    assert_eq!(counts(), (0, 0));
    let alice = world.skey_of("alice");
    world.skey_of("bob");
    let gamer = game_skey(&world, "alice");
    assert_eq!(counts(), (2, 1));
    world.get_as(&alice, "/wx/logout");
    world.get_as(&alice, "/wx/logout");
    assert_eq!(counts(), (1, 1));
    world.clock.turn(Duration::from_hours(4));
    world
        .get_as(&gamer, "/mine")
        .refused(401, "session_invalid");
    assert_eq!(counts(), (1, 0));
}

#[test]
fn a_route_of_one_app_does_not_take_the_sessions_of_another() {
    let world = World::with_two_apps(ROUTES_OF_APPS);
    let (shopper, gamer) = (world.skey_of("alice"), game_skey(&world, "alice"));
    let openid = |answer: Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        world.backend.wait_seen(1);
        let seen = world.backend.only_seen();
        world.backend.forget();
        seen.values("X-OpenId").join("|")
    };
    let gamers = world.wechat.openid_of(GAME_APPID, "alice");
    assert_eq!(
        openid(world.get_as(&shopper, "/shop/x")),
        world.openid_of("alice")
    );
    for path in ["/shop/x", "/shop/check", "/shop/logout"] {
        world.get_as(&gamer, path).refused(401, "session_invalid");
    }
    assert_eq!(openid(world.get_as(&gamer, "/shop/maybe/x")), "");
    assert_eq!(openid(world.get_as(&gamer, "/both/x")), gamers);
    assert_eq!(openid(world.get_as(&gamer, "/any")), gamers);
}

#[test]
fn each_guard_lets_pass_what_it_should() {
    let world = World::new();
    let good = world.skey_of("alice");
    let gone = world.skey_of("bob");
    world.get_as(&gone, "/wx/logout");
    let seen = |skey: Option<&str>, path| {
        world.backend.forget();
        let ask = Ask::get(path).header("X-OpenId", "oMallory");
        let ask = skey.map_or(ask.clone(), |skey| ask.skey(skey));
        let answer = world.ask(&ask);
        assert_eq!(answer.status, 200, "{answer:?}");
        world.backend.only_seen().values("X-OpenId").join("|")
    };
    let alice = world.openid_of("alice");
    assert_eq!(seen(Some(&good), "/mine"), alice);
    assert_eq!(seen(Some(&good), "/maybe/x"), alice);
    for skey in [Some(gone.as_str()), Some("x"), None] {
        assert_eq!(seen(skey, "/maybe/x"), "");
    }
    for skey in [Some(good.as_str()), Some(gone.as_str()), Some("x"), None] {
        assert_eq!(seen(skey, "/open/x"), "");
    }
    world.backend.forget();
    world.get("/mine").refused(401, "session_missing");
    world.get_as(&gone, "/mine").refused(401, "session_invalid");
    world.get_as("x", "/mine").refused(401, "session_invalid");
    assert_eq!(world.backend.seen().len(), 0);
}

fn game_skey(world: &World, user: &str) -> String {
    let code = world.wechat.issue_code(user);
    let answer = world.get(&format!("/game/login?code={code}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["skey"].as_str().unwrap().to_owned()
}
