//! `cloudrun`: a backend that was written for WeChat CloudRun, unchanged.

use super::{LONG, Phone, token};
use crate::harness::{APPID, Backend, Seen};

/// What WeChat CloudRun tells a backend.
const NAMES: [&str; 8] = [
    "X-WX-OPENID",
    "X-WX-UNIONID",
    "X-WX-APPID",
    "X-WX-SOURCE",
    "X-WX-ENV",
    "X-WX-FROM-OPENID",
    "X-WX-FROM-UNIONID",
    "X-WX-FROM-APPID",
];

/// A backend like the official template: its `/api/wx_openid` answers `x-wx-openid` where there is an `x-wx-source`, and it
/// believes whatever it is told. It tells the client more than it should, too.
fn template() -> Backend {
    Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            let openid = seen.values("x-wx-openid").concat();
            let body = match seen.target.as_str() {
                "/" => "<title>微信云托管</title>".to_owned(),
                "/api/wx_openid" if !seen.values("x-wx-source").is_empty() => openid.clone(),
                _ => String::new(),
            };
            let length = body.len();
            conversation.send(
                format!("HTTP/1.1 200 OK\r\nX-WX-OPENID: {openid}\r\nx_wx_source: s\r\nContent-Length: {length}\r\n\r\n{body}")
                    .as_bytes(),
            );
        }
    })
}

/// Headers under every identity name, in spellings that backends fold.
fn pretended() -> Vec<String> {
    let spellings = |name: &str| {
        let spelled = [
            name.to_owned(),
            name.to_lowercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
        ];
        spelled.map(|name| format!("{name}: forged"))
    };
    NAMES.into_iter().flat_map(spellings).collect()
}

fn log_in(phone: &Phone) -> String {
    let body = format!(r#"{{"code":"{}"}}"#, phone.code());
    let answer = phone.request("POST /wx/login", &[], &body);
    token(&answer, r#"{"skey":""#, r#"","expires_in":604800}"#)
}

/// Holds that the backend was told just these, in the order of the names.
#[track_caller]
fn told(seen: &Seen, told: &[&str]) {
    let values: Vec<_> = NAMES.iter().flat_map(|name| seen.values(name)).collect();
    assert_eq!(values, told, "{}", seen.head);
    assert!(!seen.head.contains("forged"), "{}", seen.head);
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let phone = Phone::around("cloudrun", template());
    let alice = phone.world.openid_of("alice");
    let first = log_in(&phone);
    let ask = |skey: &str| {
        let own = format!("X-Skey: {skey}");
        phone.request("GET /api/wx_openid", &[&own], "")
    };
    let answer = ask(&first);
    assert_eq!(answer.text(), alice);
    assert_eq!(
        (answer.header("x-wx-openid"), answer.header("x_wx_source")),
        (None, None)
    );
    let whole = [alice.as_str(), "uAlice", APPID, "wx_client"];
    told(&phone.world.backend.only_seen(), &whole);

    phone.world.clock.turn(LONG);
    ask(&first).refused(401, "session_invalid");
    let second = log_in(&phone);
    assert_ne!(first, second);
    phone.world.backend.forget();
    assert_eq!(ask(&second).text(), alice);
    told(&phone.world.backend.only_seen(), &whole);
}

#[test]
fn whatever_a_client_pretends_it_is_told_of_the_session_alone() {
    let phone = Phone::around("cloudrun", template());
    phone.world.wechat.set_unionid("alice", None);
    let alice = phone.world.openid_of("alice");
    let skey = format!("X-Skey: {}", log_in(&phone));
    let forged = pretended();
    let own: Vec<_> = forged.iter().chain([&skey]).map(String::as_str).collect();
    assert_eq!(phone.request("GET /api/wx_openid", &own, "").text(), alice);
    told(
        &phone.world.backend.only_seen(),
        &[&alice, APPID, "wx_client"],
    );
}

#[test]
fn without_a_session_it_is_told_nothing_not_even_a_source() {
    let phone = Phone::around("cloudrun", template());
    let skey = format!("X-Skey: {}", log_in(&phone));
    let forged = pretended();
    let own: Vec<_> = forged.iter().chain([&skey]).map(String::as_str).collect();
    let answer = phone.request("GET /", &own, "");
    assert_eq!(answer.text(), "<title>微信云托管</title>");
    told(&phone.world.backend.only_seen(), &[]);
    phone.world.backend.forget();
    let anonymous: Vec<_> = forged.iter().map(String::as_str).collect();
    let refused = phone.request("GET /api/wx_openid", &anonymous, "");
    refused.refused(401, "session_missing");
    assert!(phone.world.backend.seen().is_empty());
}

#[test]
fn its_other_headers_are_the_clients_own() {
    let phone = Phone::around("cloudrun", template());
    let own = [
        "X-WX-Id: i",
        "X-WX-Skey: s",
        "X-WX-Code: c",
        "X-WX-Encrypted-Data: d",
        "X-WX-IV: v",
    ];
    phone.request("GET /", &own, "");
    let seen = phone.world.backend.only_seen();
    for header in own {
        let (name, value) = header.split_once(": ").unwrap();
        assert_eq!(seen.values(name), [value], "{}", seen.head);
    }
}
