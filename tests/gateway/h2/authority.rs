//! Which host and which path a request names, told as HTTP/1.1 tells it or refused.

use super::world;
use crate::harness::{Ask, Frame, Frames, Multiplexed, Verdict, World};

/// Asks with these fields, and gives the access line.
fn asked(world: &World, fields: &[(&str, &str)]) -> serde_json::Value {
    let before = world.log.access_lines().len();
    let mut line = Frames::to(world.address());
    line.send(&Frame::get(1, fields));
    let verdict = line.verdict(&[Verdict::Answered(1)]);
    assert_eq!(verdict, Verdict::Answered(1), "{fields:?}");
    world
        .log
        .line("the answer", |line| line["target"] == "wxgate::access");
    world.log.access_lines()[before].clone()
}

#[test]
fn the_authority_is_the_host_that_the_backend_sees() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let named = |host| Ask::get("/open/").without("Host").header("Host", host);
    line.ask(&named("a.cn:8443"));
    line.ask(&named("a.cn").header("host", "A.cn"));
    let usual = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/open/"),
    ];
    asked(&world, &[&usual[..], &[("host", "b.cn")]].concat());
    let seen = world.backend.seen();
    let hosts: Vec<_> = seen.iter().map(|seen| seen.values("Host")).collect();
    assert_eq!(hosts, [["a.cn:8443"], ["A.cn"], ["b.cn"]]);
}

#[test]
fn a_request_that_names_two_hosts_or_none_is_refused() {
    let world = world();
    let usual = [
        (":method", "GET"),
        (":scheme", "https"),
        (":path", "/open/"),
    ];
    for (fields, reason) in [
        (
            &[(":authority", "a.cn"), ("host", "b.cn")][..],
            "the target names another host than the Host header",
        ),
        (
            &[(":authority", "a.cn:443"), ("host", "a.cn")],
            "the target names another host than the Host header",
        ),
        (&[], "the Host header is missing"),
        (
            &[("host", "a.cn"), ("host", "a.cn")],
            "there are several Host headers",
        ),
        (&[(":authority", "u@a.cn")], "the Host header is no host"),
        (&[(":authority", "a.cn.")], "the Host header is no host"),
    ] {
        let line = asked(&world, &[&usual[..], fields].concat());
        assert_eq!(
            (&line["status"], &line["reason"]),
            (&400.into(), &reason.into())
        );
        assert_eq!(line["refusal"], "bad_request");
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    let world = world();
    for (method, scheme, path) in [
        ("OPTIONS", "https", "*"),
        ("GET", "https", "*"),
        ("GET", "ftp", "/open/"),
        ("TRACE", "https", "/open/"),
    ] {
        let fields = [(":method", method), (":scheme", scheme), (":path", path)];
        let line = asked(&world, &[&fields[..], &[(":authority", "a.cn")]].concat());
        assert_eq!(line["status"], 400, "{method} {scheme} {path}: {line}");
    }
    let line = asked(
        &world,
        &[(":method", "CONNECT"), (":authority", "a.cn:443")],
    );
    assert_eq!(line["status"], 400);
    assert!(world.backend.seen().is_empty());
}
