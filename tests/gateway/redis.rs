//! Sessions in Redis, which gateways share.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::redis::Redis;
use crate::harness::{Ask, World};

/// The part of a config that names this Redis.
fn store(redis: &Redis) -> String {
    format!(
        "[sessions]\nlifetime = \"10h\"\nidle = \"4h\"\nstore = {{ redis = \"{}/0\" }}",
        redis.urls()[0]
    )
}

/// Waits until a gateway can ask its store.
#[track_caller]
fn await_store(world: &World) {
    world.await_count("wxgate_store_up", 1);
}

#[test]
fn a_session_that_one_gateway_opened_is_known_to_another_and_its_end_too() {
    let redis = Redis::single();
    let (one, other) = (World::with(&store(&redis)), World::with(&store(&redis)));
    await_store(&one);
    await_store(&other);
    let skey = one.skey_of("alice");
    assert_eq!(one.get_as(&skey, "/mine").status, 200);
    assert_eq!(other.get_as(&skey, "/mine").status, 200);
    assert_eq!(one.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    one.get_as(&skey, "/mine").refused(401, "session_invalid");
    let since = Instant::now();
    while other.get_as(&skey, "/mine").status == 200 {
        assert!(since.elapsed() < Duration::from_millis(100));
    }
    eprintln!("{:?}", since.elapsed());
}
