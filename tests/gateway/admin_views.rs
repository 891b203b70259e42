//! What the operator's interface shows: counts, backends, refusals, the config, and how it is described.

use serde_json::{Value, json};

use crate::harness::{Answer, Ask, BASE, Backend, Line, SECRET, World, refusing};

/// The base config with the token of an operator.
pub const GUARDED: &str = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = { env = \"SHOP_SECRET\" }";

fn guarded(more: &str) -> World {
    let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"", GUARDED);
    World::of(&format!("{config}\n{more}"))
}

fn operate(world: &World, ask: Ask) -> Answer {
    let ask = ask.header("Authorization", &format!("Bearer {SECRET}"));
    Line::to(world.gateway().admin_address().unwrap()).ask(&ask)
}

#[track_caller]
fn shown(world: &World, path: &str) -> Value {
    let answer = operate(world, Ask::get(path));
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

#[track_caller]
fn one<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut found = list.as_array().unwrap().iter();
    let found = found.find(|one| one[key] == value);
    found.unwrap_or_else(|| panic!("no {key} {value} in {list}"))
}

#[test]
fn the_overview_counts_what_was_done() {
    let world = guarded("");
    let skey = world.skey_of("alice");
    world.skey_of("bob");
    world
        .login_with("no-such-code")
        .refused(401, "login_code_invalid");
    assert_eq!(world.get_as(&skey, "/orders").status, 200);
    world.get("/orders").refused(401, "session_missing");
    world.await_count("wxgate_requests_total{route=\"/*\",status=\"401\"}", 1);
    let overview = shown(&world, "/api/overview");
    assert_eq!(overview["phase"], "ready");
    assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
    let shop = one(&overview["apps"], "app", "shop");
    assert_eq!(shop["sessions"], 2);
    assert_eq!(shop["logins"], json!({"ok": 2, "login_code_invalid": 1}));
    let all = one(&overview["routes"], "route", "/*");
    assert_eq!(all["requests"], json!({"200": 1, "401": 1}));
    assert!(all["seconds"].as_f64().unwrap() > 0.0, "{all}");
    let refusals = &overview["refusals"];
    assert_eq!(
        refusals,
        &json!({"login_code_invalid": 1, "session_missing": 1})
    );
    let uptime = overview["uptime_seconds"].as_u64().unwrap();
    world.clock.turn(std::time::Duration::from_mins(1));
    let later = shown(&world, "/api/overview")["uptime_seconds"]
        .as_u64()
        .unwrap();
    assert!(later >= uptime + 60, "{uptime} {later}");
}

#[test]
fn refusals_are_told_by_reason_and_route_and_never_with_what_a_client_sent() {
    let world = guarded("");
    for _ in 0..3 {
        world.get("/orders").refused(401, "session_missing");
    }
    world
        .get_as("<img src=x>", "/orders")
        .refused(401, "session_invalid");
    world.clock.turn(std::time::Duration::from_secs(1));
    world
        .get("/a/..;/secret-of-a-client")
        .refused(400, "bad_request");
    let told = shown(&world, "/api/refusals");
    let list = &told["refusals"];
    assert_eq!(list[0]["code"], "bad_request", "{list}");
    let missing = one(list, "code", "session_missing");
    assert_eq!(
        (&missing["count"], &missing["route"]),
        (&json!(3), &json!("/*"))
    );
    assert!(missing["reason"].as_str().unwrap().len() > 5, "{missing}");
    let text = told.to_string();
    assert!(
        !text.contains("img") && !text.contains("secret-of"),
        "{text}"
    );
}

#[test]
fn a_flood_of_refusals_is_counted_and_takes_no_room() {
    let world = guarded("");
    let mut line = world.connect();
    for _ in 0..500 {
        assert_eq!(line.ask(&Ask::get("/orders")).status, 401);
    }
    let told = shown(&world, "/api/refusals");
    assert_eq!(told["refusals"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["refusals"][0]["count"], 500);
}

#[test]
fn a_backend_that_refuses_is_shown_as_passed_over_and_one_that_is_ill_as_ill() {
    let ill = Backend::that(|conversation| {
        while conversation.read_request().is_some() {
            conversation.answer("500 Oh", b"");
        }
    });
    let (_gone, gone) = refusing();
    let ill_address = ill.address();
    let more = format!(
        "[upstreams.two]\nservers = [\"http://{gone}\", \"BACKEND\"]\n\
         [upstreams.ill]\nservers = [\"http://{ill_address}\"]\nhealth = {{ path = \"/healthz\", interval = \"10ms\" }}\n\
         [[routes]]\npath = \"/two/*\"\nupstream = \"two\"\nauth = \"none\"\n"
    );
    let world = guarded(&more);
    for _ in 0..2 {
        assert_eq!(world.get("/two/x").status, 200);
    }
    let told = shown(&world, "/api/upstreams");
    let two = one(&told["upstreams"], "upstream", "two");
    assert_eq!(two["requests"]["ok"], 2);
    let first = one(&two["servers"], "server", &gone.to_string());
    assert_eq!(
        (&first["state"], &first["passed_over_by"]),
        (&json!("ejected"), &json!(1))
    );
    assert!(first["back_in_seconds"].as_f64().unwrap() > 0.0);
    let second = one(
        &two["servers"],
        "server",
        &world.backend.address().to_string(),
    );
    assert_eq!(
        (&second["state"], &second["back_in_seconds"]),
        (&json!("ok"), &Value::Null)
    );
    let says = |line: &Value| line.to_string().contains("is not well");
    world.log.line("complaint of a backend", says);
    let told = shown(&world, "/api/upstreams");
    let ill = one(&told["upstreams"], "upstream", "ill");
    assert_eq!(
        (&ill["probe"], &ill["servers"][0]["state"]),
        (&json!("/healthz"), &json!("ill"))
    );
}

#[test]
fn the_config_is_shown_with_its_defaults_and_without_secrets() {
    let world = guarded("");
    let config = shown(&world, "/api/config");
    assert_eq!(config["sessions"]["lifetime"], "7d");
    assert_eq!(config["apps"]["shop"]["secret"], "***");
    assert_eq!(config["admin"]["token"], "***");
    assert!(!config.to_string().contains(SECRET));
}

#[test]
fn nothing_is_shown_without_the_token_or_where_there_is_none() {
    let paths = [
        "overview",
        "upstreams",
        "config",
        "refusals",
        "openapi.json",
    ];
    let (guarded, open) = (guarded(""), World::new());
    for path in paths.map(|path| format!("/api/{path}")) {
        let answer = guarded.admin(&path);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (401, &json!("unauthorized"))
        );
        assert_eq!(open.admin(&path).status, 404, "{path}");
        let posted = operate(&guarded, Ask::post(&path).body(""));
        assert_eq!(
            (posted.status, posted.header("allow")),
            (405, Some("GET, HEAD"))
        );
        assert_eq!(operate(&guarded, Ask::new("HEAD", &path)).status, 200);
    }
    assert_eq!(guarded.admin("/").status, 200);
    for path in ["/", "/page.js", "/page.css"] {
        assert_eq!(open.admin(path).status, 404, "{path}");
    }
}

#[test]
fn the_page_may_load_nothing_but_itself() {
    let world = guarded("");
    for path in ["/", "/page.js", "/page.css"] {
        let answer = world.admin(path);
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        let parts: Vec<_> = policy.split(';').map(str::trim).collect();
        let expected = [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ];
        assert_eq!(parts, expected);
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn every_entry_is_described_and_answers_as_it_is_described() {
    let world = guarded("");
    let skey = world.skey_of("alice");
    world.get("/orders").refused(401, "session_missing");
    assert_eq!(world.get_as(&skey, "/orders").status, 200);
    let described = shown(&world, "/api/openapi.json");
    assert_eq!(described["openapi"], "3.1.0");
    let paths: Vec<_> = described["paths"].as_object().unwrap().keys().collect();
    let known = [
        "/api/overview",
        "/api/upstreams",
        "/api/refusals",
        "/api/config",
        "/api/openapi.json",
        "/api/sessions",
        "/api/sessions/{id}",
        "/api/sessions/revoke",
        "/api/decrypt",
    ];
    assert_eq!(paths, known);
    let listed = shown(&world, "/api/sessions");
    let id = listed["sessions"][0]["id"].as_str().unwrap();
    for (path, entry) in described["paths"].as_object().unwrap() {
        for method in ["get", "post", "delete"] {
            let Some(operation) = entry.get(method) else {
                continue;
            };
            let target = path.replace("{id}", id);
            let mut ask = Ask::new(&method.to_uppercase(), &target);
            if method == "post" {
                ask = ask.json(&json!({"app": "shop", "openid": "oNobody"}));
            }
            let answer = operate(&world, ask);
            let responses = &operation["responses"];
            let response = &responses[answer.status.to_string()];
            assert!(response.is_object(), "{method} {path}: {answer:?}");
            let told = resolved(&described, response);
            let schema = &told["content"]["application/json"]["schema"];
            fits(&described, schema, &answer.json(), path);
        }
    }
}

#[test]
fn the_readme_names_each_entry_that_is_shown() {
    let readme = include_str!("../../README.md");
    let described = shown(&guarded(""), "/api/openapi.json");
    let paths = described["paths"].as_object().unwrap().keys();
    let mut count = 0;
    for path in paths.filter(|path| !path.starts_with("/api/sessions")) {
        count += 1;
        assert!(readme.contains(path.as_str()), "{path}");
    }
    assert!(count >= 5, "{count}");
}

fn resolved<'a>(whole: &'a Value, part: &'a Value) -> &'a Value {
    match part["$ref"].as_str() {
        Some(place) => whole.pointer(place.trim_start_matches('#')).unwrap(),
        None => part,
    }
}

/// Holds that a value has the members that its schema requires and no others, and is of its type.
#[track_caller]
fn fits(whole: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(whole, schema);
    let type_of = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_of = |name: &Value| name == type_of || (name == "number" && type_of == "integer");
    match &schema["type"] {
        Value::Array(types) => assert!(types.iter().any(is_of), "{place}: {value}"),
        Value::Null => assert!(
            schema["enum"].as_array().unwrap().contains(value),
            "{place}"
        ),
        name => assert!(is_of(name), "{place}: {value} is no {name}"),
    }
    if let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object())
    {
        for name in schema["required"].as_array().unwrap() {
            assert!(
                value.get(name.as_str().unwrap()).is_some(),
                "{place} lacks {name}"
            );
        }
        for (name, member) in members {
            let schema = properties.get(name);
            let schema = schema.unwrap_or_else(|| panic!("{place}: {name} is not described"));
            fits(whole, schema, member, &format!("{place}.{name}"));
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(whole, &schema["items"], item, &format!("{place}[]"));
    }
}
