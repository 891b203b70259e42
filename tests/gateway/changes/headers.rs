//! Headers that a route takes out of what passes, or puts into it.

use super::explained;
use crate::harness::{Ask, BASE, Backend, World};

/// Routes that change headers.
const ROUTES: &str = r#"
[[routes]]
path = "/tenant/*"
upstream = "php"
auth = "none"
[routes.request_headers]
set = { X-Tenant = "shop", Accept-Language = "zh-CN" }
remove = ["X-Debug", "Cookie"]
[routes.response_headers]
set = { Strict-Transport-Security = "max-age=31536000; includeSubDomains" }
remove = ["Server", "x-powered-by"]

[[routes]]
path = "/members/*"
upstream = "php"
request_headers.set = { Authorization = "Basic d3hnYXRlOmhhbGxv" }
"#;

#[test]
fn the_backend_gets_what_is_set_and_nothing_that_is_removed() {
    let world = World::with(ROUTES);
    let ask = Ask::get("/tenant/x")
        .header("X-Tenant", "forged")
        .header("x_tenant", "forged")
        .header("X.Tenant", "forged")
        .header("X-TENANT", "forged")
        .header("Accept-Language", "en")
        .header("X-Debug", "1")
        .header("X_Debug", "1")
        .header("Cookie", "a=b")
        .header("X-Tenants", "kept");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Tenant"), ["shop"], "{}", seen.head);
    assert_eq!(seen.values("Accept-Language"), ["zh-CN"]);
    assert_eq!(seen.values("X-Debug"), [""; 0], "{}", seen.head);
    assert_eq!(seen.values("Cookie"), [""; 0], "{}", seen.head);
    assert_eq!(seen.values("X-Tenants"), ["kept"]);
}

#[test]
fn connection_takes_nothing_away_that_a_route_sets() {
    let world = World::with(ROUTES);
    let ask = Ask::get("/tenant/x").header("Connection", "X-Tenant, x_tenant, Accept-Language");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Tenant"), ["shop"], "{}", seen.head);
    assert_eq!(seen.values("Accept-Language"), ["zh-CN"]);
}

#[test]
fn the_token_is_found_in_a_header_that_the_route_then_sets() {
    let world = World::with(ROUTES);
    let skey = world.skey_of("alice");
    let ask = Ask::get("/members/x").header("Authorization", &format!("Bearer {skey}"));
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(
        seen.values("Authorization"),
        ["Basic d3hnYXRlOmhhbGxv"],
        "{}",
        seen.head
    );
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
}

#[test]
fn other_routes_pass_on_what_the_client_sends() {
    let world = World::with(ROUTES);
    let ask = Ask::get("/open/x").header("X-Tenant", "of the client");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Tenant"), ["of the client"]);
}

#[test]
fn the_client_gets_what_is_set_and_nothing_that_is_removed() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(
                b"HTTP/1.1 200 OK\r\nServer: Apache\r\nX-Powered-By: PHP\r\nX_POWERED_BY: PHP\r\n\
                Strict-Transport-Security: max-age=1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok",
            );
        }
    });
    let world = World::around(&(BASE.to_owned() + ROUTES), backend);
    let answer = world.get("/tenant/x");
    let hsts = "max-age=31536000; includeSubDomains";
    assert_eq!(answer.values("Strict-Transport-Security"), [hsts]);
    for name in ["Server", "X-Powered-By", "X_Powered_By"] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
    assert_eq!(answer.values("Set-Cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.text(), "ok");
    let other = world.get("/open/x");
    assert_eq!(other.header("Server"), Some("Apache"));
    // What the gateway itself answers is nobody else's word.
    let refused = world.get("/tenant/../x").refused(400, "bad_request");
    assert_eq!(refused.header("Strict-Transport-Security"), None);
}

#[test]
fn explain_shows_what_is_set_and_what_is_removed() {
    let php = "upstreams.php.servers = [\"http://127.0.0.1:9000\"]\n";
    let told = explained(
        &[php, ROUTES].concat(),
        &[
            "GET",
            "/tenant/x",
            "-H",
            "X_Tenant: forged",
            "-H",
            "Cookie: a=b",
        ],
    );
    let (_, headers) = told.split_once("HTTP/1.1\n").unwrap();
    let rest = "\
          x-tenant: shop
          accept-language: zh-CN
answer    with strict-transport-security: max-age=31536000; includeSubDomains
          without server
          without x-powered-by
";
    assert!(headers.ends_with(rest), "{told}");
    assert!(
        !told.contains("forged") && !told.contains("cookie"),
        "{told}"
    );
}
