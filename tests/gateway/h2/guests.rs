//! Limits, places at a backend and verdicts for proxies in front: what they are to HTTP/1.1.

use std::time::Duration;

use h2::Reason;

use super::{behind, config};
use crate::harness::{Ask, BASE, Gate, Multiplexed, World};

/// A world in which the tests are the proxy in front.
fn fronted(more: &str) -> World {
    let server = "workers = 1\nh2c = true\ntrusted_proxies = [\"127.0.0.1\"]";
    let base = BASE.replace("workers = 1", server);
    World::of(&format!("{base}\n{more}"))
}

#[test]
fn a_client_that_asks_too_often_waits_and_the_others_of_its_connection_do_not() {
    let world = fronted("[limits]\nrequests_per_address = \"1/m burst 2\"");
    let mut line = Multiplexed::to(world.address());
    let ask = |address| Ask::get("/open/a").header("X-Forwarded-For", address);
    for _ in 0..2 {
        assert_eq!(line.ask(&ask("192.0.2.1")).status, 200);
    }
    let refused = line.ask(&ask("192.0.2.1")).refused(429, "rate_limited");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(line.ask(&ask("192.0.2.2")).status, 200);
    world.clock.turn(Duration::from_mins(1));
    assert_eq!(line.ask(&ask("192.0.2.1")).status, 200);
    assert_eq!(world.backend.seen().len(), 4);
}

#[test]
fn each_stream_has_a_place_at_the_backend_until_its_end() {
    let gate = Gate::default();
    let servers = "servers = [\"BACKEND\"]";
    let config = config().replace(servers, &format!("{servers}\nmax_requests = 1\nqueue = 1"));
    let world = World::around(&config, behind(&gate));
    let mut line = Multiplexed::to(world.address());
    let mut first = line.begin(&Ask::get("/open/a"));
    world.backend.wait_seen(1);
    let second = line.begin(&Ask::get("/open/b"));
    line.ask(&Ask::get("/open/c")).refused(503, "overloaded");
    first.reset(Reason::CANCEL);
    world.backend.wait_seen(2);
    let third = line.begin(&Ask::get("/open/d"));
    line.ask(&Ask::get("/open/e")).refused(503, "overloaded");
    gate.open();
    assert_eq!(second.answer().text(), "finished");
    assert_eq!(third.answer().text(), "finished");
    assert_eq!(world.backend.seen().len(), 3);
}

#[test]
fn a_proxy_in_front_is_told_whose_a_request_is() {
    let world = fronted(
        "[[routes]]\npath = \"/_auth/caddy\"\naction = \"forward-auth\"\n\
         [[routes]]\npath = \"/_auth/envoy/*\"\naction = \"ext-authz\"",
    );
    let (skey, openid) = (world.skey_of("alice"), world.openid_of("alice"));
    let mut line = Multiplexed::to(world.address());
    let caddy = Ask::get("/_auth/caddy")
        .header("X-Forwarded-Method", "PUT")
        .header("X-Forwarded-Uri", "/orders?a=b")
        .header("X-Forwarded-Host", "shop.example.com");
    let answer = line.ask(&caddy.clone().skey(&skey));
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(answer.values("x-openid"), [openid.as_str()]);
    let answer = line.ask(&Ask::new("PATCH", "/_auth/envoy/orders").skey(&skey));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!(answer.values("x-openid"), [openid.as_str()]);
    let answer = line.ask(&caddy.clone()).refused(401, "session_missing");
    assert_eq!(answer.values("x-openid"), [""; 0]);
    let forged = caddy.skey(&skey).header("X_OpenId", "forged");
    line.ask(&forged).refused(400, "bad_request");
    assert_eq!(world.backend.seen().len(), 0);
}
