//! `wafer1`: a client with the npm package `wafer-client-sdk`, byte for byte; tests/clients/wafer runs the package itself.

use super::{LONG, Phone, SHORT, says, token};
use crate::harness::{APPID, Answer};
use serde_json::json;

const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";

/// The headers of a session: its id and its skey.
type Session = [String; 2];

/// What the package sends with this code for alice, and data that is sealed for `user`.
fn ask(phone: &Phone, code: &str, user: &str) -> Answer {
    let sealed = phone.world.wechat.encrypted(APPID, user, json!({}));
    let own = [
        format!("X-WX-Code: {code}"),
        format!("X-WX-Encrypted-Data: {}", sealed.encrypted_data),
        format!("X-WX-IV: {}", sealed.iv),
    ];
    let own = own.each_ref().map(String::as_str);
    phone.request("GET /login", &own, "")
}

fn log_in(phone: &Phone) -> Session {
    let answer = ask(phone, &phone.code(), "alice");
    let id = answer.json()["session"]["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32, "{id}");
    let before = format!(r#"{{"{MAGIC}":1,"session":{{"id":"{id}","skey":""#);
    let skey = token(&answer, &before, r#""}}"#);
    [format!("X-WX-Id: {id}"), format!("X-WX-Skey: {skey}")]
}

fn orders(phone: &Phone, session: &Session) -> Answer {
    let own = session.each_ref().map(String::as_str);
    phone.request("GET /orders", &own, "")
}

/// A refusal that the package reads.
fn marked(error: &str, message: &str) -> String {
    format!(r#"{{"{MAGIC}":1,"error":"{error}","message":"{message}"}}"#)
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("wafer1");
    let alice = phone.world.openid_of("alice");
    let first = log_in(&phone);
    assert_eq!(orders(&phone, &first).text(), "seen");
    assert_eq!(phone.told("X-OpenId"), [[alice.clone()]]);

    phone.world.clock.turn(LONG);
    let ended = "this session is unknown or has ended: log in again";
    says(
        &orders(&phone, &first),
        200,
        &marked("ERR_INVALID_SESSION", ended),
    );
    let second = log_in(&phone);
    assert_ne!(first, second);
    assert_eq!(orders(&phone, &second).text(), "seen");
    let seen = phone.world.backend.only_seen();
    for name in ["X-WX-Id", "X-WX-Skey"] {
        assert!(seen.values(name).is_empty(), "{}", seen.head);
    }
    assert_eq!(phone.told("X-OpenId"), [[alice]]);
}

#[test]
fn before_a_login_it_is_told_to_log_in_whatever_it_pretends() {
    let phone = Phone::with("wafer1");
    let missing = "this request carries no session token: log in first";
    let missing = marked("ERR_INVALID_SESSION", missing);
    for own in [&[][..], &["X-OpenId: somebody", "X-WX-Id: 1"]] {
        says(&phone.request("GET /orders", own, ""), 200, &missing);
    }
    assert!(phone.world.backend.seen().is_empty());
    let [id, _] = log_in(&phone);
    says(&phone.request("GET /orders", &[&id], ""), 200, &missing);
}

#[test]
fn a_login_that_fails_says_why_under_http_200() {
    let phone = Phone::with("wafer1");
    let spent = phone.code();
    assert_eq!(ask(&phone, &spent, "alice").status, 200);
    phone.world.clock.turn(SHORT);
    let failed = |message| marked("ERR_LOGIN_FAILED", message);
    let used = "this login code was used before: call wx.login() again";
    says(&ask(&phone, &spent, "alice"), 200, &failed(used));
    let of_another =
        "the encrypted data does not belong to this login: log in, then fetch it again";
    says(&ask(&phone, &phone.code(), "bob"), 200, &failed(of_another));
    let no_code = "a login needs the code that wx.login() gave";
    says(&phone.request("GET /login", &[], ""), 200, &failed(no_code));
}

#[test]
fn a_session_is_not_lost_for_another_reason() {
    let phone = Phone::with("wafer1");
    let session = log_in(&phone);
    phone.world.backend.stop();
    let answer = orders(&phone, &session);
    assert_eq!(answer.status, 502);
    assert!(!answer.text().contains(MAGIC), "{}", answer.text());
}
