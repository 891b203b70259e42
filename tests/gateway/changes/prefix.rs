//! A route that gives its paths another beginning.

use super::explained;
use crate::harness::{Ask, World};

/// Routes that change the beginning of a path.
const ROUTES: &str = r#"
[[routes]]
path = "/api/*"
upstream = "php"
strip_prefix = "/api"
auth = "none"

[[routes]]
path = "/old/v1/*"
upstream = "php"
strip_prefix = "/old"
add_prefix = "/new"

[[routes]]
path = "/one"
upstream = "php"
strip_prefix = "/one"
auth = "none"

[[routes]]
path = "/shop/*"
upstream = "php"
add_prefix = "/index.php"
auth = "none"
"#;

#[test]
fn what_is_matched_is_the_clients_path_and_what_is_sent_the_changed_one() {
    let world = World::with(ROUTES);
    let skey = world.skey_of("alice");
    for (target, sent, prefix) in [
        ("/api/orders/7?a=/api/b", "/orders/7?a=/api/b", "/api"),
        ("/api/", "/", "/api"),
        ("/api", "/", "/api"),
        ("/api?x=1", "/?x=1", "/api"),
        ("/%61pi/%61/%E4%B8%AD%20!", "/a/%E4%B8%AD%20!", "/api"),
        ("/old/v1/users", "/new/v1/users", "/old"),
        ("/one", "/", "/one"),
        ("/shop/cart", "/index.php/shop/cart", ""),
        ("/orders/api", "/orders/api", ""),
    ] {
        world.backend.forget();
        let answer = world.get_as(&skey, target);
        assert_eq!(answer.status, 200, "{target}");
        let seen = world.backend.only_seen();
        assert_eq!(seen.target, sent, "{target}");
        let told = seen.values("X-Forwarded-Prefix").join(",");
        assert_eq!(told, prefix, "{target}");
        let line = world.access_line(&answer);
        let path = target.split('?').next().unwrap();
        assert_eq!(line["path"], path, "the log has what was asked for");
    }
}

#[test]
fn nothing_that_is_left_over_is_read_in_two_ways() {
    let world = World::with(ROUTES);
    for target in [
        "/api//orders",
        "/api/../orders",
        "/api/%2e%2e/orders",
        "/api/..;/orders",
        "/api/;x/orders",
        "/api/%2Forders",
        "/api/./",
        "/api\\orders",
        "/api/%252e%252e/x",
    ] {
        let answer = world.get(target);
        assert_eq!(answer.status, 400, "{target}: {answer:?}");
    }
    for target in ["/apiorders", "/API/orders"] {
        world.get(target).refused(401, "session_missing");
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_client_says_nothing_of_what_was_taken_off() {
    let world = World::with(ROUTES);
    for (target, prefix) in [("/api/x", vec!["/api"]), ("/open/x", Vec::new())] {
        world.backend.forget();
        let ask = Ask::get(target)
            .header("X-Forwarded-Prefix", "/forged")
            .header("X_Forwarded.Prefix", "/forged");
        assert_eq!(world.ask(&ask).status, 200);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-Prefix"), prefix);
    }
}

#[test]
fn no_change_leads_to_where_only_the_gateway_itself_calls() {
    let told = "action = \"login\"\non_login = { upstream = \"php\", path = \"/shop/in\" }";
    let routes = ROUTES.replace("/index.php", "/shop");
    let config = crate::harness::BASE.replace("action = \"login\"", told) + &routes;
    let world = World::of(&config);
    for target in [
        "/api/shop/in",
        "/api/SHOP/In/x",
        "/api/shop/in;x=1",
        "/api/shop;y/in",
        "/api/sh%6Fp/in/",
        "/shop/in",
    ] {
        world.get(target).refused(404, "route_not_found");
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(world.get("/api/shop/inner").status, 200);
}

#[test]
fn the_fields_of_a_request_are_opened_under_its_new_path_too() {
    let world = World::with(
        "[[routes]]\npath = \"/v1/phone\"\naction = \"phone\"\nupstream = \"php\"\nstrip_prefix = \"/v1\"",
    );
    let skey = world.skey_of("alice");
    let code = world.wechat.issue_phone_code("13800138000");
    let ask = Ask::post("/v1/phone").skey(&skey).form(&[("code", &code)]);
    assert_eq!(world.ask(&ask).status, 200);
    assert_eq!(world.backend.only_seen().target, "/phone");
}

#[test]
fn explain_shows_the_change_and_what_is_sent() {
    let php = "upstreams.php.servers = [\"http://127.0.0.1:9000\"]\n";
    let config = [php, ROUTES].concat();
    for (target, words) in [
        (
            "/api/orders?a",
            "prefix    /api is taken off\nforwarded GET /orders?a HTTP/1.1\n",
        ),
        (
            "/old/v1/x",
            "prefix    /old becomes /new\nforwarded GET /new/v1/x HTTP/1.1\n",
        ),
        (
            "/shop/x",
            "prefix    /index.php is put before\nforwarded GET /index.php/shop/x HTTP/1.1\n",
        ),
    ] {
        let told = explained(&config, &["GET", target]);
        assert!(told.contains(words), "{told}");
    }
}
