//! Verdicts for a proxy in front, asked for as nginx, Caddy, Traefik and Envoy do.

use std::time::Duration;

use crate::harness::{APPID, Answer, Ask, BASE, Process, SECRET, Scratch, World, wxgate};

const ROUTES: &str = r#"
[[routes]]
path = "/_auth/nginx"
action = "auth-request"

[[routes]]
path = "/_auth/guests"
action = "auth-request"
auth = "optional"

[[routes]]
path = "/_auth/caddy"
action = "forward-auth"

[[routes]]
path = "/_auth/game"
action = "auth-request"
app = "game"

[[routes]]
path = "/_auth/envoy/*"
action = "ext-authz"

[apps.game]
appid = "wxfedcba9876543210"
secret = { env = "SHOP_SECRET" }
"#;

/// The headers that may carry an identity.
const NAMES: [&str; 4] = ["x-openid", "x-unionid", "x-appid", "x-user-id"];

/// A world in which the tests are the proxy in front, with `more` behind its config.
fn fronted(more: &str) -> World {
    behind("127.0.0.1/32", more)
}

fn behind(trusted: &str, more: &str) -> World {
    let trusted = format!("workers = 1\ntrusted_proxies = [\"{trusted}\"]");
    let login = "action = \"login\"\napp = \"shop\"";
    let base = BASE
        .replace("workers = 1", &trusted)
        .replace("action = \"login\"", login);
    World::of(&format!("{base}\n{ROUTES}\n{more}"))
}

/// What Caddy asks about a request.
fn caddy(method: &str, uri: &str) -> Ask {
    Ask::get("/_auth/caddy")
        .header("X-Forwarded-Method", method)
        .header("X-Forwarded-Uri", uri)
        .header("X-Forwarded-Host", "shop.example.com")
}

fn nginx(uri: &str) -> Ask {
    Ask::get("/_auth/nginx").header("X-Original-URI", uri)
}

/// Holds that an answer lets a request pass on behalf of this openid, or of nobody.
#[track_caller]
fn passes(answer: &Answer, status: u16, openid: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (status, ""));
    let appid = if openid.is_empty() { "" } else { APPID };
    let told: Vec<_> = NAMES.iter().map(|name| answer.values(name)).collect();
    assert_eq!(told, [[openid], [""], [appid], [""]], "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

/// Holds that an answer has no header of an identity, not even an empty one.
#[track_caller]
fn tells_nobody(answer: &Answer) {
    for name in NAMES {
        assert_eq!(answer.values(name), [""; 0], "{answer:?}");
    }
}

#[test]
fn each_proxy_is_told_in_its_own_way_who_asks() {
    let world = fronted("");
    let (skey, openid) = (world.skey_of("alice"), world.openid_of("alice"));
    passes(&world.ask(&nginx("/orders").skey(&skey)), 204, &openid);
    passes(
        &world.ask(&Ask::get("/_auth/nginx").skey(&skey)),
        204,
        &openid,
    );
    passes(
        &world.ask(&caddy("PUT", "/orders").skey(&skey)),
        204,
        &openid,
    );
    for method in ["GET", "PATCH", "OPTIONS"] {
        let ask = Ask::new(method, "/_auth/envoy/orders?a=b").skey(&skey);
        passes(&world.ask(&ask), 200, &openid);
    }
    assert_eq!(world.backend.seen().len(), 0);
}

#[test]
fn a_name_of_which_something_is_known_has_it_and_the_preset_has_its_own_names() {
    let world = fronted("[identity]\nidentity_preset = \"cloudrun\"");
    world.wechat.set_unionid("alice", Some("uAlice"));
    let (skey, openid) = (world.skey_of("alice"), world.openid_of("alice"));
    let answer = world.ask(&nginx("/").skey(&skey));
    for (name, value) in [
        ("x-wx-openid", openid.as_str()),
        ("x-wx-unionid", "uAlice"),
        ("x-wx-appid", APPID),
        ("x-wx-source", "wx_client"),
        ("x-user-id", ""),
    ] {
        assert_eq!(answer.values(name), [value], "{name}");
    }
    assert_eq!(answer.values("x-openid"), [""; 0]);
}

#[test]
fn without_a_session_the_refusals_are_those_of_the_table() {
    let world = fronted("");
    for ask in [nginx("/"), caddy("GET", "/"), Ask::get("/_auth/envoy/")] {
        let answer = world.ask(&ask).refused(401, "session_missing");
        tells_nobody(&answer);
        let answer = world.ask(&ask.skey(&"A".repeat(43)));
        tells_nobody(&answer.refused(401, "session_invalid"));
    }
    let skey = world.skey_of("alice");
    let answer = world.ask(&Ask::get("/_auth/game").skey(&skey));
    tells_nobody(&answer.refused(401, "session_invalid"));
}

#[test]
fn an_optional_one_lets_everyone_pass_and_empties_the_names() {
    let world = fronted("");
    let skey = world.skey_of("alice");
    let guests = |skey: &str| world.ask(&Ask::get("/_auth/guests").skey(skey));
    passes(&guests(&skey), 204, &world.openid_of("alice"));
    passes(&guests(""), 204, "");
    passes(&guests(&"A".repeat(43)), 204, "");
}

#[test]
fn the_token_is_found_in_every_place_of_the_original_head() {
    let world =
        fronted("[sessions]\ntoken = [\"header:X-Skey\", \"bearer\", \"query:t\", \"cookie:t\"]");
    let code = world.wechat.issue_code("alice");
    let skey = world.login_with(&code).json()["skey"]
        .as_str()
        .unwrap()
        .to_owned();
    let openid = world.openid_of("alice");
    let in_query = format!("/orders?a=b&t={skey}");
    let bearer = format!("Bearer {skey}");
    passes(&world.ask(&nginx(&in_query)), 204, &openid);
    passes(&world.ask(&caddy("GET", &in_query)), 204, &openid);
    let ask = Ask::get(&format!("/_auth/envoy{in_query}"));
    passes(&world.ask(&ask), 200, &openid);
    for ask in [nginx("/"), caddy("GET", "/")] {
        let cookie = ask.clone().header("Cookie", &format!("a=b; t={skey}"));
        passes(&world.ask(&cookie), 204, &openid);
        passes(
            &world.ask(&ask.header("Authorization", &bearer)),
            204,
            &openid,
        );
    }
    // The query of the question itself is not that of the original.
    let ask = nginx("/orders").to(&format!("/_auth/nginx?t={skey}"));
    world.ask(&ask).refused(401, "session_missing");
}

#[test]
fn a_verdict_counts_as_use_of_the_session() {
    let world = fronted("[sessions]\nidle = \"1h\"");
    let skey = world.skey_of("alice");
    for ask in [nginx("/"), caddy("GET", "/"), nginx("/")] {
        world.clock.turn(Duration::from_mins(50));
        let answer = world.ask(&ask.skey(&skey));
        passes(&answer, 204, &world.openid_of("alice"));
    }
    world.clock.turn(Duration::from_mins(70));
    let answer = world.ask(&nginx("/").skey(&skey));
    answer.refused(401, "session_invalid");
}

#[test]
fn whoever_is_no_trusted_proxy_is_told_that_nothing_is_there() {
    let world = behind("10.0.0.0/8", "");
    let skey = world.skey_of("alice");
    for ask in [nginx("/"), caddy("GET", "/"), Ask::get("/_auth/envoy/")] {
        let answer = world.ask(&ask.skey(&skey)).refused(404, "route_not_found");
        tells_nobody(&answer);
        let reason = world.access_line(&answer)["reason"].clone();
        assert_eq!(reason, "only a peer in trusted_proxies gets an answer here");
    }
}

#[test]
fn the_original_request_is_held_to_the_same_rules() {
    let world = fronted("");
    let skey = world.skey_of("alice");
    for path in [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/..;/b",
        "//a",
        "/a%2fb",
        "/a%5cb",
        "/%252e",
        "/a%00",
        "/a#b",
        "*",
        "",
    ] {
        let answer = world.ask(&nginx(path).skey(&skey));
        tells_nobody(&answer.refused(400, "bad_request"));
        let answer = world.ask(&caddy("GET", path).skey(&skey));
        tells_nobody(&answer.refused(400, "bad_request"));
        // Of what stands before a fragment, and of `*`, the prefix makes a path like any other.
        if path.starts_with('/') && !path.contains('#') {
            let answer = world.ask(&Ask::get(&format!("/_auth/envoy{path}")).skey(&skey));
            tells_nobody(&answer.refused(400, "bad_request"));
        }
    }
    let of_host = |host| {
        caddy("GET", "/")
            .without("X-Forwarded-Host")
            .header("X-Forwarded-Host", host)
    };
    for ask in [
        caddy("TRACE", "/"),
        caddy("CONNECT", "/"),
        caddy("G T", "/"),
        of_host("a b"),
        caddy("GET", "/").header("X-Forwarded-Uri", "/other"),
        caddy("GET", "/").without("X-Forwarded-Uri"),
        caddy("GET", "/").without("X-Forwarded-Method"),
        nginx("/").header("X-Original-URI", "/other"),
    ] {
        let answer = world.ask(&ask.skey(&skey));
        tells_nobody(&answer.refused(400, "bad_request"));
    }
}

#[test]
fn a_header_that_no_proxy_would_replace_is_refused() {
    let world = fronted("");
    let skey = world.skey_of("alice");
    for name in [
        "X_OpenId",
        "X.OpenId",
        "x_openid",
        "X-WX-OPENID",
        "X_User_Id",
        "X-Wxgate-Event",
    ] {
        let ask = nginx("/").skey(&skey).header(name, "boss");
        let answer = world.ask(&ask).refused(400, "bad_request");
        tells_nobody(&answer);
    }
    // What the answer itself names is replaced, and so does not stand in the way.
    let ask = NAMES
        .iter()
        .fold(nginx("/").skey(&skey), |ask, name| ask.header(name, "boss"));
    passes(&world.ask(&ask), 204, &world.openid_of("alice"));
}

#[test]
fn no_refusal_comes_under_a_status_that_lets_a_request_pass() {
    let codes = [
        "session_missing",
        "session_invalid",
        "bad_request",
        "route_not_found",
        "method_not_allowed",
    ];
    let shapes = codes.map(|code| format!("{code} = {{ status = 200, body = {{ errno = 1 }} }}\n"));
    let world = fronted(&format!("[refusals]\n{}", shapes.concat()));
    let status = |ask: &Ask| {
        let answer = world.ask(ask);
        assert_eq!(answer.text(), r#"{"errno":1}"#);
        answer.status
    };
    let bad = "A".repeat(43);
    for ask in [nginx("/"), caddy("GET", "/"), Ask::get("/_auth/envoy/")] {
        assert_eq!(status(&ask), 401);
        assert_eq!(status(&ask.skey(&bad)), 401);
    }
    // What is refused before a route is known may be a question too.
    assert_eq!(status(&Ask::get("/_auth/envoy/a/../b")), 400);
    assert_eq!(status(&Ask::get("/_auth/envoy/a").without("Host")), 400);
    // The other routes keep what the config says.
    assert_eq!(status(&Ask::get("/orders")), 200);
}

#[test]
fn a_body_that_comes_along_is_not_read() {
    let world = fronted("[sessions]\ntoken = [\"json:skey\", \"header:X-Skey\"]");
    let skey = world.skey_of("alice");
    let ask = Ask::post("/_auth/envoy/orders").json(&serde_json::json!({"skey": skey}));
    world.ask(&ask).refused(401, "session_missing");
    let ask = ask.skey(&skey);
    let mut line = world.connect();
    passes(&line.ask(&ask), 200, &world.openid_of("alice"));
    passes(&line.ask(&ask), 200, &world.openid_of("alice"));
}

#[test]
fn no_other_answer_carries_an_identity() {
    let world = fronted("");
    let skey = world.skey_of("alice");
    let login = world.login("alice");
    let others = [
        world.get_as(&skey, "/wx/check"),
        world.get_as(&skey, "/orders"),
        world.get_as(&skey, "/a//b"),
        world.get_as(&skey, "/wx/logout"),
    ];
    for answer in others.into_iter().chain([login]) {
        tells_nobody(&answer);
    }
}

#[test]
fn the_access_line_names_route_and_app_and_no_openid() {
    let world = fronted("");
    let skey = world.skey_of("alice");
    let answer = world.ask(
        &nginx("/orders")
            .skey(&skey)
            .header("X-Request-Id", "id-of-nginx-0123456789"),
    );
    assert_eq!(
        answer.header("x-request-id"),
        Some("id-of-nginx-0123456789")
    );
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["route"], &line["app"]),
        (&"/_auth/nginx".into(), &"shop".into())
    );
    assert!(
        !line.to_string().contains(&world.openid_of("alice")),
        "{line}"
    );
}

#[test]
fn explain_tells_what_the_proxy_is_answered() {
    let scratch = Scratch::new();
    let trusted = "[server]\ntrusted_proxies = [\"10.0.0.1\"]\n";
    let app = "[apps.shop]\nappid = \"wx1\"\nsecret = { env = \"SHOP_SECRET\" }\n";
    let route = "[[routes]]\npath = \"/auth/*\"\naction = \"ext-authz\"\n";
    scratch.write("gateway.toml", &format!("{trusted}{app}{route}"));
    let explained = |target| {
        let mut explain = wxgate(&["explain", "POST", target]);
        explain
            .current_dir(scratch.path())
            .env("SHOP_SECRET", SECRET);
        Process::run(explain).out
    };
    assert_eq!(
        explained("http://a.example.com/auth/orders?a=b"),
        "route     /auth/*\n\
         action    verdict for a trusted proxy in front (ext-authz)\n\
         about     POST /orders?a=b of a.example.com\n\
         guard     required: without a session the request is refused\n\
         sessions  of every app\n\
         answered  200\n          \
         x-openid: OPENID-OF-THE-SESSION\n          \
         x-unionid: UNIONID-OF-THE-SESSION\n          \
         x-appid: wx1\n          \
         x-user-id:\n"
    );
    assert!(explained("/auth/a%2fb").contains("bad_request"));
}
