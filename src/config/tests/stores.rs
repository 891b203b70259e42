//! Where sessions are kept.

use std::time::Duration;

use super::{REST, check, plan};
use crate::config::plan::{RedisAddress, RedisPlan, RedisServers, StorePlan};

fn redis(store: &str) -> RedisPlan {
    let config = format!("[sessions]\nstore = {{ {store} }}\n{REST}");
    match plan(&config).sessions.store {
        StorePlan::Redis(plan) => *plan,
        StorePlan::Memory => panic!("it is in memory: {store}"),
    }
}

fn address(host: &str, port: u16) -> RedisAddress {
    let host = host.to_owned();
    RedisAddress::Tcp { host, port }
}

#[test]
fn sessions_are_in_memory_or_in_a_redis() {
    let memory = plan(&format!("sessions.store = \"memory\"\n{REST}"));
    assert!(matches!(memory.sessions.store, StorePlan::Memory));
    let one = redis("redis = \"redis://gate:pw@r1/3\"");
    assert_eq!(one.servers, RedisServers::One(address("r1", 6379)));
    assert_eq!((one.database, one.tls.is_none()), (3, true));
    assert_eq!(one.login.username.as_deref(), Some("gate"));
    assert_eq!(one.login.password.unwrap().reveal(), "pw");
    let times = (one.timeout, one.near_belief);
    assert_eq!(times, (Duration::from_secs(1), Duration::from_secs(10)));
}

#[test]
fn a_redis_may_be_watched_by_sentinels_or_be_a_cluster() {
    let watched = redis(
        "redis_sentinel = [\"redis://:of-sentinels@s1/2\", \"redis://s2:1\"], master = \"m\", \
         username = \"gate\", password = { env = \"SHOP_SECRET\" }, near_belief = \"3s\", timeout = \"90ms\"",
    );
    let RedisServers::Sentinel {
        sentinels,
        master,
        login,
    } = watched.servers
    else {
        panic!("nobody watches")
    };
    assert_eq!(sentinels, [address("s1", 26379), address("s2", 1)]);
    assert_eq!((master.as_str(), watched.database), ("m", 2));
    assert_eq!(login.password.unwrap().reveal(), "of-sentinels");
    assert_eq!(watched.login.password.unwrap().reveal(), "shop-secret");
    let times = (watched.timeout, watched.near_belief);
    assert_eq!(times, (Duration::from_millis(90), Duration::from_secs(3)));
    let cluster = redis("redis_cluster = [\"redis://a:1\", \"redis://b:2\"]");
    let servers = vec![address("a", 1), address("b", 2)];
    assert_eq!(cluster.servers, RedisServers::Cluster(servers));
}

#[test]
fn a_redis_that_makes_no_sense_says_why_and_no_password() {
    let one =
        "a store in Redis is named by exactly one of `redis`, `redis_sentinel` and `redis_cluster`";
    let url = "this is no URL of a Redis; write \"redis://HOST:PORT/DB\", \"rediss://HOST:PORT/DB\" or \"redis+unix:/PATH\"";
    let plain = "a secret does not stand in the config, which many may read; write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";
    check(&[
        ("sessions.store = {}", &format!("1:18: {one}")),
        (
            "sessions.store = { redis = \"redis://a\", redis_cluster = [\"redis://b\"] }",
            &format!("1:18: {one}"),
        ),
        (
            "sessions.store = { redis = \"http://:hunter2@a\" }",
            &format!("1:28: {url}"),
        ),
        (
            "sessions.store = { redis_sentinel = [\"redis://s\"] }",
            "1:18: `master` is missing in [sessions.store]; write the name that the sentinels give it",
        ),
        (
            "sessions.store = { redis = \"redis://s\", master = \"m\" }",
            "1:50: `master` is what sentinels are asked for; name them in `redis_sentinel`",
        ),
        (
            "sessions.store = { redis_cluster = [\"redis://a/1\"] }",
            "1:37: a cluster has the database 0 alone; write that",
        ),
        (
            "sessions.store = { redis_cluster = [\"redis://a\", \"rediss://b\"] }",
            "1:50: this says another scheme, user or database than the first; write the same",
        ),
        (
            "sessions.store = { redis = \"redis://a\", password = \"hunter2\" }",
            &format!("1:52: {plain}"),
        ),
        (
            "sessions.store = { redis = \"redis://:hunter2@a\", password = { env = \"SHOP_SECRET\" } }",
            "1:69: the URL says `password` too; write it in one place",
        ),
        (
            "sessions.store = { redis = \"redis://a\", tls = {} }",
            "1:47: this Redis does not speak TLS; write \"rediss://…\", or remove `tls`",
        ),
        (
            "sessions = { state = \"s\", store = { redis = \"redis://a\" } }",
            "1:22: sessions in Redis outlast this process without a file; remove `state`",
        ),
    ]);
}

#[test]
fn skeys_are_rotated_in_memory_alone() {
    let route = "[[routes]]\npath = \"/wx/rotate\"\naction = \"rotate\"\n";
    plan(&format!("{REST}{route}"));
    let store = "sessions.store = { redis = \"redis://a\" }";
    let problem =
        "1:18: skeys are not rotated in Redis yet; remove the route with `action = \"rotate\"`";
    check(&[(&format!("{store}\n{REST}{route}"), problem)]);
}
