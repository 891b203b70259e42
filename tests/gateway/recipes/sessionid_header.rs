//! `sessionid-header`: a login by GET, and a header called `sessionid`.

use serde_json::Value;

use super::{LONG, Phone, token};

fn log_in(phone: &Phone) -> String {
    let line = format!("GET /wx/onlogin?js_code={}", phone.code());
    token(&phone.request(&line, &[], ""), r#"{"sessionid":""#, r#""}"#)
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("sessionid-header");
    let alice = phone.world.openid_of("alice");
    let first = log_in(&phone);
    let orders = |sessionid: &str| {
        let own = format!("sessionid: {sessionid}");
        phone.request("GET /orders?page=1", &[&own], "")
    };
    assert_eq!(orders(&first).text(), "seen");
    assert_eq!(phone.told("X-OpenId"), [[alice.clone()]]);

    phone.world.clock.turn(LONG);
    orders(&first).refused(401, "session_invalid");
    let second = log_in(&phone);
    assert_ne!(first, second);
    assert_eq!(orders(&second).text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert_eq!(seen.target, "/orders?page=1");
    assert!(seen.values("sessionid").is_empty(), "{}", seen.head);
    assert_eq!(phone.told("X-OpenId"), [[alice]]);
}

#[test]
fn without_a_sessionid_or_with_a_spent_code_there_is_no_way_in() {
    let phone = Phone::with("sessionid-header");
    let refused = phone.request("GET /orders", &["X-OpenId: somebody"], "");
    refused.refused(401, "session_missing");
    let line = format!("GET /wx/onlogin?js_code={}", phone.code());
    assert_eq!(phone.request(&line, &[], "").status, 200);
    phone.world.clock.turn(super::SHORT);
    let refused = phone
        .request(&line, &[], "")
        .refused(401, "login_code_used");
    assert_eq!(refused.json()["sessionid"], Value::Null);
    assert!(phone.world.backend.seen().is_empty());
}
