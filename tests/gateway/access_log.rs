//! The log and the metrics: one line and one count for every request, and nothing secret in either.

use serde_json::{Value, json};

use wxgate::simulator::Behaviour;

use crate::harness::{Answer, Ask, BASE, Backend, Log, World};

/// The fields of a line that are the same in every run.
fn steady(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    for name in ["timestamp", "request_id", "duration_ms", "upstream_ms"] {
        fields.remove(name);
    }
    line
}

#[track_caller]
fn is_told(world: &World, answer: &Answer, told: &Value) {
    let line = world.access_line(answer);
    assert!(line["duration_ms"].as_f64().unwrap() >= 0.0, "{line}");
    let is_forwarded = told.get("upstream").is_some() && told["status"] == 200;
    assert_eq!(line.get("upstream_ms").is_some(), is_forwarded, "{line}");
    let mut told = told.clone();
    let always = json!({"level": "INFO", "message": "request", "target": "wxgate::access", "client": "127.0.0.1"});
    for (name, value) in always.as_object().unwrap() {
        told[name] = value.clone();
    }
    assert_eq!(steady(line), told);
}

#[test]
fn every_request_has_one_line_that_tells_what_came_of_it() {
    let mut world = World::new();
    let login = world.login("alice");
    let skey = login.json()["skey"].as_str().unwrap().to_owned();
    let bytes = login.body.len();
    is_told(
        &world,
        &login,
        &json!({"method": "POST", "path": "/wx/login", "route": "/wx/login", "app": "shop", "status": 200, "bytes": bytes}),
    );
    is_told(
        &world,
        &world.get_as(&skey, "/orders/7?page=2"),
        &json!({"method": "GET", "path": "/orders/7", "route": "/*", "app": "shop", "status": 200, "upstream": "php", "bytes": 4}),
    );
    is_told(
        &world,
        &world.get("/open/x"),
        &json!({"method": "GET", "path": "/open/x", "route": "/open/*", "status": 200, "upstream": "php", "bytes": 4}),
    );
    let missing = world.get("/orders");
    is_told(
        &world,
        &missing,
        &json!({"method": "GET", "path": "/orders", "route": "/*", "status": 401, "upstream": "php", "bytes": missing.body.len(),
            "refusal": "session_missing", "reason": "no configured place holds a token"}),
    );
    let dots = world.get("/open/../x");
    is_told(
        &world,
        &dots,
        &json!({"method": "GET", "path": "/open/../x", "status": 400, "bytes": dots.body.len(),
            "refusal": "bad_request", "reason": "the path has a dot segment"}),
    );
    world.stop();
    assert_eq!(world.log.access_lines().len(), 5);
}

#[test]
fn what_never_became_a_request_has_its_line_too() {
    let mut world = World::new();
    let mut line = world.connect();
    line.send(b"garbage\r\n\r\n");
    let answer = line.answer().refused(400, "bad_request");
    let told = world.access_line(&answer);
    assert_eq!(told["reason"], "the request is not HTTP/1");
    assert_eq!(
        (told.get("method"), told.get("path"), told.get("route")),
        (None, None, None)
    );
    assert!(line.is_silent_to_its_end());
    world.stop();
    assert_eq!(world.log.access_lines().len(), 1);
}

#[test]
fn an_answer_that_its_backend_cuts_off_is_marked() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    });
    let world = World::around(BASE, backend);
    let answer = world.get("/open/x");
    assert!(!answer.is_whole);
    let line = world.access_line(&answer);
    assert_eq!(
        (&line["cut"], &line["bytes"], &line["status"]),
        (&json!(true), &json!(4), &json!(200))
    );
}

#[test]
fn an_answer_to_head_is_whole_without_its_body() {
    let backend = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        }
    });
    let world = World::around(BASE, backend);
    let answer = world.ask(&Ask::new("HEAD", "/open/x"));
    let line = world.access_line(&answer);
    assert_eq!((line.get("cut"), &line["bytes"]), (None, &json!(0)));
}

#[test]
fn no_path_and_no_header_forges_a_line() {
    let mut world = World::new();
    let path = "/open/a%0ab\u{2028}c\u{202e}d\u{85}{\"status\":500}";
    let ask = Ask::get(path)
        .header("User-Agent", "{\"target\":\"wxgate::access\"}")
        .header("X-Request-Id", "chosen");
    world.ask(&ask).refused(400, "bad_request");
    let sent = world.get("/open/a\u{2028}\u{202e}b=c%20status=500");
    assert_eq!(
        world.access_line(&sent)["path"],
        "/open/a\u{2028}\u{202e}b=c%20status=500"
    );
    world.stop();
    assert_eq!(world.log.access_lines().len(), 2);
    let text = world.log.text();
    assert!(
        !text.contains(['\u{2028}', '\u{202e}', '\u{85}']) && !text.contains("chosen"),
        "{text}"
    );
    assert!(!text.replace('\n', "").contains(char::is_control), "{text}");
}

#[test]
fn a_line_of_text_tells_the_same_and_cannot_be_forged() {
    let log = Log::of_text();
    let mut world = World::logging(BASE, Backend::start(), log);
    let skey = world.skey_of("alice");
    let answer = world.get_as(&skey, "/open/a=b\u{2028}c?skey=d");
    let id = answer.header("x-request-id").unwrap().to_owned();
    world.stop();
    let text = world.log.text();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("wxgate::access: "))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    let (head, fields) = lines[1].split_once("wxgate::access: ").unwrap();
    assert!(head.ends_with("  INFO "), "{head}");
    let (before, after) = fields.split_once("upstream_ms=").unwrap();
    assert_eq!(
        before,
        format!(
            "request request_id={id} client=127.0.0.1 method=GET path=\"/open/a=b\\u{{2028}}c\" route=/open/* \
             status=200 upstream=php "
        )
    );
    assert!(
        after.contains(" duration_ms=") && after.ends_with(" bytes=4"),
        "{after}"
    );
    assert!(
        !text.contains(&skey) && !text.contains(&world.openid_of("alice")),
        "{text}"
    );
}

/// Where a skey may stand, a request that carries one there, and one that carries it where it is not looked for.
fn carrying(skey: &str) -> [Ask; 8] {
    [
        Ask::get("/orders").skey(skey),
        Ask::get("/orders").header("Authorization", &format!("Bearer {skey}")),
        Ask::get(&format!("/orders?a=b&skey={skey}")),
        Ask::get("/orders").header("Cookie", &format!("a=b; skey={skey}")),
        Ask::get("/orders").header("Sec-WebSocket-Protocol", &format!("a, k.{skey}")),
        Ask::post("/orders").form(&[("skey", skey)]),
        Ask::post("/orders").json(&json!({"skey": skey})),
        Ask::get(&format!("/open/x?other={skey}")).header("X-Other", skey),
    ]
}

#[test]
fn nothing_secret_is_in_the_log_or_the_metrics_at_any_level() {
    let places = r#"["header:X-Skey", "bearer", "query:skey", "cookie:skey", "form:skey", "json:skey", "subprotocol:k."]"#;
    let mut world = World::with(&format!("[sessions]\ntoken = {places}"));
    world.wechat.set_unionid("alice", Some("oUnionOfAlice"));
    let code = world.wechat.issue_code("alice");
    let skey = world.login_with(&code).json()["skey"]
        .as_str()
        .unwrap()
        .to_owned();
    for ask in carrying(&skey) {
        assert_eq!(world.ask(&ask).status, 200, "{ask:?}");
    }
    let unknown = "U".repeat(43);
    for ask in carrying(&unknown) {
        world.ask(&ask);
    }
    let forged = "not-a-code-at-all";
    world.login_with(forged).refused(401, "login_code_invalid");
    world
        .ask(&Ask::get(&format!("/wx/login?code={forged}")))
        .refused(401, "login_code_invalid");
    world.ask(&Ask::post("/wx/check").skey(&skey));
    world.ask(&Ask::post("/wx/logout").skey(&skey));
    world
        .ask(&Ask::get("/orders").skey(&skey))
        .refused(401, "session_invalid");
    let (key, openid) = (
        world.wechat.session_key_of(crate::harness::APPID, "alice"),
        world.openid_of("alice"),
    );
    let page = world.admin("/metrics").text();
    world.stop();
    assert_eq!(world.log.access_lines().len(), 22);
    let log = world.log.text();
    for secret in [
        &skey,
        &unknown,
        &code,
        &openid,
        &key,
        forged,
        "oUnionOfAlice",
        crate::harness::SECRET,
    ] {
        assert!(!log.contains(secret), "{secret} in:\n{log}");
        assert!(!page.contains(secret), "{secret} in:\n{page}");
    }
}

#[test]
fn the_metrics_count_what_was_asked() {
    let world = World::new();
    let skey = world.skey_of("alice");
    let mut line = world.connect();
    line.send(b"garbage\r\n\r\n");
    let answers = [
        world.get_as(&skey, "/orders?a=b"),
        world.get_as(&skey, "/orders/7"),
        world.get_as(&skey, "/orders"),
        world.get("/open/x"),
        world.get("/orders"),
        world.get("/orders/../x"),
        line.answer(),
    ];
    for answer in &answers {
        world.access_line(answer);
    }
    for (series, count) in [
        (
            r#"wxgate_requests_total{route="/wx/login",status="200"}"#,
            1,
        ),
        (r#"wxgate_requests_total{route="/*",status="200"}"#, 3),
        (r#"wxgate_requests_total{route="/*",status="401"}"#, 1),
        (r#"wxgate_requests_total{route="/open/*",status="200"}"#, 1),
        (r#"wxgate_requests_total{route="none",status="400"}"#, 2),
        (r#"wxgate_request_duration_seconds_count{route="/*"}"#, 4),
        (r#"wxgate_refusals_total{code="session_missing"}"#, 1),
        (r#"wxgate_refusals_total{code="bad_request"}"#, 2),
        (r#"wxgate_refusals_total{code="session_invalid"}"#, 0),
        (
            r#"wxgate_upstream_requests_total{upstream="php",outcome="ok"}"#,
            4,
        ),
    ] {
        assert_eq!(
            world.metric(series).to_string(),
            count.to_string(),
            "{series}"
        );
    }
    let page = world.admin("/metrics").text();
    assert!(!page.contains("/orders"), "{page}");
}

#[test]
fn a_client_that_hangs_up_before_the_answer_leaves_a_line() {
    let world = World::new();
    world.wechat.behave(Behaviour::Held);
    let code = world.wechat.issue_code("alice");
    let mut line = world.connect();
    line.send(&Ask::post("/wx/login").form(&[("code", &code)]).bytes());
    assert!(world.wechat.arrived_blocking(1));
    drop(line);
    let access = world.log.line("the login that nobody waited for", |line| {
        line["target"] == "wxgate::access" && line["path"] == "/wx/login"
    });
    assert_eq!(
        (&access["status"], &access["cut"]),
        (&499.into(), &true.into())
    );
    world.wechat.release();
}
