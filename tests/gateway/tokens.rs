//! Where a client may hold its skey, and that the backend never sees it there.

use crate::harness::{Answer, Ask, Seen, World};

const EVERY_PLACE: &str = r#"
[sessions]
token = ["header:X-Token", "bearer", "query:t", "cookie:sid", "form:t", "json:t"]
"#;
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

#[test]
fn a_token_is_found_in_each_of_the_six_places() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    for ask in with_token(&skey) {
        let seen = admitted(&world, &ask);
        assert_eq!(
            seen.values("X-OpenId"),
            [world.openid_of("alice")],
            "{ask:?}"
        );
        assert!(!seen.head.contains(&skey), "{}", seen.head);
    }
}

#[test]
fn a_place_that_is_not_configured_holds_no_token() {
    let world = World::with("[sessions]\ntoken = [\"header:X-Other\"]");
    let skey = world.skey_of("alice");
    for ask in with_token(&skey) {
        world.ask(&ask).refused(401, "session_missing");
    }
    world.get_as(&skey, "/mine").refused(401, "session_missing");
}

#[test]
fn the_query_loses_its_tokens_and_keeps_every_other_byte() {
    let world = World::with("[sessions]\ntoken = [\"query:t\"]");
    let skey = world.skey_of("alice");
    let cases = [
        ("a=%7e&t=SKEY&b&&c=+", "/x?a=%7e&b&&c=+"),
        ("t=SKEY", "/x"),
        ("t=SKEY&", "/x?"),
        ("%74=SKEY&q=a%26t=b", "/x?q=a%26t=b"),
        ("t=SKEY&a=1&t=other&t", "/x?a=1"),
        ("t=&t=SKEY", "/x"),
        ("tt=1&T=2&t[]=3&t=SKEY", "/x?tt=1&T=2&t[]=3"),
        ("a=b=c?d/e;f&t=SKEY", "/x?a=b=c?d/e;f"),
    ];
    for (query, target) in cases {
        let query = query.replace("SKEY", &skey);
        let seen = admitted(&world, &Ask::get(&format!("/x?{query}")));
        assert_eq!(seen.target, target, "{query}");
    }
}

#[test]
fn of_several_tokens_in_a_query_the_first_decides() {
    let world = World::with("[sessions]\ntoken = [\"query:t\"]");
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    let seen = admitted(&world, &Ask::get(&format!("/x?t={alice}&t={bob}")));
    assert_eq!(seen.values("X-OpenId"), [world.openid_of("alice")]);
    assert_eq!(seen.target, "/x");
    let answer = world.get(&format!("/x?t=garbage&t={bob}"));
    answer.refused(401, "session_invalid");
}

#[test]
fn other_cookies_are_kept_as_they_came() {
    let world = World::with("[sessions]\ntoken = [\"cookie:sid\"]");
    let skey = world.skey_of("alice");
    let cases = [
        ("sid=SKEY", &[][..]),
        ("sid=SKEY; a=b", &["a=b"]),
        ("a=\"b c\";sid=SKEY;  d=e=f", &["a=\"b c\";  d=e=f"]),
        (
            "a=b; sid=SKEY; SID=x; sid=y; ssid=z",
            &["a=b; SID=x; ssid=z"],
        ),
    ];
    for (cookies, kept) in cases {
        let ask = Ask::get("/x").header("Cookie", &cookies.replace("SKEY", &skey));
        assert_eq!(admitted(&world, &ask).values("Cookie"), kept, "{cookies}");
    }
    let two = Ask::get("/x")
        .header("Cookie", "a=b")
        .header("Cookie", &format!("sid=\"{skey}\"; c=d"));
    assert_eq!(admitted(&world, &two).values("Cookie"), ["a=b", "c=d"]);
}

#[test]
fn a_body_that_was_read_for_its_token_is_passed_on_byte_for_byte() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    let bodies = [
        (FORM, format!("a=%7e&t={skey}&&b=+&t=")),
        (
            JSON,
            format!("{{ \"t\" : \"{skey}\",\r\n \"a\":1.0e2, \"a\":\"\\u4e2d\"}}\n"),
        ),
        (
            "application/vnd.x+json;charset=utf-8",
            format!("{{\"t\":\"{skey}\"}}"),
        ),
    ];
    for (format, body) in bodies {
        let ask = Ask::post("/x").header("Content-Type", format);
        let seen = admitted(&world, &ask.clone().body(&body));
        assert_eq!(String::from_utf8(seen.body).unwrap(), body);
        let (start, rest) = body.split_at(9);
        let chunked = format!("9\r\n{start}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
        world.backend.forget();
        let mut line = world.connect();
        line.send(&ask.header("Transfer-Encoding", "chunked").bytes());
        line.send(chunked.as_bytes());
        assert_eq!(line.answer().status, 200);
        assert_eq!(
            String::from_utf8(world.backend.only_seen().body).unwrap(),
            body
        );
    }
}

#[test]
fn the_first_place_with_a_token_decides_and_all_are_emptied() {
    let world = World::with(EVERY_PLACE);
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    let places: [fn(Ask, &str) -> Ask; 3] = [
        |ask, token| ask.header("X-Token", token),
        |ask, token| ask.header("Authorization", &format!("Bearer {token}")),
        |ask, token| ask.header("Cookie", &format!("sid={token}; a=b")),
    ];
    let all = |first: &str, second: &str, third: &str| {
        let asks = places.iter().zip([first, second, third]);
        asks.fold(Ask::get("/x?a=b"), |ask, (place, token)| place(ask, token))
    };
    for (ask, user) in [
        (all(&alice, &bob, "garbage"), "alice"),
        (all("", &bob, &alice), "bob"),
        (all("", "", &alice), "alice"),
    ] {
        let seen = admitted(&world, &ask);
        assert_eq!(seen.values("X-OpenId"), [world.openid_of(user)]);
        assert_eq!(seen.values("X-Token"), [""; 0]);
        assert_eq!(seen.values("Authorization"), [""; 0]);
        assert_eq!(seen.values("Cookie"), ["a=b"]);
    }
    let answer = world.ask(&all("garbage", &bob, &alice));
    answer.refused(401, "session_invalid");
}

#[test]
fn no_spelling_of_a_token_header_reaches_the_backend() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let ask = Ask::get("/x")
        .skey(&skey)
        .header("X_Skey", &skey)
        .header("x.skey", &skey)
        .header("X-SKEY", &skey);
    let seen = admitted(&world, &ask);
    assert_eq!(seen.values("X-Skey"), [""; 0]);
}

#[test]
fn bearer_is_read_in_all_the_ways_that_clients_write_it() {
    let world = World::new();
    let skey = world.skey_of("alice");
    for value in ["Bearer SKEY", "bearer SKEY", "BearerSKEY", "BEARER   SKEY "] {
        let value = value.replace("SKEY", &skey);
        let seen = admitted(&world, &Ask::get("/x").header("Authorization", &value));
        assert_eq!(seen.values("Authorization"), [""; 0], "{value}");
    }
    let basic = Ask::get("/x").header("Authorization", "Basic dTpw");
    let seen = admitted(&world, &basic.skey(&skey));
    assert_eq!(seen.values("Authorization"), ["Basic dTpw"]);
}

#[test]
fn a_place_with_bearer_and_nothing_behind_it_holds_no_token() {
    let places = r#"["bearer", "header:Authori-zation", "query:t"]"#;
    let world = World::with(&format!("[sessions]\ntoken = {places}"));
    let skey = world.skey_of("alice");
    for name in ["Authorization", "Authori-zation"] {
        let empty = |target: &str| Ask::get(target).header(name, "Bearer ");
        admitted(&world, &empty(&format!("/x?t={skey}")));
        let answer = world.ask(&empty("/x"));
        answer.refused(401, "session_missing");
    }
}

#[test]
fn bytes_that_are_no_ascii_neither_hide_a_token_nor_carry_one_to_the_backend() {
    let world = World::with("[sessions]\ntoken = [\"bearer\", \"cookie:sid\"]");
    let skey = world.skey_of("alice");
    let cookies = format!("nick=小明; sid={skey}");
    let seen = admitted(&world, &Ask::get("/x").header("Cookie", &cookies));
    assert_eq!(seen.values("Cookie"), ["nick=小明"]);
    let odd = format!("Bearer {skey} é");
    let odd = |path| Ask::get(path).header("Authorization", &odd);
    assert_eq!(
        admitted(&world, &odd("/open/x")).values("Authorization"),
        [""; 0]
    );
    world.ask(&odd("/x")).refused(401, "session_invalid");
}

#[test]
fn an_empty_header_before_another_of_its_name_holds_no_token() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let seen = admitted(&world, &Ask::get("/x").header("X-Skey", "").skey(&skey));
    assert_eq!(seen.values("X-Skey"), [""; 0]);
}

#[test]
fn a_header_place_takes_a_token_with_bearer_before_it() {
    let world = World::with("[sessions]\ntoken = [\"header:Authori-zation\"]");
    let skey = world.skey_of("alice");
    let ask = Ask::get("/x").header("Authori-zation", &format!("Bearer {skey}"));
    assert_eq!(admitted(&world, &ask).values("Authori-zation"), [""; 0]);
}

#[test]
fn open_and_optional_routes_take_tokens_out_as_well() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    for path in ["/open/x", "/maybe/x"] {
        let ask = Ask::get(&format!("{path}?a=b&t={skey}"))
            .header("X-Token", &skey)
            .header("X_Token", &skey)
            .header("Authorization", &format!("Bearer {skey}"))
            .header("Cookie", &format!("sid={skey}"));
        let seen = admitted(&world, &ask);
        assert!(!seen.head.contains(&skey), "{}", seen.head);
        assert_eq!(seen.target, format!("{path}?a=b"));
    }
}

#[test]
fn a_body_that_must_be_read_for_a_token_may_have_64_kib() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    let body = |length: usize| {
        let start = format!("t={skey}&fill=");
        let fill = "f".repeat(length - start.len());
        start + &fill
    };
    let post = |format: &str, length| {
        Ask::post("/x")
            .header("Content-Type", format)
            .body(body(length))
    };
    admitted(&world, &post(FORM, 64 * 1024));
    let answer = world.ask(&post(FORM, 64 * 1024 + 1));
    answer.refused(413, "body_too_large");
    let answer = world.ask(&post(JSON, 64 * 1024 + 1));
    answer.refused(413, "body_too_large");
    let mut line = world.connect();
    let chunked = Ask::post("/maybe/x")
        .header("Content-Type", FORM)
        .header("Transfer-Encoding", "chunked");
    line.send(&chunked.bytes());
    line.send(
        format!(
            "{:x}\r\n{}\r\n0\r\n\r\n",
            64 * 1024 + 1,
            body(64 * 1024 + 1)
        )
        .as_bytes(),
    );
    line.answer().refused(413, "body_too_large");
}

#[test]
fn a_long_body_that_need_not_be_read_for_a_token_streams_through() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    let long = vec![b'x'; 200 * 1024];
    let post = |path, format: &str| Ask::post(path).header("Content-Type", format).body(&long);
    let unread = [
        post("/x", FORM).header("X-Token", &skey),
        post("/x", JSON).header("Cookie", &format!("sid={skey}")),
        post("/maybe/x", "application/octet-stream"),
        post("/maybe/x", "multipart/form-data; boundary=b"),
        post("/open/x", FORM),
    ];
    for ask in unread {
        let seen = admitted(&world, &ask);
        assert!(seen.body == long, "{}", seen.head);
    }
    let answer = world.ask(&post("/x", "application/octet-stream"));
    answer.refused(401, "session_missing");
}

#[test]
fn check_and_logout_find_the_token_in_a_body_too() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    let ask = |path| world.ask(&Ask::post(path).form(&[("t", &skey)]));
    assert_eq!(ask("/wx/check").status, 200);
    assert_eq!(ask("/wx/logout").text(), "{}");
    ask("/wx/check").refused(401, "session_invalid");
}

#[test]
fn no_token_is_logged_wherever_it_stands() {
    let world = World::with(EVERY_PLACE);
    let skey = world.skey_of("alice");
    let foreign = "NotAnSkeyButStillSomeonesSecret";
    for token in [skey.as_str(), foreign] {
        for ask in with_token(token) {
            world.access_line(&world.ask(&ask));
        }
        let checks = ["/wx/check", "/open/x", "/maybe/x", "/wx/nowhere//x"];
        for path in checks {
            world.access_line(&world.get(&format!("{path}?t={token}")));
        }
    }
    let log = world.log.text();
    assert!(log.contains("\"path\":\"/open/x\""), "{log}");
    assert!(!log.contains(&skey), "{log}");
    assert!(!log.contains(foreign), "{log}");
}

/// A request for each of the six places.
fn with_token(token: &str) -> [Ask; 6] {
    [
        Ask::get("/x").header("X-Token", token),
        Ask::get("/x").header("Authorization", &format!("Bearer {token}")),
        Ask::get(&format!("/x?t={token}")),
        Ask::get("/x").header("Cookie", &format!("sid={token}")),
        Ask::post("/x").form(&[("t", token)]),
        Ask::post("/x").json(&serde_json::json!({"t": token})),
    ]
}

/// What the backend sees of a request that passes.
#[track_caller]
fn admitted(world: &World, ask: &Ask) -> Seen {
    world.backend.forget();
    let answer: Answer = world.ask(ask);
    assert_eq!(answer.status, 200, "{ask:?}: {answer:?}");
    world.backend.only_seen()
}
