//! How often the backend is told: once for a code, again if that failed, and never a second time for one try.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use super::{PATH, calls, config, skey, told};
use crate::harness::{Ask, Backend, Gate, World};

/// A backend that fails at first, and knows the user by the number of its call then.
fn failing_first() -> Backend {
    let count = AtomicUsize::new(0);
    Backend::that(move |conversation| {
        while let Some(seen) = conversation.read_request() {
            if seen.target != PATH {
                conversation.answer("200 OK", b"seen");
                continue;
            }
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => conversation.answer("500 Internal Server Error", b""),
                number => {
                    let said = json!({"user_id": number, "data": {"number": number}});
                    conversation.answer("200 OK", said.to_string().as_bytes());
                }
            }
        }
    })
}

/// A backend that tells nobody anything until the gate is open.
fn behind(gate: &Gate) -> Backend {
    let gate = gate.clone();
    Backend::that(move |conversation| {
        while conversation.read_request().is_some() {
            gate.wait();
            conversation.answer("200 OK", br#"{"user_id":7}"#);
        }
    })
}

#[test]
fn after_a_failure_the_same_code_is_told_again_but_not_exchanged_again() {
    let world = World::around(&config(""), failing_first());
    let code = world.wechat.issue_code("alice");
    world.login_with(&code).refused(502, "upstream_failed");
    let second = world.login_with(&code);
    assert_eq!(second.json()["data"], json!({"number": 1}));
    let third = world.login_with(&code);
    assert_eq!(
        (skey(&third), &third.json()["data"]),
        (skey(&second), &json!({"number": 1}))
    );
    assert_eq!((world.wechat.calls(), calls(&world).len()), (1, 2));
    let first_seen: Vec<_> = calls(&world)
        .iter()
        .map(|seen| serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap())
        .map(|told| told["first_seen_here"].clone())
        .collect();
    assert_eq!(first_seen, [true, true]);
}

#[test]
fn a_failure_that_passed_is_not_told_again() {
    let world = World::around(&config(", on_failure = \"pass\""), failing_first());
    let code = world.wechat.issue_code("alice");
    let first = skey(&world.login_with(&code));
    assert_eq!(skey(&world.login_with(&code)), first);
    assert_eq!(calls(&world).len(), 1);
}

#[test]
fn twenty_logins_at_once_with_one_code_are_one_call() {
    let gate = Gate::default();
    let world = World::around(&config(""), behind(&gate));
    let code = world.wechat.issue_code("alice");
    let skeys = thread::scope(|scope| {
        let logins: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| skey(&world.login_with(&code))))
            .collect();
        world.await_count("wxgate_connections", 20);
        world.backend.wait_seen(1);
        gate.open();
        let skeys = logins.into_iter().map(|login| login.join().unwrap());
        skeys.collect::<Vec<_>>()
    });
    assert!(skeys.iter().all(|skey| *skey == skeys[0]));
    assert_eq!((world.wechat.calls(), world.backend.seen().len()), (1, 1));
}

#[test]
fn many_users_at_once_on_two_workers_are_each_told_and_kept_as_themselves() {
    let config = config("").replacen("workers = 1", "workers = 2", 1);
    let backend = Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            let openid = seen.values("X-OpenId").concat();
            conversation.answer(
                "200 OK",
                json!({ "user_id": openid }).to_string().as_bytes(),
            );
        }
    });
    let world = World::around(&config, backend);
    thread::scope(|scope| {
        for number in 0..16 {
            let world = &world;
            scope.spawn(move || {
                let user = format!("user-{number}");
                let login = world.login(&user);
                assert_eq!(login.json()["user"], world.openid_of(&user));
            });
        }
    });
    assert_eq!(calls(&world).len(), 16);
}

#[test]
fn a_client_that_goes_away_leaves_a_login_that_a_second_try_finds() {
    let gate = Gate::default();
    let world = World::around(&config(""), behind(&gate));
    let code = world.wechat.issue_code("alice");
    let ask = Ask::post("/wx/login").form(&[("code", &code)]);
    let mut line = world.connect();
    line.send(&ask.bytes());
    world.backend.wait_seen(1);
    drop(line);
    world.await_count("wxgate_connections", 0);
    gate.open();
    world.await_count("wxgate_logins_total{app=\"shop\",outcome=\"ok\"}", 1);
    let login = world.ask(&ask);
    assert_eq!(login.json()["user"], "7");
    assert_eq!((world.wechat.calls(), calls(&world).len()), (1, 1));
}

#[test]
fn a_stop_lets_a_login_that_waits_for_the_backend_finish() {
    let gate = Gate::default();
    let mut world = World::around(&config(""), behind(&gate));
    let code = world.wechat.issue_code("alice");
    let mut line = world.connect();
    line.send(&Ask::post("/wx/login").form(&[("code", &code)]).bytes());
    world.backend.wait_seen(1);
    let mut idle = world.connect();
    let gateway = world.take_gateway();
    let stopping = thread::spawn(move || gateway.stop());
    assert!(idle.is_ended());
    gate.open();
    let answer = line.answer();
    assert_eq!(answer.json()["user"], "7");
    assert_eq!(answer.header("connection"), Some("close"));
    drop(line);
    stopping.join().unwrap().unwrap();
}

#[test]
fn a_call_that_may_have_arrived_is_not_repeated() {
    let backend = Backend::that(|conversation| {
        // The first request of a connection is answered, so that the second comes on one that is used again.
        if conversation.read_request().is_some() {
            conversation.answer("200 OK", b"{}");
        }
        conversation.read_request();
    });
    let world = World::around(&config(""), backend);
    world.skey_of("alice");
    world.login("bob").refused(502, "upstream_failed");
    assert_eq!(calls(&world).len(), 2);
    assert_eq!(world.backend.connections(), 1);
}

#[test]
fn a_replay_after_a_later_login_of_the_same_user_keeps_its_own_session() {
    let world = World::around(&config(""), failing_first());
    world.login("alice").refused(502, "upstream_failed");
    let (first, second) = (world.skey_of("alice"), world.skey_of("alice"));
    let ids = |skey: &str| told(&world, skey, ["X-User-Id"; 3])[0].clone();
    assert_eq!(
        (ids(&first), ids(&second)),
        (vec!["1".to_owned()], vec!["2".to_owned()])
    );
}
