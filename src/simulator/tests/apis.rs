//! The APIs that need an access token, and the one that gives it.

use serde_json::json;

use super::*;

fn post(simulator: &Simulator, target: &str, body: &Value) -> Value {
    let (head, body) = ask_with(simulator, "POST", target, &body.to_string()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    serde_json::from_str(&body).unwrap()
}

fn stable_token(simulator: &Simulator, force: bool) -> Value {
    let asked = json!({
        "grant_type": "client_credential",
        "appid": APPID,
        "secret": SECRET,
        "force_refresh": force,
    });
    post(simulator, "/cgi-bin/stable_token", &asked)
}

fn token(simulator: &Simulator, force: bool) -> String {
    let answer = stable_token(simulator, force);
    answer["access_token"].as_str().unwrap().to_owned()
}

fn number(simulator: &Simulator, token: &str, code: &str) -> Value {
    let target = format!("/wxa/business/getuserphonenumber?access_token={token}");
    post(simulator, &target, &json!({ "code": code }))
}

fn check(simulator: &Simulator, token: &str, openid: &str, signature: &str) -> Value {
    let target = format!(
        "/wxa/checksession?access_token={token}&openid={openid}&signature={signature}&sig_method=hmac_sha256"
    );
    let (_, body) = ask(simulator, "GET", &target).unwrap();
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_token_stays_the_same_until_five_minutes_before_its_end() {
    let simulator = simulator();
    let first = token(&simulator, false);
    simulator.age_tokens(Duration::from_mins(100));
    let again = stable_token(&simulator, false);
    assert_eq!(again["access_token"], first);
    let left = again["expires_in"].as_u64().unwrap();
    assert!((1190..=1200).contains(&left), "{left}");
    simulator.age_tokens(Duration::from_mins(16));
    let second = token(&simulator, false);
    assert_ne!(first, second);
    assert_eq!(simulator.access_token_of(APPID), Some(second.clone()));
    let known = |token: &str| number(&simulator, token, "x")["errcode"] == 40029;
    assert!(known(&first) && known(&second), "the old one lives on");
    simulator.age_tokens(Duration::from_mins(5));
    assert_eq!(number(&simulator, &first, "x")["errcode"], 42001);
    assert!(known(&second));
}

#[test]
fn a_token_can_be_forced_and_the_old_one_lives_for_five_minutes() {
    let simulator = simulator();
    let [first, second] = [false, true].map(|force| token(&simulator, force));
    assert_ne!(first, second);
    assert_eq!(simulator.forced_tokens(), 1);
    assert_eq!(number(&simulator, &first, "x")["errcode"], 40029);
    simulator.age_tokens(Duration::from_mins(5));
    assert_eq!(number(&simulator, &first, "x")["errcode"], 42001);
    assert_eq!(number(&simulator, &second, "x")["errcode"], 40029);
}

#[test]
fn a_token_is_refused_as_told_and_given_again_only_if_it_is_spoiled() {
    let simulator = simulator();
    let first = token(&simulator, false);
    simulator.spoil_token(APPID, 40014);
    assert_eq!(number(&simulator, &first, "x")["errcode"], 40014);
    assert_eq!(token(&simulator, false), first);
    let second = token(&simulator, true);
    simulator.revoke_token(APPID, 40001);
    assert_eq!(number(&simulator, &second, "x")["errcode"], 40001);
    assert_ne!(token(&simulator, false), second);
}

#[test]
fn what_is_missing_or_wrong_has_its_errcode() {
    let simulator = simulator();
    let good = json!({"grant_type": "client_credential", "appid": APPID, "secret": SECRET});
    for (field, value, errcode) in [
        ("grant_type", json!("authorization_code"), 40002),
        ("appid", json!(null), 41002),
        ("secret", json!(null), 41004),
        ("appid", json!("wxunknown"), 40013),
        ("secret", json!("wrong"), 40125),
    ] {
        let mut asked = good.clone();
        asked[field] = value;
        let answer = post(&simulator, "/cgi-bin/stable_token", &asked);
        assert_eq!(answer["errcode"], errcode, "{field}");
    }
    let long = "t".repeat(513);
    for (token, errcode) in [("", 41001), ("unknown", 40001), (&long, 40014)] {
        assert_eq!(number(&simulator, token, "x")["errcode"], errcode);
    }
}

#[test]
fn a_phone_code_gives_the_number_once() {
    let simulator = simulator();
    let token = token(&simulator, false);
    let (_, code) = ask(
        &simulator,
        "POST",
        "/simulator/phone-code?number=13800138000",
    )
    .unwrap();
    assert_eq!(code.len(), 64);
    let answer = number(&simulator, &token, &code);
    let info = &answer["phone_info"];
    assert_eq!(info["phoneNumber"], "13800138000");
    assert_eq!(info["purePhoneNumber"], "13800138000");
    assert_eq!(info["countryCode"], "86");
    assert_eq!(info["watermark"]["appid"], APPID);
    assert_eq!(number(&simulator, &token, &code)["errcode"], 40029);

    let code = simulator.issue_phone_code("+1-2025550123");
    let answer = number(&simulator, &token, &code);
    assert_eq!(answer["phone_info"]["phoneNumber"], "+12025550123");
    assert_eq!(answer["phone_info"]["purePhoneNumber"], "2025550123");
    assert_eq!(answer["phone_info"]["countryCode"], "1");
    let old = simulator.issue_phone_code("13800138000");
    simulator.age_codes(Duration::from_mins(5));
    assert_eq!(number(&simulator, &token, &old)["errcode"], 40029);
    let (head, _) = ask(&simulator, "POST", "/simulator/phone-code").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[test]
fn a_key_is_good_until_another_takes_its_place() {
    let simulator = simulator();
    let token = token(&simulator, false);
    exchange(&simulator, &simulator.issue_code("alice"));
    let openid = simulator.openid_of(APPID, "alice");
    let signature = seal::sign_nothing(&simulator.session_key_of(APPID, "alice"));
    let check = |openid: &str| check(&simulator, &token, openid, &signature)["errcode"].clone();
    assert_eq!(check(&openid), 0);
    assert_eq!(check(&simulator.openid_of(APPID, "bob")), 40003);
    simulator.renew_key(APPID, "alice");
    assert_eq!(check(&openid), 87009);
}

#[test]
fn each_api_counts_and_behaves_for_itself() {
    let simulator = simulator();
    simulator.behave_at(Api::AccessToken, Behaviour::Errcode(7));
    simulator.behave_next_at(Api::SessionKey, 1, Behaviour::Busy);
    assert_eq!(stable_token(&simulator, false)["errcode"], 7);
    assert_eq!(check(&simulator, "t", "o", "s")["errcode"], -1);
    assert_eq!(check(&simulator, "t", "o", "s")["errcode"], 40001);
    let user = exchange(&simulator, &simulator.issue_code("alice"));
    assert_eq!(user.get("errcode"), None);
    let apis = [
        Api::Login,
        Api::AccessToken,
        Api::SessionKey,
        Api::PhoneNumber,
    ];
    assert_eq!(apis.map(|api| simulator.calls_at(api)), [1, 1, 2, 0]);
    assert!(simulator.arrived_blocking_at(Api::SessionKey, 2));
}
