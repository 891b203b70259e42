//! An upstream that is asked for a `Host` of its own.

use super::explained;
use crate::harness::{Ask, BASE, Backend, World};

const OWN: (&str, &str) = (
    "[upstreams.php]",
    "[upstreams.php]\nhost = \"api.internal:8080\"",
);

#[test]
fn the_backend_is_asked_for_its_own_host_and_told_the_clients() {
    let world = World::where_config(&[OWN]);
    let skey = world.skey_of("alice");
    for target in ["/open/x", "/orders"] {
        world.backend.forget();
        let ask = Ask::get(target).skey(&skey);
        assert_eq!(world.ask(&ask).status, 200);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("Host"), ["api.internal:8080"], "{}", seen.head);
        assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
    }
}

#[test]
fn a_client_takes_the_host_away_with_no_header() {
    let world = World::where_config(&[OWN]);
    let ask = Ask::get("/open/x").header("Connection", "Host, X-Forwarded-Host, close");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Host"), ["api.internal:8080"], "{}", seen.head);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
}

#[test]
fn routes_and_their_hosts_are_found_by_what_the_client_asks_for() {
    let hosts = "path = \"/*\"\nhosts = [\"api.example.com\"]";
    let world = World::where_config(&[OWN, ("path = \"/*\"", hosts)]);
    let skey = world.skey_of("alice");
    assert_eq!(world.get_as(&skey, "/orders").status, 200);
    let other = Ask::get("/orders").skey(&skey).without("Host");
    world
        .ask(&other.header("Host", "api.internal:8080"))
        .refused(404, "route_not_found");
}

#[test]
fn a_call_of_the_gateways_own_asks_for_it_too() {
    let told = "action = \"login\"\non_login = { upstream = \"php\", path = \"/in\" }";
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.answer("200 OK", b"{}");
        }
    });
    let config = BASE
        .replace("action = \"login\"", told)
        .replace(OWN.0, OWN.1);
    let world = World::around(&config, backend);
    world.skey_of("alice");
    let seen = world.backend.only_seen();
    assert_eq!(seen.target, "/in");
    assert_eq!(seen.values("Host"), ["api.internal:8080"], "{}", seen.head);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
}

#[test]
fn explain_shows_it() {
    let config = "upstreams.php = { servers = [\"http://127.0.0.1:9000\"], host = \"api.internal\" }\n\
        [[routes]]\npath = \"/*\"\nupstream = \"php\"\nauth = \"none\"";
    let told = explained(config, &["GET", "http://a.example.com/x"]);
    assert!(told.contains("host: api.internal\n"), "{told}");
    assert!(told.contains("x-forwarded-host: a.example.com\n"), "{told}");
}
