//! One server that dies, stops, is cut off, is slow, talks nonsense, or is full.

use std::time::Duration;

use super::{
    Load, await_login, await_store, gateway_over, hold_all, logged_in, store_at, try_login,
};
use crate::harness::redis::{Mode, Proxy, Redis};
use crate::harness::{Ask, World};

/// More than a gateway believes what it heard last.
const BEYOND_BELIEF: Duration = Duration::from_mins(1);
/// More than a gateway waits for an answer.
const TOO_SLOW: Duration = Duration::from_millis(700);

/// A gateway, its store behind a proxy, and users who have logged in.
struct Scene {
    redis: Redis,
    proxy: Proxy,
    world: World,
    skeys: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let redis = Redis::single();
        let proxy = Proxy::before(&redis.address(0));
        let url = format!("redis://{}", proxy.address());
        let world = World::with(&store_at(&[url], "redis"));
        await_store(&world);
        let skeys = logged_in(&world, "before", 8);
        Self {
            redis,
            proxy,
            world,
            skeys,
        }
    }

    /// Goes through a trouble under load: known sessions go on while they are believed, then they are out of reach, and
    /// afterwards they are there, and so is whoever was let in meanwhile.
    #[track_caller]
    fn goes_through(mut self, begin: impl Fn(&mut Self), end: impl Fn(&mut Self)) {
        let load = Load::start(&self.world, &self.skeys);
        load.await_more(30);
        begin(&mut self);
        load.await_more(30);
        let meanwhile: Vec<_> = (0..3)
            .filter_map(|n| try_login(&self.world, &format!("meanwhile{n}")))
            .collect();
        self.world.await_count("wxgate_store_up", 0);
        self.world.clock.turn(BEYOND_BELIEF);
        load.await_more(30);
        let unknown = "A".repeat(43);
        let stranger = self.world.get_as(&unknown, "/mine");
        assert!(stranger.status == 503 || stranger.json()["error"] == "session_invalid");
        let out_of_reach = self.world.get_as(&self.skeys[0], "/mine");
        let out_of_reach = out_of_reach.refused(503, "overloaded");
        assert!(out_of_reach.header("retry-after").is_some());
        let maybe = self
            .world
            .ask(&Ask::get("/maybe/cart").skey(&self.skeys[0]));
        maybe.refused(503, "overloaded");
        end(&mut self);
        await_store(&self.world);
        self.skeys.extend(meanwhile);
        self.skeys.push(await_login(&self.world, "after"));
        load.await_more(30);
        let (good, refused) = load.stop();
        assert!(good > 60 && refused > 0, "{good} {refused}");
        let fresh = gateway_over(&self.redis, "redis");
        hold_all(&self.world, &fresh, &self.skeys);
    }

    fn goes_through_mode(self, mode: Mode) {
        self.goes_through(
            |scene| scene.proxy.becomes(mode),
            |scene| scene.proxy.becomes(Mode::Pass),
        );
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_has_lost_nothing() {
    Scene::new().goes_through(|scene| scene.redis.kill(0), |scene| scene.redis.restart(0));
}

#[test]
fn a_server_that_stops_is_waited_for_no_longer_than_said() {
    Scene::new().goes_through(|scene| scene.redis.stop(0), |scene| scene.redis.cont(0));
}

#[test]
fn a_server_that_refuses_connections_is_tried_again() {
    Scene::new().goes_through_mode(Mode::Refuse);
}

#[test]
fn a_server_that_cuts_connections_is_tried_again() {
    Scene::new().goes_through_mode(Mode::Cut);
}

#[test]
fn a_server_that_is_too_slow_is_one_that_does_not_answer() {
    Scene::new().goes_through_mode(Mode::Slow(TOO_SLOW));
}

#[test]
fn a_connection_on_which_nothing_passes_is_given_up() {
    Scene::new().goes_through_mode(Mode::Stall);
}

#[test]
fn a_server_that_talks_nonsense_is_not_believed() {
    Scene::new().goes_through_mode(Mode::Garbage);
}

#[test]
fn a_server_that_is_full_keeps_what_it_has_and_takes_nobody_in() {
    let redis = Redis::single();
    let world = gateway_over(&redis, "redis");
    let mut skeys = logged_in(&world, "before", 4);
    let load = Load::start(&world, &skeys);
    load.await_more(30);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for n in 0..3 {
        let refused = world.login(&format!("late{n}")).refused(503, "overloaded");
        assert!(refused.header("retry-after").is_some());
    }
    world.await_count("wxgate_store_up", 0);
    load.await_more(30);
    let other = World::with(&store_at(&redis.urls(), "redis"));
    let mut statuses = skeys.iter().map(|skey| other.get_as(skey, "/mine").status);
    assert!(statuses.all(|status| status == 200 || status == 503));
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    skeys.push(await_login(&world, "after"));
    await_store(&world);
    let (good, _) = load.stop();
    assert!(good > 60, "{good}");
    hold_all(&world, &gateway_over(&redis, "redis"), &skeys);
}

#[test]
fn a_gateway_that_starts_before_its_redis_takes_requests_once_it_is_there() {
    let mut redis = Redis::single();
    let skey = gateway_over(&redis, "redis").skey_of("alice");
    redis.kill(0);
    let world = World::with(&store_at(&redis.urls(), "redis"));
    world.get_as(&skey, "/mine").refused(503, "overloaded");
    assert_eq!(world.get("/open/news").status, 200);
    assert_eq!(try_login(&world, "bob"), None);
    redis.restart(0);
    await_store(&world);
    assert_eq!(world.get_as(&skey, "/mine").status, 200);
}
