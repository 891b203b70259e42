//! How often a client may come: by its address, as the user that it is, and to log in.

use std::time::Duration;

use crate::harness::{Answer, Ask, BASE, Process, SECRET, Scratch, World, wxgate};

/// A world with these limits, in which tests speak as a trusted proxy does.
fn limited(limits: &str) -> World {
    behind("trusted_proxies = [\"127.0.0.1\"]", limits)
}

/// The same with other words on the proxies in front.
fn behind(proxies: &str, limits: &str) -> World {
    let base = BASE.replace("workers = 1", &format!("workers = 1\n{proxies}"));
    World::of(&format!("{base}\n[limits]\n{limits}"))
}

/// The same request from a client at this address.
fn from(address: &str, ask: Ask) -> Ask {
    ask.header("X-Forwarded-For", address)
}

#[track_caller]
fn is_limited(world: &World, answer: Answer) -> Duration {
    let answer = answer.refused(429, "rate_limited");
    assert_eq!(world.access_line(&answer)["refusal"], "rate_limited");
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    Duration::from_secs(wait)
}

#[test]
fn an_address_that_asks_too_often_waits_and_no_other_does() {
    let world = limited("requests_per_address = \"1/m burst 3\"");
    let ask = |address| world.ask(&from(address, Ask::get("/open/a")));
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1").status, 200);
    }
    let wait = is_limited(&world, ask("192.0.2.1"));
    assert_eq!(ask("192.0.2.2").status, 200);
    assert_eq!(world.backend.seen().len(), 4);
    world.clock.turn(wait);
    assert_eq!(ask("192.0.2.1").status, 200);
    is_limited(&world, ask("192.0.2.1"));
    assert_eq!(
        world.count("wxgate_refusals_total{code=\"rate_limited\"}"),
        2
    );
}

#[test]
fn what_stands_before_the_address_that_the_proxy_saw_changes_nothing() {
    let world = limited("requests_per_address = \"1/m burst 1\"");
    let ask = |told| world.ask(&from(told, Ask::get("/open/a")));
    assert_eq!(ask("192.0.2.1").status, 200);
    is_limited(&world, ask("203.0.113.7, 192.0.2.1"));
    let line = Ask::get("/open/a").header("X-Forwarded-For", "203.0.113.8");
    is_limited(&world, world.ask(&from("192.0.2.1", line)));
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one() {
    let world = limited("requests_per_address = \"1/m burst 1\"");
    let ask = |address| world.ask(&from(address, Ask::get("/open/a")));
    assert_eq!(ask("2001:db8::1").status, 200);
    is_limited(&world, ask("2001:db8::ffff:1"));
    assert_eq!(ask("2001:db8:0:1::1").status, 200);
}

#[test]
fn behind_several_proxies_the_client_of_the_farthest_counts() {
    let proxies = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]";
    let world = behind(proxies, "requests_per_address = \"1/m burst 1\"");
    let ask = |told| world.ask(&from(told, Ask::get("/open/a")));
    assert_eq!(ask("192.0.2.1, 10.0.0.1").status, 200);
    is_limited(&world, ask("203.0.113.7, 192.0.2.1, 10.0.0.2"));
    assert_eq!(ask("192.0.2.2, 10.0.0.1").status, 200);
}

#[test]
fn the_client_is_told_in_the_one_form_that_is_believed() {
    let proxies = "trusted_proxies = [\"127.0.0.1\"]\nproxy_headers = \"forwarded\"";
    let world = behind(proxies, "requests_per_address = \"1/m burst 1\"");
    let ask = |client, other| {
        let ask = Ask::get("/open/a").header("Forwarded", client);
        world.ask(&from(other, ask))
    };
    assert_eq!(ask("for=192.0.2.1", "192.0.2.7").status, 200);
    is_limited(&world, ask("for=192.0.2.1", "192.0.2.8"));
    assert_eq!(ask("for=192.0.2.2", "192.0.2.7").status, 200);
}

#[test]
fn a_proxy_that_tells_no_client_is_not_limited_as_one() {
    let world = limited("requests_per_address = \"1/m burst 1\"");
    for _ in 0..3 {
        assert_eq!(world.get("/open/a").status, 200);
        let hidden = from("unknown", Ask::get("/open/a"));
        assert_eq!(world.ask(&hidden).status, 200);
    }
}

#[test]
fn an_address_that_nobody_believes_is_that_of_the_peer() {
    let world = World::with("[limits]\nrequests_per_address = \"1/m burst 1\"");
    assert_eq!(world.get("/open/a").status, 200);
    let ask = from("192.0.2.1", Ask::get("/open/a"));
    is_limited(&world, world.ask(&ask));
}

#[test]
fn a_user_who_asks_too_often_waits_under_every_session_and_from_everywhere() {
    let world = limited("requests_per_user = \"1/m burst 2\"");
    let (first, second) = (world.skey_of("alice"), world.skey_of("alice"));
    let ask = |skey: &str, address| world.ask(&from(address, Ask::get("/orders").skey(skey)));
    assert_eq!(ask(&first, "192.0.2.1").status, 200);
    assert_eq!(ask(&second, "192.0.2.2").status, 200);
    let wait = is_limited(&world, ask(&first, "192.0.2.3"));
    is_limited(&world, ask(&second, "192.0.2.4"));
    let bob = world.skey_of("bob");
    assert_eq!(ask(&bob, "192.0.2.1").status, 200);
    // The session is what it was.
    assert_eq!(world.get_as(&first, "/wx/check").status, 200);
    world.clock.turn(wait);
    assert_eq!(ask(&second, "192.0.2.1").status, 200);
}

#[test]
fn an_address_that_logs_in_too_often_waits_and_wechat_is_not_asked() {
    let world = limited("logins_per_address = \"1/m burst 2\"");
    let login = |address| {
        let code = world.wechat.issue_code("alice");
        let ask = Ask::post("/wx/login").form(&[("code", &code)]);
        (world.ask(&from(address, ask.clone())), ask)
    };
    for _ in 0..2 {
        assert_eq!(login("192.0.2.1").0.status, 200);
    }
    let (answer, again) = login("192.0.2.1");
    let wait = is_limited(&world, answer);
    assert_eq!(login("192.0.2.2").0.status, 200);
    // Whoever is logged in asks on, and a code that was not taken works later.
    assert_eq!(
        world.ask(&from("192.0.2.1", Ask::get("/open/a"))).status,
        200
    );
    world.clock.turn(wait);
    assert_eq!(world.ask(&from("192.0.2.1", again)).status, 200);
}

#[test]
fn the_answer_has_the_shape_that_the_route_gives_it() {
    let shape =
        "[refusals]\nrate_limited = { status = 200, body = { errno = 429, errmsg = \"{code}\" } }";
    let world = limited(&format!("requests_per_address = \"1/m burst 1\"\n{shape}"));
    let ask = || world.ask(&from("192.0.2.1", Ask::get("/open/a")));
    assert_eq!(ask().text(), "seen");
    let answer = ask();
    assert_eq!(
        (answer.status, answer.json()["errno"].as_i64()),
        (200, Some(429))
    );
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn all_workers_count_together() {
    let base = BASE.replace("workers = 1", "workers = 2");
    let world = World::of(&format!(
        "{base}\n[limits]\nrequests_per_address = \"1/h burst 10\""
    ));
    let statuses: Vec<_> = (0..40).map(|_| world.get("/open/a").status).collect();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(passed, 10, "{statuses:?}");
}

#[test]
fn explain_tells_what_is_limited() {
    let scratch = Scratch::new();
    let rates = "requests_per_address = \"20/s burst 50\"\nlogins_per_address = \"30/m\"";
    let servers = "servers = [\"http://127.0.0.1:9\"]\nmax_requests = 5";
    let config = BASE
        .replace("base_url = \"WECHAT\"", "")
        .replace("servers = [\"BACKEND\"]", servers);
    scratch.write("gateway.toml", &format!("{config}\n[limits]\n{rates}"));
    let explained = |target| {
        let mut explain = wxgate(&["explain", "GET", target]);
        explain
            .current_dir(scratch.path())
            .env("SHOP_SECRET", SECRET);
        Process::run(explain).out
    };
    let requests = "limit     requests of an address: one in 50ms, 50 at once\n";
    let logins = "limit     logins of an address: one in 2s, 30 at once\n";
    let login = explained("/wx/login");
    assert!(
        login.contains(requests) && login.contains(logins),
        "{login}"
    );
    let orders = explained("/orders");
    assert!(
        orders.contains(requests) && !orders.contains(logins),
        "{orders}"
    );
    let upstream = "upstream  php (127.0.0.1:9), 5 requests at a time and 5 waiting\n";
    assert!(orders.contains(upstream), "{orders}");
}
