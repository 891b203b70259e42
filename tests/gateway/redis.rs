//! Sessions in Redis, which gateways share.

use std::time::Duration;

use tokio::time::Instant;

use crate::harness::redis::{MASTER, Mode, Proxy, Redis, Setup};
use crate::harness::{Answer, Ask, LONGEST, World};

const UP: &str = "wxgate_store_up";

/// The part of a config that names a store.
fn sessions(store: &str) -> String {
    format!(
        "[sessions]\nlifetime = \"10h\"\nidle = \"4h\"\n[sessions.store]\ntimeout = \"2s\"\n{store}"
    )
}

fn list(redis: &Redis) -> String {
    format!("{:?}", redis.urls())
}

fn single(redis: &Redis) -> String {
    sessions(&format!("redis = {:?}", format!("{}/0", redis.urls()[0])))
}

fn before(proxy: &Proxy) -> String {
    sessions(&format!("redis = \"redis://{}\"", proxy.address()))
}

/// A gateway whose store can be asked.
fn world(config: &str) -> World {
    let world = World::with(config);
    world.await_count(UP, 1);
    world
}

/// Asks again while the store is overloaded.
#[track_caller]
fn once_it_can(ask: impl Fn() -> Answer) -> Answer {
    let since = Instant::now();
    loop {
        let answer = ask();
        if answer.status != 503 {
            return answer;
        }
        assert!(since.elapsed() < LONGEST, "{answer:?}");
    }
}

#[test]
fn a_session_that_one_gateway_opened_is_known_to_another_and_its_end_within_a_tenth_of_a_second() {
    let redis = Redis::single();
    let (one, other) = (world(&single(&redis)), world(&single(&redis)));
    let skey = one.skey_of("alice");
    for world in [&one, &other] {
        assert_eq!(world.get_as(&skey, "/mine").status, 200);
    }
    assert_eq!(one.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    one.get_as(&skey, "/mine").refused(401, "session_invalid");
    let since = Instant::now();
    while other.get_as(&skey, "/mine").status == 200 {
        assert!(since.elapsed() < Duration::from_millis(100));
    }
    other.get_as(&skey, "/mine").refused(401, "session_invalid");
}

#[test]
fn a_session_that_is_near_costs_no_question() {
    let redis = Redis::single();
    let world = world(&single(&redis));
    let skey = world.skey_of("alice");
    // The login itself has looked whether its session stands.
    let asked = "wxgate_store_requests_total{op=\"find\",outcome=\"ok\"}";
    world.await_count(asked, 1);
    for _ in 0..20 {
        assert_eq!(world.get_as(&skey, "/mine").status, 200);
    }
    assert_eq!(world.count(asked), 1);
    // Whoever ends it, and however, is heard.
    let names = redis.cli(&["KEYS", "wxgate:1:session:*"]);
    assert_eq!(redis.cli(&["DEL", &names]), "1");
    let since = Instant::now();
    while world.get_as(&skey, "/mine").status == 200 {
        assert!(since.elapsed() < LONGEST);
    }
    for _ in 0..20 {
        world.get_as(&skey, "/mine").refused(401, "session_invalid");
    }
    assert!(world.count(asked) <= 4, "{}", world.count(asked));
}

#[test]
fn in_trouble_known_sessions_go_on_for_a_while_and_nobody_is_told_that_a_session_is_none() {
    let redis = Redis::single();
    for mode in [Mode::Stall, Mode::Refuse, Mode::Garbage, Mode::Cut] {
        let proxy = Proxy::before(&redis.address(0));
        let (near, far) = (world(&before(&proxy)), world(&single(&redis)));
        let known = near.skey_of("alice");
        let unknown = far.skey_of("bob");
        proxy.becomes(mode);
        near.await_count(UP, 0);
        assert_eq!(near.get_as(&known, "/mine").status, 200);
        assert_eq!(near.admin("/readyz").status, 503);
        for refused in [near.get_as(&unknown, "/mine"), near.login("carol")] {
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            refused.refused(503, "overloaded");
        }
        near.clock.turn(Duration::from_secs(11));
        near.get_as(&known, "/mine").refused(503, "overloaded");
        near.get_as(&known, "/maybe/x").refused(503, "overloaded");
        proxy.becomes(Mode::Pass);
        for skey in [&known, &unknown] {
            assert_eq!(once_it_can(|| near.get_as(skey, "/mine")).status, 200);
        }
        near.await_count(UP, 1);
        assert_eq!(near.admin("/readyz").status, 200);
    }
}

#[test]
fn a_gateway_starts_without_redis_and_is_ready_once_that_is_there() {
    let mut redis = Redis::single();
    redis.kill(0);
    let world = World::with(&single(&redis));
    assert_eq!(world.admin("/readyz").status, 503);
    world.login("alice").refused(503, "overloaded");
    redis.restart(0);
    world.await_count(UP, 1);
    assert_eq!(world.admin("/readyz").status, 200);
    let skey = world.skey_of("alice");
    redis.kill(0);
    redis.restart(0);
    assert_eq!(once_it_can(|| world.get_as(&skey, "/mine")).status, 200);
}

#[test]
fn when_redis_is_full_known_sessions_go_on_and_logins_are_overloaded() {
    let redis = Redis::single();
    let world = world(&single(&redis));
    let skey = world.skey_of("alice");
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    world.login("bob").refused(503, "overloaded");
    world.await_count(UP, 0);
    let ready = world.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("OOM"), "{}", ready.text());
    assert_eq!(world.get_as(&skey, "/mine").status, 200);
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(world.login("bob").status, 200);
    world.await_count(UP, 1);
}

/// A gateway before a master that sentinels watch over.
fn watched(redis: &Redis) -> World {
    let store = format!("redis_sentinel = {}\nmaster = {MASTER:?}", list(redis));
    world(&sessions(&store))
}

#[test]
fn a_session_outlasts_a_failover_of_sentinels() {
    let redis = Redis::sentinel();
    let world = watched(&redis);
    let skey = world.skey_of("alice");
    redis.await_whole();
    redis.fail_over();
    assert_eq!(once_it_can(|| world.get_as(&skey, "/mine")).status, 200);
    assert_eq!(once_it_can(|| world.login("bob")).status, 200);
    world.await_count(UP, 1);
}

#[test]
fn a_session_outlasts_the_loss_of_the_master_behind_sentinels() {
    let mut redis = Redis::sentinel();
    let world = watched(&redis);
    let skey = world.skey_of("alice");
    redis.await_whole();
    redis.lose_master();
    world.clock.turn(Duration::from_secs(11));
    assert_eq!(once_it_can(|| world.get_as(&skey, "/mine")).status, 200);
    assert_eq!(once_it_can(|| world.login("bob")).status, 200);
    world.await_count(UP, 1);
}

#[test]
fn sessions_outlast_a_master_of_a_cluster() {
    let mut redis = Redis::cluster();
    let config = sessions(&format!("redis_cluster = {}", list(&redis)));
    let (one, other) = (world(&config), world(&config));
    let skeys: Vec<_> = (0..12)
        .map(|user| one.skey_of(&format!("user-{user}")))
        .collect();
    redis.await_whole();
    redis.lose_master();
    for world in [&one, &other] {
        world.clock.turn(Duration::from_secs(11));
        for skey in &skeys {
            assert_eq!(once_it_can(|| world.get_as(skey, "/mine")).status, 200);
        }
    }
    let skey = &skeys[0];
    assert_eq!(
        once_it_can(|| one.ask(&Ask::post("/wx/logout").skey(skey))).status,
        200
    );
    let since = Instant::now();
    while other.get_as(skey, "/mine").status == 200 {
        assert!(since.elapsed() < LONGEST);
    }
    other.get_as(skey, "/mine").refused(401, "session_invalid");
}

#[test]
fn redis_is_asked_under_tls_by_a_user_of_its_own() {
    let redis = Setup::default().tls().user("gate", "s3cret").single();
    let (url, ca) = (redis.urls()[0].clone(), redis.authority());
    let tls = |password: &str| {
        let url = url.replace("://", &format!("://gate:{password}@"));
        sessions(&format!("redis = {url:?}\ntls = {{ ca = {ca:?} }}"))
    };
    let right = world(&tls("s3cret"));
    let skey = right.skey_of("alice");
    assert_eq!(right.get_as(&skey, "/mine").status, 200);
    let wrong = World::with(&tls("another"));
    wrong.login("alice").refused(503, "overloaded");
    assert_eq!(wrong.admin("/readyz").status, 503);
    assert!(!wrong.log.text().contains("another"));
    let strange = World::with(&sessions(&format!(
        "redis = {:?}",
        url.replace("://", "://gate:s3cret@")
    )));
    strange.login("alice").refused(503, "overloaded");
}

#[test]
fn what_redis_has_tells_neither_skey_nor_key_nor_openid_where_an_encryption_key_is_set() {
    let redis = Redis::single();
    let key = "encryption_keys = [{ env = \"PATH_KEY\" }]\n[sessions.store]";
    let config = single(&redis).replace("[sessions.store]", key);
    let file = std::env::temp_dir().join(format!("wxgate-redis-key-{}", std::process::id()));
    std::fs::write(&file, "07".repeat(32)).unwrap();
    let config = config.replace("{ env = \"PATH_KEY\" }", &format!("{{ file = {file:?} }}"));
    let world = world(&config);
    let skey = world.skey_of("alice");
    let openid = world.openid_of("alice");
    assert_eq!(world.get_as(&skey, "/mine").status, 200);
    let names = redis.cli(&["KEYS", "*"]);
    assert_eq!(names.lines().count(), 3, "{names}");
    let mut all = names.clone();
    for name in names.lines() {
        let said = match redis.cli(&["TYPE", name]).as_str() {
            "string" => redis.cli(&["GET", name]),
            "hash" => redis.cli(&["HGETALL", name]),
            _ => redis.cli(&["ZRANGE", name, "0", "-1"]),
        };
        all.push_str(&said);
    }
    for secret in [
        skey,
        openid,
        world.wechat.session_key_of(crate::harness::APPID, "alice"),
    ] {
        assert!(!secret.is_empty() && !all.contains(&secret), "{all}");
    }
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_user_of_redis_needs_no_more_than_the_commands_that_are_named() {
    let (_, named) = include_str!("../../docs/redis.md")
        .split_once("Commands that its user needs: `")
        .unwrap();
    let (named, _) = named.split_once('`').unwrap();
    let commands: Vec<_> = named
        .split_whitespace()
        .map(|name| format!("+{}", name.to_lowercase()))
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let redis = Redis::single();
    let mut rule = vec![
        "ACL",
        "SETUSER",
        "gate",
        "on",
        ">pw",
        "~wxgate:1:*",
        "-@all",
    ];
    rule.extend(commands.iter().map(String::as_str));
    assert_eq!(redis.cli(&rule), "OK");
    let url = redis.urls()[0].replace("://", "://gate:pw@");
    let config = sessions(&format!("redis = {:?}", format!("{url}/1")));
    let world = world(&config.replace("[sessions]", "[sessions]\nmax_sessions_per_user = 1"));
    let first = world.skey_of("alice");
    let second = world.skey_of("alice");
    world
        .get_as(&first, "/mine")
        .refused(401, "session_replaced");
    assert_eq!(world.get_as(&second, "/mine").status, 200);
    world.clock.turn(Duration::from_hours(1));
    assert_eq!(world.get_as(&second, "/mine").status, 200);
    let store = world.gateway().store();
    let listing = wxgate::store::Listing {
        whose: wxgate::store::Whose::Anyone,
        limit: 10,
        cursor: None,
    };
    world.gateway().wait(async {
        store.settle().await;
        assert_eq!(store.list(listing).await.unwrap().rows.len(), 1);
        let app = wxgate::store::Revoked::App(0);
        assert_eq!(store.revoke(app).await, Ok(1));
    });
    let third = world.skey_of("alice");
    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&third)).status, 200);
    assert!(
        !world
            .admin("/metrics")
            .text()
            .contains("outcome=\"refused\"")
    );
}
