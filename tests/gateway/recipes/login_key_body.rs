//! `login-key-body`: a client that sends its key in the body, beside the encrypted data that is to be opened.

use serde_json::{Value, json};
use wxgate::simulator::Sealed;

use super::{LONG, Phone, SHORT, token};
use crate::harness::{APPID, Answer};

fn log_in(phone: &Phone) -> String {
    let line = format!("GET /onLogin?code={}", phone.code());
    let answer = phone.request(&line, &[], "");
    token(&answer, r#"{"data":{"login_key":""#, r#""}}"#)
}

/// What `wx.getUserInfo` gives.
fn user_info(phone: &Phone) -> Sealed {
    let told = json!({"nickName": "爱丽丝"});
    phone.world.wechat.encrypted(APPID, "alice", told)
}

fn send(phone: &Phone, Sealed { encrypted_data, iv }: &Sealed, key: &str) -> Answer {
    let body = format!(r#"{{"iv":"{iv}","encryptedData":"{encrypted_data}","login_key":"{key}"}}"#);
    phone.request("POST /onUserInfo", &[], &body)
}

/// Holds that the backend got the data opened in the body that was sent, less the key.
#[track_caller]
fn got(phone: &Phone, Sealed { encrypted_data, iv }: &Sealed) {
    let seen = phone.world.backend.only_seen();
    phone.world.backend.forget();
    let alice = phone.world.openid_of("alice");
    assert_eq!(seen.values("X-OpenId"), [&alice], "{}", seen.head);
    let body = String::from_utf8(seen.body).unwrap();
    let as_sent = format!(r#"{{"iv":"{iv}","encryptedData":"{encrypted_data}","openData":"#);
    let opened = body.strip_prefix(&as_sent).unwrap();
    let opened: Value = serde_json::from_str(opened.strip_suffix('}').unwrap()).unwrap();
    assert_eq!(opened["nickName"], "爱丽丝");
    assert_eq!(opened["openId"], alice);
    assert_eq!(opened["watermark"]["appid"], APPID);
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("login-key-body");
    let first = log_in(&phone);
    let data = user_info(&phone);
    assert_eq!(send(&phone, &data, &first).text(), "seen");
    got(&phone, &data);

    phone.world.clock.turn(LONG);
    send(&phone, &data, &first).refused(401, "session_invalid");
    let second = log_in(&phone);
    assert_ne!(first, second);
    let data = user_info(&phone);
    assert_eq!(send(&phone, &data, &second).text(), "seen");
    got(&phone, &data);
}

#[test]
fn its_other_calls_carry_the_key_among_their_data_too() {
    let phone = Phone::with("login-key-body");
    let key = log_in(&phone);
    let line = format!("GET /orders?page=1&login_key={key}");
    assert_eq!(phone.request(&line, &[], "").text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert_eq!(seen.target, "/orders?page=1");
    assert_eq!(phone.told("X-OpenId"), [[phone.world.openid_of("alice")]]);
    let order = format!(r#"{{"item":7,"login_key":"{key}"}}"#);
    assert_eq!(phone.request("POST /orders", &[], &order).text(), "seen");
    assert_eq!(phone.world.backend.only_seen().body, order.as_bytes());
    assert_eq!(phone.told("X-OpenId"), [[phone.world.openid_of("alice")]]);
}

#[test]
fn data_that_was_fetched_before_two_logins_is_to_be_fetched_again() {
    let phone = Phone::with("login-key-body");
    phone.world.wechat.renew_keys(true);
    log_in(&phone);
    let data = user_info(&phone);
    log_in(&phone);
    let key = log_in(&phone);
    send(&phone, &data, &key).refused(400, "data_undecryptable");
    assert!(phone.world.backend.seen().is_empty());
    let data = user_info(&phone);
    assert_eq!(send(&phone, &data, &key).text(), "seen");
    got(&phone, &data);
}

#[test]
fn without_a_key_or_with_a_spent_code_there_is_no_way_in() {
    let phone = Phone::with("login-key-body");
    let data = user_info(&phone);
    send(&phone, &data, "").refused(401, "session_missing");
    let forged = ["X-OpenId: somebody"];
    let refused = phone.request(
        "POST /onUserInfo",
        &forged,
        r#"{"openData":{"openId":"o"}}"#,
    );
    refused.refused(401, "session_missing");
    let line = format!("GET /onLogin?code={}", phone.code());
    assert_eq!(phone.request(&line, &[], "").status, 200);
    phone.world.clock.turn(SHORT);
    let refused = phone.request(&line, &[], "");
    refused.refused(401, "login_code_used");
    assert!(phone.world.backend.seen().is_empty());
}
