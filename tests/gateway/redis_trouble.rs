//! What becomes of sessions while Redis is in trouble: they may be out of reach for a while, and are never called unknown,
//! and none that was acknowledged is lost.

mod failing;
mod gateways;
mod load;
mod moving;

use crate::harness::World;
use crate::harness::redis::{MASTER, Redis};

use load::Load;

/// A store at these URLs that is soon found to be in trouble.
fn store_at(urls: &[String], shape: &str) -> String {
    let quoted: Vec<_> = urls.iter().map(|url| format!("{url:?}")).collect();
    let urls = quoted.join(", ");
    let place = match shape {
        "redis" => format!("redis = {urls}"),
        "redis_sentinel" => format!("redis_sentinel = [{urls}], master = {MASTER:?}"),
        other => format!("{other} = [{urls}]"),
    };
    format!("[sessions]\nstore = {{ {place}, timeout = \"300ms\", near_belief = \"2s\" }}\n")
}

/// Waits until a gateway can ask its store.
#[track_caller]
fn await_store(world: &World) {
    world.await_count("wxgate_store_up", 1);
}

/// A gateway over these servers, once it can ask them.
#[track_caller]
fn gateway_over(redis: &Redis, shape: &str) -> World {
    let world = World::with(&store_at(&redis.urls(), shape));
    await_store(&world);
    world
}

/// The skeys of users who have logged in, each of whom was told so.
fn logged_in(world: &World, name: &str, count: usize) -> Vec<String> {
    let users = 0..count;
    users
        .map(|n| world.skey_of(&format!("{name}{n}")))
        .collect()
}

/// Tries to log a user in until it goes well; whatever goes before is `overloaded`, with a time to wait.
#[track_caller]
fn await_login(world: &World, user: &str) -> String {
    for _ in 0..2000 {
        if let Some(skey) = try_login(world, user) {
            return skey;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nobody can log in any more:\n{}", world.log.text());
}

/// The skey of a user who logs in, unless the store cannot be asked.
#[track_caller]
fn try_login(world: &World, user: &str) -> Option<String> {
    let answer = world.login(user);
    if answer.status == 200 {
        return Some(answer.json()["skey"].as_str().unwrap().to_owned());
    }
    let answer = answer.refused(503, "overloaded");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    None
}

/// Holds that each session is there, for this gateway and for one that never heard of it.
#[track_caller]
fn hold_all(world: &World, fresh: &World, skeys: &[String]) {
    for world in [world, fresh] {
        for (place, skey) in skeys.iter().enumerate() {
            let answer = world.get_as(skey, "/mine");
            assert_eq!(answer.status, 200, "the session at {place}: {answer:?}");
        }
    }
}
