//! `ext-authz`: a real Envoy that asks wxgate, with the config that is shipped; and what Envoy asks, written by hand.

use std::process::Command;

use super::Phone;
use super::fronts::{self, FRONTS, Fronted};
use crate::harness::{APPID, Ask};

#[test]
fn envoy_tells_the_backend_who_asks_and_passes_on_no_other_spelling() {
    fronts::tells_the_backend_who_asks_or_refuses(&real_envoy());
}

#[test]
fn envoy_lets_nobody_pass_without_a_session() {
    fronts::lets_nobody_else_pass(&real_envoy());
}

/// What Envoy asks with the config that is shipped: method, host and the path behind its prefix, and the headers that the
/// config names.
fn envoy(method: &str, target: &str) -> Ask {
    Ask::new(method, &format!("/_wxgate/auth{target}"))
        .header("Content-Length", "0")
        .header("X-Envoy-Internal", "true")
        .header("X-Forwarded-For", "192.0.2.7")
        .header("X-Envoy-Expected-Rq-Timeout-Ms", "1000")
}

#[test]
fn what_envoy_asks_is_answered_with_every_header_that_it_adds() {
    let phone = Phone::with("ext-authz");
    let skey = phone.world.skey_of("alice");
    for method in ["GET", "POST", "DELETE", "OPTIONS"] {
        let answer = phone.world.ask(&envoy(method, "/orders?a=b").skey(&skey));
        // Envoy lets pass under 200 alone.
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
        let openid = phone.world.openid_of("alice");
        let told = [
            ("x-openid", openid.as_str()),
            ("x-unionid", "uAlice"),
            ("x-appid", APPID),
            ("x-user-id", ""),
        ];
        for (name, value) in told {
            assert_eq!(answer.values(name), [value], "{name}");
        }
    }
    let line = phone.world.ask(&envoy("GET", "/").skey(&skey));
    assert_eq!(phone.world.access_line(&line)["route"], "/_wxgate/auth/*");
}

#[test]
fn what_envoy_is_to_refuse_has_no_status_that_lets_it_pass() {
    let phone = Phone::with("ext-authz");
    let skey = phone.world.skey_of("alice");
    phone
        .world
        .ask(&envoy("GET", "/"))
        .refused(401, "session_missing");
    let forged = envoy("GET", "/").skey(&skey).header("x.openid", "boss");
    phone.world.ask(&forged).refused(400, "bad_request");
    for path in ["/a/../b", "//a", "/a%2fb"] {
        let answer = phone.world.ask(&envoy("GET", path).skey(&skey));
        answer.refused(400, "bad_request");
    }
}

#[track_caller]
fn real_envoy() -> Fronted {
    Fronted::start(
        "ext-authz",
        "ext-authz.envoy.yaml",
        |config, address| {
            let here = format!("address: {}, port_value: {} ", address.ip(), address.port());
            let moved = config.replace("address: 0.0.0.0, port_value: 80 ", &here);
            assert_ne!(moved, config);
            moved
        },
        |place| {
            let mut envoy = Command::new(format!("{FRONTS}/envoy/_bin/envoy"));
            envoy.args(["--concurrency", "1", "--disable-hot-restart", "-c"]);
            envoy.arg(&place.config);
            envoy
        },
        |line| line.contains("starting main dispatch loop"),
    )
}
