//! WeChat refuses, is slow, breaks off, or says what it never should, of tokens and of numbers.

use super::*;

/// `[wechat]` of the base config, to be replaced by one with less patience.
const PATIENT: &str = "timeout = \"5s\"\ndeadline = \"10s\"";
const IMPATIENT: &str = "timeout = \"500ms\"\ndeadline = \"800ms\"";

pub(super) fn troubles() -> [Behaviour; 8] {
    [
        Behaviour::Errcode(40029),
        Behaviour::Errcode(99999),
        Behaviour::Html,
        Behaviour::HalfJson,
        Behaviour::Nothing,
        Behaviour::Huge,
        Behaviour::Reset,
        Behaviour::Status(500),
    ]
}

fn impatient() -> World {
    let last = "[[routes]]\npath = \"/*\"\n";
    World::where_config(&[(PATIENT, IMPATIENT), (last, &format!("{ROUTES}\n{last}"))])
}

#[test]
fn every_errcode_of_a_number_becomes_its_refusal_after_one_call() {
    let invalid = (400, "phone_code_invalid", None);
    let limited = (503, "wechat_unavailable", Some("60"));
    let unknown = (503, "wechat_unavailable", Some("5"));
    let misconfigured = (502, "gateway_misconfigured", None);
    let world = world();
    let skey = world.skey_of("alice");
    for (errcode, (status, code, retry_after)) in [
        (40029, invalid),
        (40163, invalid),
        (45009, limited),
        (45011, limited),
        (40226, unknown),
        (87009, unknown),
        (i64::MIN, unknown),
        (40013, misconfigured),
        (40125, misconfigured),
        (40164, misconfigured),
        (48001, misconfigured),
    ] {
        let before = world.wechat.calls_at(Api::PhoneNumber);
        world
            .wechat
            .behave_next_at(Api::PhoneNumber, 1, Behaviour::Errcode(errcode));
        let answer = phone(&world, &skey).refused(status, code);
        assert_eq!(answer.header("retry-after"), retry_after, "{errcode}");
        assert_eq!(world.wechat.calls_at(Api::PhoneNumber), before + 1);
    }
    assert!(world.backend.seen().is_empty());
}

#[test]
fn every_errcode_of_a_token_becomes_its_refusal_and_no_code_is_spent() {
    let limited = (503, "wechat_unavailable", Some("60"));
    let unknown = (503, "wechat_unavailable", Some("5"));
    let misconfigured = (502, "gateway_misconfigured", None);
    let world = world();
    let skey = world.skey_of("alice");
    for (errcode, (status, code, retry_after)) in [
        (40001, misconfigured),
        (40013, misconfigured),
        (40125, misconfigured),
        (40164, misconfigured),
        (41002, misconfigured),
        (41004, misconfigured),
        (45009, limited),
        (45011, limited),
        (40014, unknown),
        (42001, unknown),
        (99999, unknown),
    ] {
        let before = world.wechat.calls_at(Api::AccessToken);
        world
            .wechat
            .behave_next_at(Api::AccessToken, 1, Behaviour::Errcode(errcode));
        let answer = phone(&world, &skey).refused(status, code);
        assert_eq!(answer.header("retry-after"), retry_after, "{errcode}");
        assert_eq!(world.wechat.calls_at(Api::AccessToken), before + 1);
    }
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 0);
    assert_eq!(phone(&world, &skey).status, 200);
}

#[test]
fn what_is_not_the_documented_json_is_unavailable_after_one_call() {
    let body = |body: &str| Behaviour::Body(body.to_owned());
    let of_another_app = r#"{"errcode":0,"phone_info":{"phoneNumber":"1","purePhoneNumber":"1","countryCode":"86","watermark":{"appid":"wx2"}}}"#;
    let odd = [
        body("[]"),
        body("{}"),
        body(r#"{"errcode":0,"phone_info":null}"#),
        body(of_another_app),
        Behaviour::Status(404),
    ];
    let world = world();
    let skey = world.skey_of("alice");
    for behaviour in troubles().into_iter().skip(1).chain(odd) {
        for api in [Api::AccessToken, Api::PhoneNumber] {
            if api == Api::AccessToken {
                world.wechat.revoke_token(APPID, 40001);
            }
            let before = world.wechat.calls_at(api);
            world.wechat.behave_next_at(api, 1, behaviour.clone());
            let answer = phone(&world, &skey).refused(503, "wechat_unavailable");
            assert_eq!(answer.header("retry-after"), Some("5"));
            let calls = world.wechat.calls_at(api) - before;
            assert_eq!(calls, 1, "{behaviour:?} {api:?}");
            assert!(!answer.text().contains("wx2"));
        }
    }
    assert!(world.backend.seen().is_empty());
    assert_eq!(phone(&world, &skey).status, 200);
}

#[test]
fn a_busy_wechat_is_asked_again_for_the_token_and_for_the_number() {
    let world = world();
    let skey = world.skey_of("alice");
    for api in [Api::AccessToken, Api::PhoneNumber] {
        world.wechat.behave_next_at(api, 1, Behaviour::Busy);
    }
    assert_eq!(phone(&world, &skey).status, 200);
    assert_eq!(world.wechat.calls_at(Api::AccessToken), 2);
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 2);
    assert_eq!(world.count(&calls("busy")), 2);
}

#[test]
fn a_wechat_that_never_answers_is_unavailable_after_one_call() {
    let world = impatient();
    let skey = world.skey_of("alice");
    assert_eq!(phone(&world, &skey).status, 200);
    world.wechat.behave_at(Api::PhoneNumber, Behaviour::Hang);
    phone(&world, &skey).refused(503, "wechat_unavailable");
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 2);
    assert_eq!(world.count(&calls("timeout")), 1);
}

#[test]
fn a_token_that_never_comes_is_waited_for_together_and_not_long() {
    let world = impatient();
    let skey = world.skey_of("alice");
    world.wechat.behave_at(Api::AccessToken, Behaviour::Hang);
    phone(&world, &skey).refused(503, "wechat_unavailable");
    assert_eq!(world.count(&calls("timeout")), 1);
    world.wechat.behave_at(Api::AccessToken, Behaviour::Normal);
    assert_eq!(phone(&world, &skey).status, 200);
}

#[test]
fn what_the_operator_must_set_right_is_an_error_in_the_log_with_a_remedy() {
    let world = world();
    let skey = world.skey_of("alice");
    world
        .wechat
        .behave_at(Api::AccessToken, Behaviour::Errcode(40164));
    phone(&world, &skey).refused(502, "gateway_misconfigured");
    let line = world.log.line("an error", |line| line["level"] == "ERROR");
    assert_eq!(line["app"], "shop");
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.contains("40164"), "{reason}");
    assert!(reason.contains("IP allowlist"), "{reason}");
}

#[test]
fn a_number_whose_backend_does_not_answer_is_not_sent_twice() {
    let world = World::around(
        &format!("{}\n{ROUTES}", crate::harness::BASE),
        crate::harness::Backend::that(|conversation| {
            conversation.read_request();
        }),
    );
    let skey = world.skey_of("alice");
    phone(&world, &skey).refused(502, "upstream_failed");
    assert_eq!(world.wechat.calls_at(Api::PhoneNumber), 1);
    assert_eq!(world.backend.connections(), 1);
}
