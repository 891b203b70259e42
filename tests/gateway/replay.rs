//! The same code more than once: clients log in twice at once, and try again.

use std::thread;
use std::time::Duration;

use wxgate::simulator::Behaviour;

use crate::harness::{Answer, Ask, World};

const NEVER: &str = "[sessions]\nlogin_replay = \"0s\"";

#[test]
fn twenty_logins_at_once_with_one_code_make_one_call_and_one_skey() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    world.wechat.behave(Behaviour::Held);
    let answers = thread::scope(|scope| {
        let logins: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| world.login_with(&code)))
            .collect();
        world.await_count("wxgate_connections", 20);
        assert!(world.wechat.arrived_blocking(1));
        world.wechat.release();
        let answers = logins.into_iter().map(|login| login.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    let first = skey(&answers[0]);
    assert!(answers.iter().all(|answer| skey(answer) == first));
    assert_eq!(world.wechat.calls(), 1);
    assert_eq!(world.count("wxgate_sessions{app=\"shop\"}"), 1);
}

#[test]
fn the_same_code_again_gets_the_same_skey_until_the_replay_is_over() {
    let world = World::with("[sessions]\nlogin_replay = \"1h\"");
    let code = world.wechat.issue_code("alice");
    let first = skey(&world.login_with(&code));
    world.clock.turn(Duration::from_mins(30));
    assert_eq!(skey(&world.login_with(&code)), first);
    assert_eq!(world.wechat.calls(), 1);
    world.clock.turn(Duration::from_mins(30));
    world.login_with(&code).refused(401, "login_code_used");
    assert_eq!(world.wechat.calls(), 2);
    assert_eq!(world.get_as(&first, "/wx/check").status, 200);
}

#[test]
fn without_a_replay_every_login_is_a_call() {
    let world = World::with(NEVER);
    let code = world.wechat.issue_code("alice");
    assert_eq!(world.login_with(&code).status, 200);
    world.login_with(&code).refused(401, "login_code_used");
    assert_eq!(world.wechat.calls(), 2);
}

#[test]
fn the_codes_of_two_users_do_not_mix() {
    let world = World::new();
    let (alice, bob) = (
        world.wechat.issue_code("alice"),
        world.wechat.issue_code("bob"),
    );
    world.wechat.behave(Behaviour::Held);
    let (a, b) = thread::scope(|scope| {
        let a = scope.spawn(|| world.login_with(&alice));
        let b = scope.spawn(|| world.login_with(&bob));
        assert!(world.wechat.arrived_blocking(2));
        world.wechat.release();
        (a.join().unwrap(), b.join().unwrap())
    });
    world.get_as(&skey(&a), "/mine");
    world.get_as(&skey(&b), "/mine");
    let seen = world.backend.seen();
    assert_eq!(seen[0].values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen[1].values("X-OpenId"), [world.openid_of("bob")]);
}

#[test]
fn one_code_for_two_apps_is_two_logins() {
    let world = World::with_two_apps("");
    let code = world.wechat.issue_code("alice");
    let to = |path: &str| world.get(&format!("{path}?code={code}"));
    assert_eq!(to("/wx/login").status, 200);
    to("/game/login").refused(401, "login_code_used");
    assert_eq!(to("/wx/login").status, 200);
    assert_eq!(world.wechat.calls(), 2);
}

#[test]
fn a_client_that_hangs_up_finds_its_skey_when_it_tries_again() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let ask = Ask::post("/wx/login").form(&[("code", &code)]);
    world.wechat.behave(Behaviour::Held);
    let mut line = world.connect();
    line.send(&ask.bytes());
    assert!(world.wechat.arrived_blocking(1));
    drop(line);
    world.await_count("wxgate_connections", 0);
    world.wechat.release();
    world.await_count("wxgate_sessions{app=\"shop\"}", 1);
    let skey = skey(&world.ask(&ask));
    assert_eq!(world.wechat.calls(), 1);
    assert_eq!(world.get_as(&skey, "/mine").text(), "seen");
    // The login that nobody waited for counts as well.
    world.await_count("wxgate_logins_total{app=\"shop\",outcome=\"ok\"}", 2);
}

#[test]
fn a_try_that_comes_while_the_one_before_has_been_given_up_shares_its_call() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let ask = Ask::post("/wx/login").form(&[("code", &code)]);
    world.wechat.behave(Behaviour::Held);
    let mut given_up = world.connect();
    given_up.send(&ask.bytes());
    assert!(world.wechat.arrived_blocking(1));
    drop(given_up);
    world.await_count("wxgate_connections", 0);
    let mut line = world.connect();
    line.send(&ask.bytes());
    world.await_count("wxgate_connections", 1);
    world.wechat.release();
    assert_eq!(line.answer().status, 200);
    assert_eq!(world.wechat.calls(), 1);
}

#[test]
fn a_failed_exchange_is_not_remembered() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    world.wechat.behave_next(1, Behaviour::Status(500));
    world.wechat.behave_next(1, Behaviour::Errcode(45011));
    world.login_with(&code).refused(503, "wechat_unavailable");
    world.login_with(&code).refused(429, "login_rate_limited");
    assert_eq!(world.login_with(&code).status, 200);
    assert_eq!(world.wechat.calls(), 3);
}

#[test]
fn a_session_that_was_logged_out_is_not_replayed() {
    let world = World::new();
    let code = world.wechat.issue_code("alice");
    let skey = skey(&world.login_with(&code));
    assert_eq!(world.get_as(&skey, "/wx/logout").status, 200);
    world.login_with(&code).refused(401, "login_code_used");
    assert_eq!(world.wechat.calls(), 1);
}

#[test]
fn a_replayed_login_tells_the_lifetime_that_is_left() {
    let world = World::with("[sessions]\nlogin_replay = \"2h\"");
    let code = world.wechat.issue_code("alice");
    let left = |answer: Answer| answer.json()["expires_in"].as_u64().unwrap();
    let first = left(world.login_with(&code));
    world.clock.turn(Duration::from_hours(1));
    assert!(left(world.login_with(&code)) <= first - 3600);
}

fn skey(login: &Answer) -> String {
    assert_eq!(login.status, 200, "{login:?}");
    login.json()["skey"].as_str().unwrap().to_owned()
}
