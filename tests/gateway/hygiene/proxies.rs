//! What is told of the way here: a stranger's word counts for nothing, a trusted proxy's for what it is asked.

use crate::harness::{Ask, World};

fn behind_a_proxy() -> World {
    World::where_config(&[(
        "workers = 1",
        "workers = 1\ntrusted_proxies = [\"127.0.0.1/32\"]",
    )])
}

/// The same where the proxy speaks in `Forwarded`.
fn behind_a_proxy_that_forwards() -> World {
    World::where_config(&[(
        "workers = 1",
        "workers = 1\ntrusted_proxies = [\"127.0.0.1\", \"198.51.100.0/24\"]\nproxy_headers = \"forwarded\"",
    )])
}

fn told(ask: Ask) -> Ask {
    ask.header("X-Forwarded-For", "203.0.113.7")
        .header("X-Forwarded-For", "198.51.100.2, 198.51.100.3")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "shop.example.com")
        .header("X-Request-Id", "of-the-proxy:1")
}

#[test]
fn a_strangers_word_about_the_way_here_counts_for_nothing() {
    let world = World::new();
    let answer = world.ask(&told(Ask::get("/open/x")));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
    assert_eq!(seen.values("X-Request-Id"), answer.values("X-Request-Id"));
    assert_ne!(seen.values("X-Request-Id"), ["of-the-proxy:1"]);
}

#[test]
fn a_trusted_proxys_word_is_taken_over() {
    let world = behind_a_proxy();
    let answer = world.ask(&told(Ask::get("/open/x")));
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-For"), ["198.51.100.3, 127.0.0.1"]);
    assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["shop.example.com"]);
    assert_eq!(seen.values("X-Request-Id"), ["of-the-proxy:1"]);
    assert_eq!(answer.values("X-Request-Id"), ["of-the-proxy:1"]);
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["status"], &line["client"]),
        (&200.into(), &"198.51.100.3".into())
    );
}

#[test]
fn the_way_is_told_from_the_client_on_over_all_trusted_proxies() {
    let world = World::where_config(&[(
        "workers = 1",
        "workers = 1\ntrusted_proxies = [\"127.0.0.0/8\", \"198.51.100.0/24\"]",
    )]);
    let made_up = Ask::get("/open/x").header("X-Forwarded-For", "6.6.6.6, 127.0.0.9");
    let answer = world.ask(&told(made_up));
    let seen = world.backend.only_seen();
    let way = "203.0.113.7, 198.51.100.2, 198.51.100.3, 127.0.0.1";
    assert_eq!(seen.values("X-Forwarded-For"), [way]);
    assert_eq!(world.access_line(&answer)["client"], "203.0.113.7");
}

#[test]
fn forwarded_is_believed_where_the_proxies_speak_so_and_then_alone() {
    let world = behind_a_proxy_that_forwards();
    let ask = told(Ask::get("/open/x"))
        .header("Forwarded", "for=6.6.6.6;proto=gopher;host=\"forged, for=\\\"")
        .header("Forwarded", "for=\"[2001:db8::7]:4711\";proto=https;host=cdn.example.com, for=198.51.100.2;proto=http");
    let answer = world.ask(&ask);
    let seen = world.backend.only_seen();
    assert_eq!(
        seen.values("X-Forwarded-For"),
        ["2001:db8::7, 198.51.100.2, 127.0.0.1"]
    );
    assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["cdn.example.com"]);
    assert_eq!(seen.values("Forwarded"), [""; 0]);
    assert_eq!(world.access_line(&answer)["client"], "2001:db8::7");
}

#[test]
fn only_the_form_that_the_proxies_speak_is_believed() {
    let forwarded = "for=203.0.113.9;proto=https;host=shop.example.com";
    let cases = [
        (
            behind_a_proxy(),
            Ask::get("/open/x").header("Forwarded", forwarded),
        ),
        (behind_a_proxy_that_forwards(), told(Ask::get("/open/x"))),
    ];
    for (world, ask) in cases {
        let answer = world.ask(&ask);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
        assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
        assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
        assert_eq!(world.access_line(&answer)["client"], "127.0.0.1");
    }
}

#[test]
fn even_a_trusted_proxy_says_nothing_else() {
    let world = behind_a_proxy();
    let skey = world.skey_of("alice");
    let names = [
        "X-OpenId",
        "X_OpenId",
        "X-UnionId",
        "X-AppId",
        "Forwarded",
        "X-Real-IP",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-User",
        "X-Forwarded-Prefix",
        "X_Forwarded_For",
        "X.Forwarded.Proto",
        "X_Request_Id",
        "Proxy",
    ];
    let ask = names
        .iter()
        .fold(told(Ask::get("/orders").skey(&skey)), |ask, name| {
            ask.header(name, "forged")
        });
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert!(!seen.head.contains("forged"), "{}", seen.head);
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
}

#[test]
fn what_a_trusted_proxy_cannot_have_meant_is_not_taken_over() {
    let world = behind_a_proxy();
    let ask = Ask::get("/open/x")
        .header("X-Forwarded-For", "not an address")
        .header("X-Forwarded-Proto", "gopher")
        .header("X-Forwarded-Host", "a.example.com, b.example.com")
        .header("X-Request-Id", "two words");
    let answer = world.ask(&ask);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
    assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
    assert_eq!(seen.values("X-Request-Id"), answer.values("X-Request-Id"));
    assert_eq!(answer.values("X-Request-Id")[0].len(), 32);
}
