//! Several servers: which is next, and which are passed over for a while.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{Ask, BASE, Backend, Gate, World};

/// The config with these servers and more keys of the upstream.
fn config(addresses: &[SocketAddr], more: &str) -> String {
    let written: Vec<_> = addresses
        .iter()
        .map(|a| format!("\"http://{a}\""))
        .collect();
    BASE.replace("\"BACKEND\"", &written.join(", "))
        .replace("[upstreams.php]", &format!("[upstreams.php]\n{more}"))
}

/// A gateway before two backends.
fn before(one: Backend, two: &Backend, more: &str) -> World {
    World::around(&config(&[one.address(), two.address()], more), one)
}

/// A backend that says of itself whether it is well.
fn frank(is_well: &Arc<AtomicBool>) -> Backend {
    let is_well = Arc::clone(is_well);
    Backend::that(move |conversation| {
        while let Some(seen) = conversation.read_request() {
            if seen.target == "/healthz" && !is_well.load(Ordering::SeqCst) {
                conversation.answer("503 Service Unavailable", b"");
            } else {
                conversation.answer("200 OK", b"seen");
            }
        }
    })
}

/// How many requests of clients a backend saw.
fn asked(backend: &Backend) -> usize {
    let seen = backend.seen();
    seen.iter().filter(|seen| seen.target != "/healthz").count()
}

#[test]
fn a_user_always_comes_to_the_same_server() {
    let two = Backend::start();
    let world = before(Backend::start(), &two, "balance = \"openid\"");
    let users: Vec<_> = (0..16).map(|user| format!("user{user}")).collect();
    for user in &users {
        // Each login is a session of its own.
        for _ in 0..3 {
            let skey = world.skey_of(user);
            assert_eq!(world.get_as(&skey, "/orders").status, 200);
        }
    }
    let met = |backend: &Backend| -> BTreeSet<_> {
        let seen = backend.seen();
        let openids = seen.iter().flat_map(|seen| seen.values("X-OpenId"));
        openids.map(str::to_owned).collect()
    };
    let (of_one, of_two) = (met(&world.backend), met(&two));
    assert!(of_one.is_disjoint(&of_two));
    assert_eq!(of_one.len() + of_two.len(), users.len());
    assert!(!of_one.is_empty() && !of_two.is_empty());
    // Who is nobody takes turns.
    world.backend.forget();
    two.forget();
    for _ in 0..4 {
        assert_eq!(world.get("/open/").status, 200);
    }
    assert_eq!((asked(&world.backend), asked(&two)), (2, 2));
}

#[test]
fn the_least_busy_server_is_next() {
    let go_on = Gate::default();
    let holding = || {
        let go_on = go_on.clone();
        Backend::that(move |conversation| {
            while let Some(seen) = conversation.read_request() {
                if seen.target == "/open/slow" {
                    go_on.wait();
                }
                conversation.answer("200 OK", b"seen");
            }
        })
    };
    let two = holding();
    let world = before(holding(), &two, "balance = \"least-connections\"");
    let mut slow = world.connect();
    slow.send(&Ask::get("/open/slow").bytes());
    let is_at_one = loop {
        if asked(&world.backend) + asked(&two) == 1 {
            break asked(&world.backend) == 1;
        }
        std::thread::yield_now();
    };
    for _ in 0..5 {
        assert_eq!(world.get("/open/").status, 200);
    }
    let counts = (asked(&world.backend), asked(&two));
    assert_eq!(counts, if is_at_one { (1, 5) } else { (5, 1) });
    go_on.open();
    assert_eq!(slow.answer().text(), "seen");
}

#[test]
fn a_server_that_leaves_requests_unanswered_is_passed_over_after_so_many_in_a_row() {
    let broken = Backend::that(|conversation| {
        conversation.read_request();
    });
    let keys = "max_fails = 2\nfail_timeout = \"1h\"";
    let world = before(Backend::start(), &broken, keys);
    let asks = |count: usize| {
        let answers = (0..count).map(|_| world.ask(&Ask::post("/open/").body("x")).status);
        answers.filter(|status| *status == 502).count()
    };
    assert_eq!(asks(12), 2);
    assert_eq!((asked(&world.backend), asked(&broken)), (10, 2));
    world.log.line("the server that is passed over", |line| {
        line["message"] == "a backend leaves requests unanswered, and is passed over"
            && line["server"] == broken.address().to_string()
    });
}

#[test]
fn a_server_that_says_that_it_is_not_well_is_passed_over_until_it_is() {
    let is_well = Arc::new(AtomicBool::new(false));
    let ill = frank(&is_well);
    let keys = "health = { path = \"/healthz\", interval = \"10ms\" }";
    let world = before(Backend::start(), &ill, keys);
    let says = |message: &str| {
        let server = ill.address().to_string();
        world.log.line(message, |line| {
            line["message"] == message && line["server"] == server
        });
    };
    says("a backend is not well, and is passed over");
    for _ in 0..6 {
        assert_eq!(world.get("/open/").status, 200);
    }
    assert_eq!((asked(&world.backend), asked(&ill)), (6, 0));
    is_well.store(true, Ordering::SeqCst);
    says("a backend is well again");
    for _ in 0..6 {
        assert_eq!(world.get("/open/").status, 200);
    }
    assert_eq!((asked(&world.backend), asked(&ill)), (9, 3));
    let question = ill.seen().remove(0);
    assert_eq!(
        (question.method.as_str(), question.target.as_str()),
        ("GET", "/healthz")
    );
    assert_eq!(question.values("Host"), [ill.address().to_string()]);
    assert_eq!(question.values("X-Wxgate-Event"), ["health"]);
    assert_eq!(question.values("X-OpenId"), [""; 0]);
}

#[test]
fn where_no_server_is_well_all_are_asked_all_the_same() {
    let is_well = Arc::new(AtomicBool::new(false));
    let ill = frank(&is_well);
    let keys = "health = { path = \"/healthz\", interval = \"10ms\" }";
    let world = World::around(&config(&[ill.address()], keys), ill);
    world.log.line("that it is not well", |line| {
        line["message"] == "a backend is not well, and is passed over"
    });
    assert_eq!(world.get("/open/").text(), "seen");
}

/// A backend that reads a request and goes away.
fn broken() -> Backend {
    Backend::that(|conversation| {
        conversation.read_request();
    })
}

const RETRIED: &str = r#"wxgate_upstream_requests_total{upstream="php",outcome="retried"}"#;

#[test]
fn what_may_be_repeated_goes_to_another_server() {
    for balance in ["round-robin", "least-connections", "openid"] {
        let bad = broken();
        let keys = format!("retries = 1\nmax_fails = 1000\nbalance = \"{balance}\"");
        let world = before(Backend::start(), &bad, &keys);
        // The budget has enough for twelve, wherever they hash to.
        for user in 0..12 {
            let skey = world.skey_of(&format!("user{user}"));
            let answer = world.get_as(&skey, "/orders");
            assert_eq!(answer.status, 200, "{balance}");
        }
        let missed = asked(&bad);
        assert!(missed > 0, "{balance}");
        assert_eq!(asked(&world.backend), 12, "{balance}");
        assert_eq!(world.count(RETRIED), i64::try_from(missed).unwrap());
    }
}

#[test]
fn what_may_have_arrived_and_is_no_repetition_is_never_repeated() {
    let bad = broken();
    let keys = "retries = 3\nmax_fails = 1000";
    let world = before(Backend::start(), &bad, keys);
    let asks = [
        Ask::post("/open/").body("precious"),
        Ask::post("/open/"),
        Ask::new("PATCH", "/open/"),
        Ask::new("PUT", "/open/").body("precious"),
        Ask::get("/open/").body("precious"),
    ];
    for ask in &asks {
        let mut answers = [world.ask(ask).status, world.ask(ask).status];
        answers.sort_unstable();
        assert_eq!(answers, [200, 502], "{ask:?}");
    }
    assert_eq!(
        (asked(&world.backend), asked(&bad)),
        (asks.len(), asks.len())
    );
    assert_eq!(world.count(RETRIED), 0);
}

#[test]
fn no_more_is_sent_again_than_the_budget_has() {
    let bad = broken();
    let keys = "retries = 5\nmax_fails = 1000";
    let world = before(broken(), &bad, keys);
    for _ in 0..40 {
        world.get("/open/").refused(502, "upstream_failed");
    }
    let all = asked(&world.backend) + asked(&bad);
    // Ten that there are at first, and one of five of those that follow the first.
    assert_eq!((all, world.count(RETRIED)), (40 + 17, 17));
}
