//! The access token behind phone numbers: fetched once, renewed early, and again when WeChat does not take it.

use std::thread;
use std::time::Duration;

use super::*;
use crate::harness::GAME_APPID;

const EARLY: Duration = Duration::from_mins(116);

/// How often a token was asked for, and a number.
fn asked(world: &World) -> (usize, usize) {
    let calls = |api| world.wechat.calls_at(api);
    (calls(Api::AccessToken), calls(Api::PhoneNumber))
}

/// Lets this span go by, here and at WeChat.
fn pass(world: &World, span: Duration) {
    world.clock.turn(span);
    world.wechat.age_tokens(span);
}

#[test]
fn however_many_wait_for_it_a_token_is_fetched_once_and_kept() {
    let world = world();
    let skey = world.skey_of("alice");
    world.wechat.behave_at(Api::AccessToken, Behaviour::Held);
    thread::scope(|scope| {
        let asking = || scope.spawn(|| phone(&world, &skey).status);
        let asking: Vec<_> = (0..8).map(|_| asking()).collect();
        assert!(world.wechat.arrived_blocking_at(Api::AccessToken, 1));
        world.wechat.behave_at(Api::AccessToken, Behaviour::Normal);
        world.wechat.release();
        for answer in asking {
            assert_eq!(answer.join().unwrap(), 200);
        }
    });
    assert_eq!(phone(&world, &skey).status, 200);
    assert_eq!(asked(&world), (1, 9));
    // One of them was the login.
    assert_eq!(world.count(&calls("ok")), 11);
}

#[test]
fn each_app_has_a_token_of_its_own() {
    let world = World::with_two_apps(ROUTES);
    let login = |path: &str| {
        let code = world.wechat.issue_code("alice");
        let answer = world.ask(&Ask::post(path).form(&[("code", &code)]));
        answer.json()["skey"].as_str().unwrap().to_owned()
    };
    for skey in [login("/wx/login"), login("/game/login")] {
        for _ in 0..2 {
            assert_eq!(phone(&world, &skey).status, 200);
        }
    }
    assert_eq!(asked(&world), (2, 4));
    assert_ne!(
        world.wechat.access_token_of(APPID),
        world.wechat.access_token_of(GAME_APPID)
    );
}

#[test]
fn a_token_is_renewed_before_its_end() {
    let world = world();
    let skey = world.skey_of("alice");
    assert_eq!(phone(&world, &skey).status, 200);
    let first = world.wechat.access_token_of(APPID);
    pass(&world, EARLY);
    for _ in 0..2 {
        assert_eq!(phone(&world, &skey).status, 200);
    }
    assert_ne!(world.wechat.access_token_of(APPID), first);
    assert_eq!(asked(&world), (2, 3));
    assert_eq!(world.wechat.forced_tokens(), 0);
}

#[test]
fn while_the_old_token_is_good_it_serves_and_one_warning_is_logged() {
    let world = world();
    let skey = world.skey_of("alice");
    assert_eq!(phone(&world, &skey).status, 200);
    world
        .wechat
        .behave_at(Api::AccessToken, Behaviour::Status(500));
    pass(&world, EARLY);
    for _ in 0..3 {
        assert_eq!(phone(&world, &skey).status, 200);
    }
    assert_eq!(asked(&world), (2, 4));
    let warning = "the access token could not be renewed; the old one is still good";
    let line = world.log.line("a warning", |line| line["level"] == "WARN");
    assert_eq!(line["message"], warning);
    assert_eq!(world.log.text().matches(warning).count(), 1);
    pass(&world, Duration::from_mins(5));
    phone(&world, &skey).refused(503, "wechat_unavailable");
}

#[test]
fn a_token_that_wechat_does_not_take_is_exchanged_and_the_call_made_once_more() {
    for errcode in [40001, 40014, 42001] {
        let world = world();
        let skey = world.skey_of("alice");
        assert_eq!(phone(&world, &skey).status, 200);
        world.wechat.revoke_token(APPID, errcode);
        let answer = phone(&world, &skey);
        assert_eq!(answer.status, 200, "{errcode}: {answer:?}");
        assert_eq!(asked(&world), (2, 3), "{errcode}");
        assert_eq!(world.wechat.forced_tokens(), 0, "{errcode}");
        assert_eq!(world.count(&calls("token_rejected")), 1, "{errcode}");
    }
}

#[test]
fn only_if_wechat_gives_the_very_token_again_is_another_one_forced() {
    let world = world();
    let skey = world.skey_of("alice");
    assert_eq!(phone(&world, &skey).status, 200);
    world.wechat.spoil_token(APPID, 40001);
    assert_eq!(phone(&world, &skey).status, 200);
    assert_eq!(asked(&world), (3, 3));
    assert_eq!(world.wechat.forced_tokens(), 1);
    assert_eq!(phone(&world, &skey).status, 200);
    assert_eq!(asked(&world), (3, 4));
}

#[test]
fn a_call_is_repeated_once_and_never_more() {
    let world = world();
    let skey = world.skey_of("alice");
    for errcode in [40001, 40014, 42001] {
        let before = world.wechat.calls_at(Api::PhoneNumber);
        world
            .wechat
            .behave_next_at(Api::PhoneNumber, 3, Behaviour::Errcode(errcode));
        let answer = phone(&world, &skey).refused(503, "wechat_unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert_eq!(world.wechat.calls_at(Api::PhoneNumber), before + 2);
        world.wechat.behave_at(Api::PhoneNumber, Behaviour::Normal);
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(phone(&world, &skey).status, 200);
}

#[test]
fn many_who_find_a_token_spoiled_share_the_next() {
    let world = world();
    let skey = world.skey_of("alice");
    assert_eq!(phone(&world, &skey).status, 200);
    world.wechat.revoke_token(APPID, 40001);
    world
        .wechat
        .behave_next_at(Api::PhoneNumber, 6, Behaviour::Held);
    thread::scope(|scope| {
        let asking = || scope.spawn(|| phone(&world, &skey).status);
        let asking: Vec<_> = (0..6).map(|_| asking()).collect();
        assert!(world.wechat.arrived_blocking_at(Api::PhoneNumber, 7));
        world.wechat.release();
        for answer in asking {
            assert_eq!(answer.join().unwrap(), 200);
        }
    });
    assert_eq!(asked(&world), (2, 13));
}
