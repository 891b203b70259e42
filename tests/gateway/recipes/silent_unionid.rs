//! `silent-unionid`: a login that its user never notices, and a backend that knows its users by unionid.

use super::{LONG, Phone, SHORT, says, token};

const AGAIN: &str = r#"{"code":401,"msg":"登录状态已过期，请重新登录"}"#;

fn log_in(phone: &Phone) -> String {
    let body = format!(r#"{{"code":"{}"}}"#, phone.code());
    let answer = phone.request("POST /wx/login", &[], &body);
    token(
        &answer,
        r#"{"code":200,"msg":"操作成功","token":""#,
        r#""}"#,
    )
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("silent-unionid");
    let first = log_in(&phone);
    let points = |token: &str| {
        let own = format!("Authorization: Bearer {token}");
        phone.request("GET /member/points", &[&own], "")
    };
    assert_eq!(points(&first).text(), "seen");
    assert_eq!(phone.told("X-UnionId"), [["uAlice"]]);

    phone.world.clock.turn(LONG);
    says(&points(&first), 200, AGAIN);
    let second = log_in(&phone);
    assert_ne!(first, second);
    assert_eq!(points(&second).text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert!(seen.values("Authorization").is_empty(), "{}", seen.head);
    assert_eq!(phone.told("X-UnionId"), [["uAlice"]]);
}

#[test]
fn a_user_without_a_unionid_is_told_by_openid_alone() {
    let phone = Phone::with("silent-unionid");
    phone.world.wechat.set_unionid("alice", None);
    let own = format!("Authorization: Bearer {}", log_in(&phone));
    let answer = phone.request("GET /member/points", &[&own, "X-UnionId: uBob"], "");
    assert_eq!(answer.text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert!(seen.values("X-UnionId").is_empty(), "{}", seen.head);
    assert_eq!(seen.values("X-OpenId"), [phone.world.openid_of("alice")]);
}

#[test]
fn who_never_logged_in_is_told_to_and_a_login_that_fails_is_not_401() {
    let phone = Phone::with("silent-unionid");
    let answer = phone.request("GET /member/points", &["X-UnionId: uBob"], "");
    says(&answer, 200, r#"{"code":401,"msg":"请先登录"}"#);
    assert!(phone.world.backend.seen().is_empty());

    let failed = r#"{"code":500,"msg":"登录失败，请重试"}"#;
    let spent = format!(r#"{{"code":"{}"}}"#, phone.code());
    assert_eq!(phone.request("POST /wx/login", &[], &spent).status, 200);
    phone.world.clock.turn(SHORT);
    for body in [spent.as_str(), r#"{"code":"no-code-of-wechat"}"#] {
        says(&phone.request("POST /wx/login", &[], body), 200, failed);
    }
}
