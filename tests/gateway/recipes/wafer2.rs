//! `wafer2`: a client with the npm package `wafer2-client-sdk`, byte for byte; tests/clients/wafer runs the package itself.

use super::{LONG, Phone, SHORT, says, token};
use crate::harness::{APPID, Answer};
use serde_json::json;

/// What `loginWithCode` sends.
fn ask(phone: &Phone, code: &str) -> Answer {
    let own = format!("X-WX-Code: {code}");
    phone.request("GET /weapp/login", &[&own], "")
}

fn log_in(phone: &Phone) -> String {
    let answer = ask(phone, &phone.code());
    let skey = token(
        &answer,
        r#"{"code":0,"data":{"skey":""#,
        r#"","userinfo":{}}}"#,
    );
    format!("X-WX-Skey: {skey}")
}

fn orders(phone: &Phone, skey: &str) -> Answer {
    phone.request("POST /weapp/orders", &[skey], r#"{"item":7}"#)
}

/// A refusal that the package reads.
fn marked(error: &str, message: &str) -> String {
    format!(r#"{{"code":-1,"error":"{error}","message":"{message}"}}"#)
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("wafer2");
    let alice = phone.world.openid_of("alice");
    let first = log_in(&phone);
    assert_eq!(orders(&phone, &first).text(), "seen");
    assert_eq!(phone.told("X-OpenId"), [[alice.clone()]]);

    phone.world.clock.turn(LONG);
    let ended = "this session is unknown or has ended: log in again";
    says(
        &orders(&phone, &first),
        200,
        &marked("ERR_SESSION_INVALID", ended),
    );
    let second = log_in(&phone);
    assert_ne!(first, second);
    assert_eq!(orders(&phone, &second).text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert_eq!(seen.body, br#"{"item":7}"#);
    assert!(seen.values("X-WX-Skey").is_empty(), "{}", seen.head);
    assert_eq!(phone.told("X-OpenId"), [[alice]]);
}

#[test]
fn a_login_with_encrypted_data_tells_what_was_in_it() {
    let phone = Phone::with("wafer2");
    let told = json!({"nickName": "爱丽丝", "watermark": {"appid": APPID, "timestamp": 1}});
    let sealed = phone.world.wechat.encrypted(APPID, "alice", told);
    let own = [
        format!("X-WX-Code: {}", phone.code()),
        format!("X-WX-Encrypted-Data: {}", sealed.encrypted_data),
        format!("X-WX-IV: {}", sealed.iv),
    ];
    let own = own.each_ref().map(String::as_str);
    let answer = phone.request("GET /weapp/login", &own, "");
    let alice = phone.world.openid_of("alice");
    let userinfo = format!(
        r#"","userinfo":{{"nickName":"爱丽丝","watermark":{{"appid":"{APPID}","timestamp":1}},"openId":"{alice}","unionId":"uAlice"}}}}}}"#
    );
    let skey = token(&answer, r#"{"code":0,"data":{"skey":""#, &userinfo);
    assert_eq!(orders(&phone, &format!("X-WX-Skey: {skey}")).text(), "seen");
}

#[test]
fn before_a_login_it_is_told_to_log_in_whatever_it_pretends() {
    let phone = Phone::with("wafer2");
    let missing = "this request carries no session token: log in first";
    let missing = marked("ERR_SESSION_INVALID", missing);
    says(&orders(&phone, "X-OpenId: somebody"), 200, &missing);
    assert!(phone.world.backend.seen().is_empty());
}

#[test]
fn a_login_that_fails_says_why_under_http_200() {
    let phone = Phone::with("wafer2");
    let spent = phone.code();
    assert_eq!(ask(&phone, &spent).status, 200);
    phone.world.clock.turn(SHORT);
    let used = "this login code was used before: call wx.login() again";
    says(&ask(&phone, &spent), 200, &marked("ERR_LOGIN_FAILED", used));
    let invalid = "this login code is not valid: call wx.login() again";
    let invalid = marked("ERR_LOGIN_FAILED", invalid);
    says(&ask(&phone, "no-code-of-wechat"), 200, &invalid);
}

#[test]
fn a_session_is_not_lost_for_another_reason() {
    let phone = Phone::with("wafer2");
    let skey = log_in(&phone);
    phone.world.backend.stop();
    let answer = orders(&phone, &skey);
    assert_eq!((answer.status, &answer.json()["code"]), (502, &json!(null)));
}
