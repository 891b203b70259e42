//! A target that two parsers could read differently goes nowhere.

use super::{HOST, NOT_HTTP, Then, bad, get_target, refuses_all};
use crate::harness::World;

const DOTS: &str = "the path has a dot segment";
const SLASH: &str = "the path has an encoded slash";
const ENCODING: &str = "the path has a bad percent-encoding";
const TWICE: &str = "the path is percent-encoded twice";
const CONTROL: &str = "the path has a control character";
const NOT_ABSOLUTE: &str = "the path does not start with a slash";
const BAD_METHOD: &str = "CONNECT and TRACE are not served";

#[test]
fn a_target_in_another_form_than_a_path_is_refused() {
    let other = "the target names another host than the Host header";
    let scheme = "the target has a scheme other than http";
    let method = |line: &str| format!("{line} HTTP/1.1\r\n{HOST}\r\n").into_bytes();
    refuses_all([
        (
            "another host",
            get_target("http://admin.example.com/open/x"),
            bad(other, Then::GoesOn),
        ),
        (
            "another port",
            get_target("http://api.example.com:81/open/x"),
            bad(other, Then::GoesOn),
        ),
        (
            "a user",
            get_target("http://a@api.example.com/open/x"),
            bad(other, Then::GoesOn),
        ),
        (
            "another scheme",
            get_target("ftp://api.example.com/open/x"),
            bad(scheme, Then::GoesOn),
        ),
        (
            "a host alone",
            get_target("api.example.com:80"),
            bad(other, Then::GoesOn),
        ),
        (
            "its own host alone",
            get_target("api.example.com"),
            bad(NOT_ABSOLUTE, Then::GoesOn),
        ),
        (
            "a star",
            method("OPTIONS *"),
            bad(NOT_ABSOLUTE, Then::GoesOn),
        ),
        ("no slash", get_target("open/x"), bad(NOT_HTTP, Then::Ends)),
        ("nothing", get_target(""), bad(NOT_HTTP, Then::Ends)),
        (
            "CONNECT",
            method("CONNECT api.example.com:80"),
            bad(BAD_METHOD, Then::GoesOn),
        ),
        (
            "TRACE",
            method("TRACE /open/x"),
            bad(BAD_METHOD, Then::GoesOn),
        ),
    ]);
}

#[test]
fn a_path_that_two_parsers_could_read_differently_is_refused() {
    let cases: &[(&str, &str)] = &[
        ("/open/../admin", DOTS),
        ("/open/..", DOTS),
        ("/open/./admin", DOTS),
        ("/open/%2e%2e/admin", DOTS),
        ("/open/.%2E/admin", DOTS),
        ("/open/..;/admin", DOTS),
        ("/open/..;a=b/admin", DOTS),
        ("/open/..%3ba=b/admin", DOTS),
        ("/open/%c0%ae%c0%ae/admin", DOTS),
        ("/open/%e0%80%ae%e0%80%ae/admin", DOTS),
        ("/open/%f0%80%80%ae./admin", DOTS),
        ("/open/%2e%2e%2fadmin", SLASH),
        ("/open/..%2Fadmin", SLASH),
        ("/open/..%c0%afadmin", SLASH),
        ("/open/..\\admin", "the path has a backslash"),
        ("/open/..%5cadmin", "the path has a backslash"),
        ("/open/..%c1%9cadmin", SLASH),
        ("//open/x", "the path has an empty segment"),
        (
            "//admin.example.com/open/x",
            "the path has an empty segment",
        ),
        ("/open//x", "the path has an empty segment"),
        ("/open/;a/x", "the path has an empty segment"),
        ("/open/%zz", ENCODING),
        ("/open/%2", ENCODING),
        ("/open/%", ENCODING),
        ("/open/%u002e%u002e/admin", ENCODING),
        ("/open/%00", CONTROL),
        ("/open/x%0d%0aX-OpenId:%20a", CONTROL),
        ("/open/%7f", CONTROL),
        ("/open/%252e%252e/admin", TWICE),
        ("/open/%252e%252e%252fadmin", TWICE),
        ("/open/%25%32%65%25%32%65/admin", TWICE),
        ("/%256fpen/x", TWICE),
        (
            "/open;/x",
            "without its parameters the path falls under another route",
        ),
    ];
    let cases = cases.iter();
    refuses_all(
        cases.map(|(target, reason)| (target, get_target(target), bad(reason, Then::GoesOn))),
    );
}

#[test]
fn a_fragment_is_cut_off_before_anything_is_decided() {
    let world = World::new();
    for (target, sent) in [
        ("/open/x#/../admin", "/open/x"),
        ("/open/x#?a=b", "/open/x"),
        ("/open/x?a=b#c", "/open/x?a=b"),
    ] {
        world.backend.forget();
        assert_eq!(world.get(target).status, 200, "{target}");
        assert_eq!(world.backend.only_seen().target, sent);
    }
    world.backend.forget();
    world
        .get("/admin#/../open/x")
        .refused(401, "session_missing");
    world.get("/admin?#/open/x").refused(401, "session_missing");
    assert!(world.backend.seen().is_empty());
}

#[test]
fn an_absolute_target_of_the_same_host_is_sent_on_as_its_path() {
    let world = World::new();
    for (target, sent) in [
        ("http://api.example.com/open/x?a=b", "/open/x?a=b"),
        ("HTTPS://API.example.com/open/x", "/open/x"),
    ] {
        world.backend.forget();
        assert_eq!(world.get(target).status, 200, "{target}");
        let seen = world.backend.only_seen();
        assert_eq!(
            (seen.target.as_str(), seen.values("host")),
            (sent, vec!["api.example.com"])
        );
    }
    world.backend.forget();
    let skey = world.skey_of("alice");
    for (target, sent) in [
        ("http://api.example.com", "/"),
        ("http://api.example.com?a=b", "/?a=b"),
    ] {
        world.get(target).refused(401, "session_missing");
        assert_eq!(world.get_as(&skey, target).status, 200, "{target}");
        assert_eq!(world.backend.only_seen().target, sent);
        world.backend.forget();
    }
}
