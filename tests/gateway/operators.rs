//! What operators see of sessions and do to them, over `/api/sessions`.

use serde_json::{Value, json};

use crate::harness::{Answer, Ask, Line, SECRET, World};

fn list(world: &World, query: &str) -> Value {
    let answer = world.operate(&Ask::get(&format!("/api/sessions{query}")));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn ids(page: &Value) -> Vec<String> {
    let rows = page["sessions"].as_array().unwrap();
    let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}

/// The id of the user's one session.
fn id_of(world: &World, user: &str) -> String {
    let openid = world.openid_of(user);
    let page = list(world, &format!("?app=shop&openid={openid}"));
    let [id] = ids(&page).try_into().unwrap();
    id
}

fn revoke(world: &World, body: &Value) -> Answer {
    world.operate(&Ask::post("/api/sessions/revoke").json(body))
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &json!(code)));
    assert!(body["message"].is_string(), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
}

#[test]
fn sessions_are_listed_by_app_and_user_and_shown_by_id_without_a_secret() {
    let world = World::operated("");
    let skey = world.skey_of("alice");
    world.skey_of("bob");
    let page = list(&world, "");
    assert_eq!(ids(&page).len(), 2);
    assert_eq!(page["next"], Value::Null);
    let id = id_of(&world, "alice");
    let shown = world.operate(&Ask::get(&format!("/api/sessions/{id}")));
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let row = shown.json();
    let members: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
    let expected = ["id", "app", "openid", "unionid", "last_used", "expires"];
    assert_eq!(members, expected);
    assert_eq!((&row["id"], &row["app"]), (&json!(id), &json!("shop")));
    assert_eq!(row["openid"], world.openid_of("alice"));
    for time in ["last_used", "expires"] {
        let text = row[time].as_str().unwrap();
        assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
    }
    assert!(!shown.text().contains(&skey) && !page.to_string().contains(&skey));
    assert_eq!(ids(&list(&world, "?app=wx0123456789abcdef")).len(), 2);
    assert_eq!(
        list(&world, "?app=shop&openid=nobody"),
        json!({"sessions": [], "next": null})
    );
}

#[test]
fn pages_lead_from_one_to_the_next_until_all_are_told() {
    let world = World::operated("");
    for count in 0..5 {
        world.skey_of(&format!("user-{count}"));
    }
    let mut all = ids(&list(&world, ""));
    let (mut told, mut query) = (Vec::new(), "?limit=2".to_owned());
    for _ in 0..3 {
        let page = list(&world, &query);
        told.extend(ids(&page));
        query = format!("?limit=2&cursor={}", page["next"].as_str().unwrap_or("end"));
    }
    all.sort();
    told.sort();
    assert_eq!(told, all);
    assert!(query.ends_with("=end"));
}

#[test]
fn a_session_that_is_revoked_ends_at_once_and_its_client_logs_in_anew() {
    let world = World::operated("");
    let (alice, bob) = (world.skey_of("alice"), world.skey_of("bob"));
    let entry = format!("/api/sessions/{}", id_of(&world, "alice"));
    let revoked = world.operate(&Ask::new("DELETE", &entry));
    assert_eq!(
        (revoked.status, revoked.json()),
        (200, json!({"revoked": 1}))
    );
    world
        .get_as(&alice, "/mine")
        .refused(401, "session_invalid");
    assert_eq!(world.get_as(&bob, "/mine").status, 200);
    for method in ["GET", "DELETE"] {
        is_refused(&world.operate(&Ask::new(method, &entry)), 404, "not_found");
    }
    let again = world.skey_of("alice");
    assert_eq!(world.get_as(&again, "/mine").status, 200);
}

#[test]
fn all_sessions_of_a_user_or_of_an_app_are_revoked_and_no_others() {
    let world = World::operated("");
    let (phone, tablet) = (world.skey_of("alice"), world.skey_of("alice"));
    let bob = world.skey_of("bob");
    let alice = json!({"app": "shop", "openid": world.openid_of("alice")});
    assert_eq!(revoke(&world, &alice).json(), json!({"revoked": 2}));
    for skey in [&phone, &tablet] {
        world.get_as(skey, "/mine").refused(401, "session_invalid");
    }
    assert_eq!(world.get_as(&bob, "/mine").status, 200);
    assert_eq!(revoke(&world, &alice).json(), json!({"revoked": 0}));
    world.skey_of("alice");
    assert_eq!(
        revoke(&world, &json!({"app": "shop"})).json(),
        json!({"revoked": 2})
    );
    world.get_as(&bob, "/mine").refused(401, "session_invalid");
}

#[test]
fn a_revocation_is_logged_with_its_app_its_count_and_who_it_was_and_without_the_user() {
    let world = World::operated("");
    world.skey_of("alice");
    let openid = world.openid_of("alice");
    revoke(&world, &json!({"app": "shop", "openid": openid}));
    let log = world.log.text();
    let line = log
        .lines()
        .find(|line| line.contains("an operator has revoked sessions"));
    let line = line.unwrap();
    for field in ["shop", "user", "127.0.0.1"] {
        assert!(line.contains(field), "{line}");
    }
    assert!(!log.contains(&openid) && !log.contains(SECRET), "{log}");
}

#[test]
fn what_is_asked_badly_is_told_what_would_be_right_and_ends_nothing() {
    let world = World::operated("");
    let alice = world.skey_of("alice");
    for query in [
        "?limit=0",
        "?limit=x",
        "?app=toys",
        "?openid=a",
        "?cursor=%00",
        "?cursor=x",
        "?what=1",
    ] {
        let answer = world.operate(&Ask::get(&format!("/api/sessions{query}")));
        is_refused(&answer, 400, "bad_request");
    }
    for id in [
        "",
        "x",
        "REVOKE",
        "../sessions",
        "%00",
        "0123456789ABCDEF0123456789ABCDEF",
    ] {
        for method in ["GET", "DELETE"] {
            let ask = Ask::new(method, &format!("/api/sessions/{id}"));
            is_refused(&world.operate(&ask), 400, "bad_request");
        }
    }
    for body in [
        json!({}),
        json!([]),
        json!({"app": "shop", "openid": null}),
        json!({"app": "shop", "all": true}),
    ] {
        is_refused(&revoke(&world, &body), 400, "bad_request");
    }
    let large = Ask::post("/api/sessions/revoke").body("x".repeat(70_000));
    is_refused(&world.operate(&large), 413, "body_too_large");
    for (method, path) in [
        ("POST", "/api/sessions"),
        ("GET", "/api/sessions/revoke"),
        ("PUT", "/api/sessions/x"),
    ] {
        is_refused(
            &world.operate(&Ask::new(method, path)),
            405,
            "method_not_allowed",
        );
    }
    assert_eq!(world.get_as(&alice, "/mine").status, 200);
}

#[test]
fn whoever_guesses_the_token_is_slowed_down_and_the_right_one_does_not_help_meanwhile() {
    let world = World::operated("");
    let ask = |token: &str| {
        let ask = Ask::get("/api/sessions").header("Authorization", &format!("Bearer {token}"));
        Line::to(world.gateway().admin_address().unwrap()).ask(&ask)
    };
    for _ in 0..10 {
        is_refused(&ask("wrong"), 401, "unauthorized");
    }
    let answer = ask("wrong");
    is_refused(&answer, 429, "rate_limited");
    let wait = answer.header("retry-after").unwrap().parse().unwrap();
    is_refused(&ask(SECRET), 429, "rate_limited");
    world.clock.turn(std::time::Duration::from_secs(wait));
    assert_eq!(ask(SECRET).status, 200);
}
