//! Three gateways over one Redis: what ends at one has ended at the others.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{await_store, gateway_over, store_at};
use crate::harness::redis::Redis;
use crate::harness::{Ask, BASE, Line, SECRET, World};

/// Far more than it takes: what is held is that it comes, and how long it took is printed.
const LATEST: Duration = Duration::from_secs(5);

/// How long it takes until a session has ended at a gateway.
#[track_caller]
fn until_over(world: &World, skey: &str, since: Instant) -> Duration {
    loop {
        let answer = world.get_as(skey, "/mine");
        if answer.status != 200 {
            answer.refused(401, "session_invalid");
            return since.elapsed();
        }
        assert!(since.elapsed() < LATEST, "it goes on");
    }
}

#[track_caller]
fn logout_takes_effect_everywhere(redis: &Redis, shape: &str) {
    let worlds: [World; 3] = std::array::from_fn(|_| gateway_over(redis, shape));
    let mut took = Vec::new();
    for round in 0..12 {
        let [one, second, third] = [0, 1, 2].map(|n| &worlds[(round + n) % 3]);
        let skey = one.skey_of("alice");
        for world in [one, second, third, second, third] {
            assert_eq!(world.get_as(&skey, "/mine").status, 200);
        }
        assert_eq!(one.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
        let since = Instant::now();
        took.extend([second, third].map(|world| until_over(world, &skey, since)));
        one.get_as(&skey, "/mine").refused(401, "session_invalid");
    }
    took.sort_unstable();
    tell(shape, &took);
}

/// Tells how long it took, to whoever runs this with `--nocapture`.
#[expect(clippy::print_stderr, reason = "it is measured, and holds nothing")]
fn tell(shape: &str, took: &[Duration]) {
    eprintln!("{shape}: {:?} to {:?}", took[0], took[took.len() - 1]);
}

#[test]
fn a_logout_at_one_gateway_takes_effect_at_the_others() {
    logout_takes_effect_everywhere(&Redis::single(), "redis");
}

#[test]
fn a_logout_takes_effect_behind_sentinels() {
    logout_takes_effect_everywhere(&Redis::sentinel(), "redis_sentinel");
}

#[test]
fn a_logout_takes_effect_in_a_cluster() {
    logout_takes_effect_everywhere(&Redis::cluster(), "redis_cluster");
}

#[test]
fn a_revocation_at_one_gateway_takes_effect_at_the_others() {
    let redis = Redis::single();
    let token = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = { env = \"SHOP_SECRET\" }";
    let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"", token);
    let config = format!("{config}\n{}", store_at(&redis.urls(), "redis"));
    let worlds: [World; 3] = std::array::from_fn(|_| World::of(&config));
    worlds.iter().for_each(await_store);
    let [one, second, third] = &worlds;
    let skeys = [one.skey_of("alice"), second.skey_of("alice")];
    let other = third.skey_of("bob");
    for world in &worlds {
        for skey in &skeys {
            assert_eq!(world.get_as(skey, "/mine").status, 200);
        }
    }
    let openid = one.openid_of("alice");
    let ask = Ask::post("/api/sessions/revoke")
        .header("Authorization", &format!("Bearer {SECRET}"))
        .json(&json!({"app": "shop", "openid": openid}));
    let answer = Line::to(third.gateway().admin_address().unwrap()).ask(&ask);
    assert_eq!((answer.status, answer.json()), (200, json!({"revoked": 2})));
    let since = Instant::now();
    for world in &worlds {
        for skey in &skeys {
            until_over(world, skey, since);
        }
        assert_eq!(world.get_as(&other, "/mine").status, 200);
    }
}
