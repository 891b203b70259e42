//! Masters that die or make way, under load: their place is taken, and whatever had reached those who take it is there.

use super::{Load, await_login, await_store, gateway_over, hold_all, logged_in};
use crate::harness::redis::Redis;

/// Goes through two changes of the master: one in order, one by a death.
#[track_caller]
fn goes_through_changes(mut redis: Redis, shape: &str) {
    let world = gateway_over(&redis, shape);
    let mut skeys = logged_in(&world, "before", 12);
    let load = Load::start(&world, &skeys);
    load.await_more(30);
    redis.await_in_step();
    redis.fail_over();
    skeys.push(await_login(&world, "between"));
    await_store(&world);
    redis.await_whole();
    redis.await_in_step();
    let (old, new) = redis.lose_master();
    assert_ne!(old, new);
    for n in 0..6 {
        skeys.push(await_login(&world, &format!("after{n}")));
    }
    await_store(&world);
    load.await_more(30);
    let (good, _) = load.stop();
    assert!(good > 60, "{good}");
    hold_all(&world, &gateway_over(&redis, shape), &skeys);
}

#[test]
fn sentinels_name_another_master_and_no_session_is_called_unknown() {
    goes_through_changes(Redis::sentinel(), "redis_sentinel");
}

#[test]
fn a_cluster_has_another_master_and_no_session_is_called_unknown() {
    goes_through_changes(Redis::cluster(), "redis_cluster");
}
