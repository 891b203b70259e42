//! What a backend and a client are told is the gateway's word: nothing that either pretends passes through it.

mod answers;
mod property;
mod proxies;

use crate::harness::{APPID, Ask, Backend, Seen, World};

/// Names that a backend could take for one of the gateway's own.
const PRETENDED: [&str; 36] = [
    "X-OpenId",
    "X-OPENID",
    "x-openid",
    "X_OpenId",
    "X.OpenId",
    "X!OpenId",
    "X~OPENID",
    "X-UnionId",
    "X_UNIONID",
    "X.UnionId",
    "X-AppId",
    "X_AppId",
    "X|AppId",
    "X-User-Id",
    "x.user_id",
    "X-Wxgate-Event",
    "X_WXGATE.EVENT",
    "X-WX-OPENID",
    "X_WX_UNIONID",
    "X.WX.AppId",
    "X-WX-Source",
    "X-WX_ENV",
    "X-WX-FROM-OPENID",
    "X_WX_FROM_UNIONID",
    "x-wx-from-appid",
    "X-Forwarded-For",
    "X_Forwarded_For",
    "X-Forwarded-User",
    "X-Forwarded",
    "Forwarded",
    "X-Real-IP",
    "X_Real.IP",
    "X-Request-Id",
    "X-Original-URL",
    "X_Rewrite_URL",
    "Proxy",
];

/// With every name that could be the gateway's own, each twice.
fn pretending(ask: Ask) -> Ask {
    let twice = PRETENDED.iter().chain(&PRETENDED);
    twice.fold(ask, |ask, name| ask.header(name, "forged"))
}

/// Holds that a backend was told of this user, or of nobody, and nothing that a client made up.
#[track_caller]
fn told_of(seen: &Seen, openid: Option<&str>) {
    let openid: Vec<_> = openid.into_iter().collect();
    let appid: Vec<_> = openid.iter().map(|_| APPID).collect();
    assert_eq!(seen.values("X-OpenId"), openid, "{}", seen.head);
    assert_eq!(seen.values("X-AppId"), appid, "{}", seen.head);
    assert!(!seen.head.contains("forged"), "{}", seen.head);
    assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
    assert_eq!(seen.values("X-Request-Id").len(), 1, "{}", seen.head);
}

#[test]
fn no_spelling_of_an_identity_passes_on_any_route() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let alice = world.openid_of("alice");
    let unknown = "a".repeat(43);
    for method in ["GET", "POST", "OPTIONS", "DELETE", "ANYTHING"] {
        for (target, skey, openid) in [
            ("/orders", skey.as_str(), Some(alice.as_str())),
            ("/maybe/x", &skey, Some(&alice)),
            ("/maybe/x", &unknown, None),
            ("/open/x", &skey, None),
        ] {
            world.backend.forget();
            let ask = pretending(Ask::new(method, target).skey(skey));
            assert_eq!(world.ask(&ask).status, 200, "{method} {target}");
            let seen = world.backend.only_seen();
            told_of(&seen, openid);
            assert!(!seen.head.contains(skey), "{}", seen.head);
        }
        world.backend.forget();
        world
            .ask(&pretending(Ask::new(method, "/orders")))
            .refused(401, "session_missing");
        assert!(world.backend.seen().is_empty(), "{method}");
    }
}

#[test]
fn a_unionid_is_told_exactly_once() {
    let world = World::new();
    world.wechat.set_unionid("alice", Some("oUnionOfAlice"));
    let skey = world.skey_of("alice");
    world.ask(&pretending(Ask::get("/orders").skey(&skey)));
    assert_eq!(
        world.backend.only_seen().values("X-UnionId"),
        ["oUnionOfAlice"]
    );
}

#[test]
fn a_user_without_a_unionid_is_not_given_one_by_the_client() {
    let world = World::new();
    let skey = world.skey_of("bob");
    world.ask(&pretending(Ask::get("/orders").skey(&skey)));
    assert!(world.backend.only_seen().values("X-UnionId").is_empty());
}

#[test]
fn renamed_and_turned_off_identity_headers_are_no_way_in() {
    let world = World::with("[identity]\nopenid = \"Wx-User\"\nunionid = \"\"\nappid = \"\"");
    world.wechat.set_unionid("alice", Some("oUnionOfAlice"));
    let skey = world.skey_of("alice");
    for (target, openid) in [
        ("/orders", vec![world.openid_of("alice")]),
        ("/open/x", Vec::new()),
    ] {
        world.backend.forget();
        let ask = Ask::get(target).skey(&skey);
        let names = [
            "Wx-User",
            "wx_user",
            "WX.USER",
            "X-OpenId",
            "x.openid",
            "X-UnionId",
            "X_UnionId",
            "X-AppId",
            "x.appid",
        ];
        let ask = names
            .iter()
            .fold(ask, |ask, name| ask.header(name, "forged"));
        assert_eq!(world.ask(&ask).status, 200);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("Wx-User"), openid);
        assert!(!seen.head.contains("forged"), "{}", seen.head);
        assert!(!seen.head.contains("oUnionOfAlice"), "{}", seen.head);
        assert!(!seen.head.contains(APPID), "{}", seen.head);
    }
}

#[test]
fn trailers_of_a_request_do_not_reach_the_backend() {
    let backend = Backend::that(|conversation| {
        while let Some(mut seen) = conversation.read_head() {
            seen.body = conversation
                .read("5\r\nhello\r\n0\r\n\r\n".len())
                .unwrap_or_default();
            conversation.record(seen);
            conversation.answer("200 OK", b"seen");
        }
    });
    let world = World::around(crate::harness::BASE, backend);
    let skey = world.skey_of("alice");
    let trailers = "X-OpenId: forged\r\nX_OpenId: forged\r\nHost: forged\r\nContent-Length: 9\r\n";
    let head = format!(
        "POST /orders HTTP/1.1\r\nHost: api.example.com\r\nX-Skey: {skey}\r\nTE: trailers\r\n\
         Trailer: X-OpenId, X_OpenId\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    );
    let mut line = world.connect();
    for _ in 0..2 {
        line.send(format!("{head}{trailers}\r\n").as_bytes());
        assert_eq!(line.answer().text(), "seen");
    }
    for seen in world.backend.seen() {
        assert_eq!(seen.body, b"5\r\nhello\r\n0\r\n\r\n");
        assert!(seen.values("Trailer").is_empty() && seen.values("TE").is_empty());
        told_of(&seen, Some(&world.openid_of("alice")));
    }
    assert_eq!(world.backend.seen().len(), 2);
}

#[test]
fn connection_cannot_take_away_what_the_gateway_sets() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let ask = pretending(Ask::get("/orders").skey(&skey))
        .header(
            "Connection",
            "X-OpenId, X-AppId, X-Forwarded-For, X-Request-Id, X-Forwarded-Proto",
        )
        .header("Connection", "Host, keep-alive");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    told_of(&seen, Some(&world.openid_of("alice")));
    assert_eq!(seen.values("Host"), ["api.example.com"]);
    assert_eq!(seen.values("X-Forwarded-Host"), ["api.example.com"]);
}

#[test]
fn what_connection_names_goes_with_the_hop_even_the_skey_and_the_cookies() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let ask = Ask::get("/orders")
        .skey(&skey)
        .header("Cookie", "a=b")
        .header("X-Of-This-Hop", "a")
        .header("X-Of-All-Hops", "b")
        .header("Connection", "X-Skey, Cookie, x-of-this-hop");
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    told_of(&seen, Some(&world.openid_of("alice")));
    for name in ["X-Skey", "Cookie", "X-Of-This-Hop", "Connection"] {
        assert!(seen.values(name).is_empty(), "{name}: {}", seen.head);
    }
    assert_eq!(seen.values("X-Of-All-Hops"), ["b"]);
}

#[test]
fn headers_of_one_hop_end_at_the_gateway() {
    let world = World::new();
    let names = [
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Basic YTpi"),
        ("Proxy-Authenticate", "Basic"),
        ("TE", "trailers"),
        ("Trailer", "X-A"),
        ("Upgrade", "h2c"),
        ("Connection", "Upgrade"),
        ("Expect", "100-continue"),
    ];
    let ask = names
        .iter()
        .fold(Ask::post("/open/x").body("a"), |ask, (name, value)| {
            ask.header(name, value)
        });
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    for (name, _) in names {
        assert!(seen.values(name).is_empty(), "{name}: {}", seen.head);
    }
    assert_eq!(seen.body, b"a");
}

#[test]
fn the_skey_is_taken_out_of_every_place_and_all_else_stays_byte_for_byte() {
    let places = r#"token = ["header:X-Skey", "bearer", "query:skey", "cookie:skey"]"#;
    let world = World::with(&format!("[sessions]\n{places}"));
    let skey = world.skey_of("alice");
    let ask = Ask::get(&format!(
        "/orders?a=%7e+b&skey={skey}&&c[]='{{}}&%73key={skey}&d"
    ))
    .skey(&skey)
    .header("X_Skey", &skey)
    .header("Authorization", &format!("Bearer {skey}"))
    .header("Cookie", &format!("a=\"b c\"; skey={skey}; d=e"));
    assert_eq!(world.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    told_of(&seen, Some(&world.openid_of("alice")));
    assert!(!seen.head.contains(&skey), "{}", seen.head);
    assert_eq!(seen.target, "/orders?a=%7e+b&&c[]='{}&d");
    assert_eq!(seen.values("Cookie"), ["a=\"b c\"; d=e"]);
}

#[test]
fn host_and_path_and_query_are_the_clients() {
    let world = World::new();
    for target in [
        "/open/a%20b/%E4%B8%AD?x=%2e%2e%2f&y=../z&z=%00%zz",
        "/open/;v=1?",
        "/open/a?b?c=/d//e&f=\\g;h|i",
    ] {
        world.backend.forget();
        let ask = Ask::get(target)
            .without("Host")
            .header("Host", "API.Example.com:8080");
        assert_eq!(world.ask(&ask).status, 200, "{target}");
        let seen = world.backend.only_seen();
        assert_eq!(seen.target, target);
        assert_eq!(seen.values("Host"), ["API.Example.com:8080"]);
        assert_eq!(seen.values("X-Forwarded-Host"), ["API.Example.com:8080"]);
    }
}
