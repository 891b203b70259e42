//! `errno-200`: a client of the nideshop kind, which reads nothing that is not HTTP 200.

use wxgate::config::{self, Surroundings};
use wxgate::domain::refusal::RefusalCode;
use wxgate::domain::template::Placeholder;

use super::{LONG, Phone, SHORT, recipes, says, token};
use crate::harness::SECRET;

const LOGIN: &str = "POST /api/auth/loginByWeixin";
const AGAIN: &str =
    r#"{"errno":401,"errmsg":"this session is unknown or has ended: log in again"}"#;
const FIRST: &str =
    r#"{"errno":401,"errmsg":"this request carries no session token: log in first"}"#;

/// The body of a login, as the client's `loginByWeixin` makes it.
fn body(code: &str) -> String {
    format!(
        r#"{{"code":"{code}","userInfo":{{"errMsg":"getUserInfo:ok","rawData":"{{}}","userInfo":{{"nickName":"爱丽丝"}}}}}}"#
    )
}

fn log_in(phone: &Phone) -> String {
    let answer = phone.request(LOGIN, &["X-Nideshop-Token: "], &body(&phone.code()));
    token(
        &answer,
        r#"{"errno":0,"errmsg":"","data":{"token":""#,
        r#""}}"#,
    )
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::with("errno-200");
    let alice = phone.world.openid_of("alice");
    let first = log_in(&phone);
    let add = |token: &str| {
        let own = format!("X-Nideshop-Token: {token}");
        phone.request("POST /api/cart/add", &[&own], r#"{"goodsId":7,"number":1}"#)
    };
    assert_eq!(add(&first).text(), "seen");
    assert_eq!(phone.told("X-OpenId"), [[alice.clone()]]);

    phone.world.clock.turn(LONG);
    says(&add(&first), 200, AGAIN);
    let second = log_in(&phone);
    assert_ne!(first, second);
    assert_eq!(add(&second).text(), "seen");
    let seen = phone.world.backend.only_seen();
    assert_eq!(seen.body, br#"{"goodsId":7,"number":1}"#);
    assert!(seen.values("X-Nideshop-Token").is_empty(), "{}", seen.head);
    assert_eq!(phone.told("X-OpenId"), [[alice]]);
}

#[test]
fn a_visitor_sees_the_goods_and_is_asked_to_log_in_for_the_cart() {
    let phone = Phone::with("errno-200");
    // Before any login this client sends the header without a value.
    let own = ["X-Nideshop-Token: ", "X-OpenId: somebody"];
    assert_eq!(
        phone.request("GET /api/goods/detail?id=7", &own, "").text(),
        "seen"
    );
    assert_eq!(phone.told("X-OpenId"), [[""; 0]]);
    says(&phone.request("GET /api/cart/index", &own, ""), 200, FIRST);
    assert!(phone.world.backend.seen().is_empty());

    let own = format!("X-Nideshop-Token: {}", log_in(&phone));
    assert_eq!(
        phone
            .request("GET /api/goods/detail?id=7", &[&own], "")
            .text(),
        "seen"
    );
    assert_eq!(phone.told("X-OpenId"), [[phone.world.openid_of("alice")]]);
}

#[test]
fn a_login_that_fails_is_not_answered_with_another_login() {
    let phone = Phone::with("errno-200");
    let spent = body(&phone.code());
    assert_eq!(phone.request(LOGIN, &[], &spent).status, 200);
    phone.world.clock.turn(SHORT);
    for body in [spent, body("no-code-of-wechat"), "{}".to_owned()] {
        let answer = phone.request(LOGIN, &[], &body);
        assert_eq!(
            (answer.status, answer.json()["errno"].as_u64()),
            (200, Some(400)),
            "{body}"
        );
    }
}

#[test]
fn what_is_not_there_is_an_errno_too() {
    let phone = Phone::with("errno-200");
    let own = format!("X-Nideshop-Token: {}", log_in(&phone));
    let answer = phone.request("GET /nowhere", &[&own], "");
    let errno = answer.json()["errno"].as_u64();
    assert_eq!((answer.status, errno), (200, Some(404)));
}

#[test]
fn every_refusal_is_an_errno_under_http_200_and_only_those_of_a_session_are_401() {
    let text = std::fs::read_to_string(recipes().join("errno-200.toml")).unwrap();
    let mut surroundings = Surroundings::of_process();
    surroundings
        .variables
        .insert("SHOP_SECRET".to_owned(), SECRET.to_owned());
    let plan = config::read("errno-200.toml", &text, &surroundings).unwrap();
    for code in RefusalCode::ALL {
        let shape = plan
            .refusals
            .get(code)
            .unwrap_or_else(|| panic!("{code:?}"));
        assert_eq!(shape.status.unwrap(), 200, "{code:?}");
        let body = shape.body.as_ref().unwrap().fill(|place| match place {
            Placeholder::Message => "a message".into(),
            other => panic!("{code:?} tells {other:?}"),
        });
        let is_of_session = matches!(
            code,
            RefusalCode::SessionMissing
                | RefusalCode::SessionInvalid
                | RefusalCode::SessionReplaced
        );
        let errno = body["errno"].as_u64().unwrap();
        assert_eq!(errno == 401, is_of_session, "{code:?}");
        assert!((400..600).contains(&errno), "{code:?}");
        assert_eq!(body["errmsg"], "a message", "{code:?}");
    }
}
