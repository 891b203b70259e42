//! The simulator, driven over loopback.

mod apis;

use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "the-app-secret";

fn simulator() -> Simulator {
    let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    simulator.register_app(APPID, SECRET);
    simulator
}

/// Speaks HTTP by hand, since nothing of ours is to stand between; gives head and body.
fn ask(simulator: &Simulator, method: &str, target: &str) -> io::Result<(String, String)> {
    ask_with(simulator, method, target, "")
}

/// The same with a body.
fn ask_with(
    simulator: &Simulator,
    method: &str,
    target: &str,
    body: &str,
) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(simulator.address)?;
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    Ok((head.to_owned(), body.to_owned()))
}

fn target(code: &str) -> String {
    format!(
        "/sns/jscode2session?appid={APPID}&secret={SECRET}&js_code={code}&grant_type=authorization_code"
    )
}

/// Exchanges a code; gives the answer as JSON.
fn exchange(simulator: &Simulator, code: &str) -> Value {
    let (head, body) = ask(simulator, "GET", &target(code)).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain"), "{head}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn a_code_gives_the_user_once() {
    let simulator = simulator();
    let code = simulator.issue_code("alice");
    let user = exchange(&simulator, &code);
    assert_eq!(user["openid"], simulator.openid_of(APPID, "alice"));
    assert_eq!(user["openid"].as_str().unwrap().len(), 28);
    assert_eq!(
        user["session_key"],
        simulator.session_key_of(APPID, "alice")
    );
    assert_eq!(user["session_key"].as_str().unwrap().len(), 24);
    assert_eq!(user.get("errcode"), None);
    assert_eq!(user.get("unionid"), None);

    let again = exchange(&simulator, &code);
    assert_eq!(again["errcode"], 40163);
    let errmsg = again["errmsg"].as_str().unwrap();
    assert!(errmsg.starts_with("code been used, rid: "), "{errmsg}");
    assert_eq!(simulator.calls(), 2);
}

#[test]
fn a_code_is_good_for_five_minutes() {
    let simulator = simulator();
    let [young, old] = [(); 2].map(|()| simulator.issue_code("alice"));
    simulator.age_codes(Duration::from_mins(4));
    assert_eq!(exchange(&simulator, &young).get("errcode"), None);
    simulator.age_codes(Duration::from_mins(1));
    assert_eq!(exchange(&simulator, &old)["errcode"], 40029);
}

#[test]
fn what_is_missing_or_wrong_has_its_errcode() {
    let simulator = simulator();
    let all = target(&simulator.issue_code("alice"));
    for (part, instead, errcode) in [
        (APPID, "", 41002),
        (SECRET, "", 41004),
        ("js_code", "code", 41008),
        ("authorization_code", "client_credential", 40002),
        (APPID, "wxunknown", 40013),
        (SECRET, "wrong", 40125),
        ("js_code=", "js_code=wrong", 40029),
    ] {
        let (_, body) = ask(&simulator, "GET", &all.replace(part, instead)).unwrap();
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(answer["errcode"], errcode, "{part} → {instead}");
    }
    let (_, body) = ask(&simulator, "GET", &all).unwrap();
    assert!(body.contains("openid"), "the code is still good: {body}");
}

#[test]
fn keys_are_renewed_only_if_told() {
    let simulator = simulator();
    let key = || simulator.session_key_of(APPID, "alice");
    let first = key();
    exchange(&simulator, &simulator.issue_code("alice"));
    assert_eq!(key(), first);
    simulator.renew_keys(true);
    let user = exchange(&simulator, &simulator.issue_code("alice"));
    assert_ne!(key(), first);
    assert_eq!(user["session_key"], key());
}

#[test]
fn a_unionid_comes_and_goes() {
    let simulator = simulator();
    simulator.set_unionid("alice", Some("uAlice"));
    let user = exchange(&simulator, &simulator.issue_code("alice"));
    assert_eq!(user["unionid"], "uAlice");
    simulator.set_unionid("alice", None);
    let user = exchange(&simulator, &simulator.issue_code("alice"));
    assert_eq!(user.get("unionid"), None);
}

#[test]
fn codes_are_also_given_at_the_door() {
    let simulator = simulator();
    let (_, code) = ask(&simulator, "POST", "/simulator/code?user=alice").unwrap();
    let user = exchange(&simulator, &code);
    assert_eq!(user["openid"], simulator.openid_of(APPID, "alice"));
    let (head, _) = ask(&simulator, "POST", "/simulator/code").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    let (head, _) = ask(&simulator, "GET", "/simulator/code?user=alice").unwrap();
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert_eq!(simulator.calls(), 1);
}

#[test]
fn what_a_user_gives_of_themselves_is_given_at_the_door_too() {
    let simulator = simulator();
    let target = format!("/simulator/user-info?appid={APPID}&user=alice");
    let (_, given) = ask(&simulator, "POST", &target).unwrap();
    let given: Value = serde_json::from_str(&given).unwrap();
    let raw_data = given["rawData"].as_str().unwrap();
    assert_eq!(
        given["signature"],
        simulator.signed(APPID, "alice", raw_data)
    );
    assert_eq!(
        serde_json::from_str::<Value>(raw_data).unwrap(),
        given["userInfo"]
    );
    assert_eq!(given["userInfo"]["nickName"], "alice");
    assert!(given["encryptedData"].is_string() && given["iv"].is_string());
    let (head, _) = ask(&simulator, "POST", "/simulator/user-info?user=alice").unwrap();
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
}

#[test]
fn a_reset_is_a_reset() {
    let simulator = simulator();
    simulator.behave_next(1, Behaviour::Reset);
    let error = ask(&simulator, "GET", &target("any")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(exchange(&simulator, "any")["errcode"], 40029);
}

#[test]
fn a_code_of_one_app_is_none_for_another_and_stays_good() {
    let simulator = simulator();
    let code = simulator.issue_code_of("wxfedcba9876543210", "alice");
    assert_eq!(exchange(&simulator, &code)["errcode"], 40029);
    let code = simulator.issue_code_of(APPID, "alice");
    let other = target(&code).replace(APPID, "wxfedcba9876543210");
    simulator.register_app("wxfedcba9876543210", SECRET);
    let (_, body) = ask(&simulator, "GET", &other).unwrap();
    assert!(body.contains("40029"), "{body}");
    let user = exchange(&simulator, &code);
    assert_eq!(user["openid"], simulator.openid_of(APPID, "alice"));
}

#[test]
fn a_busy_wechat_spares_the_code() {
    let simulator = simulator();
    let code = simulator.issue_code("alice");
    simulator.behave_next(1, Behaviour::Busy);
    simulator.behave_next(1, Behaviour::RateLimited);
    simulator.behave_next(1, Behaviour::Errcode(7));
    for errcode in [-1, 45011, 7] {
        assert_eq!(exchange(&simulator, &code)["errcode"], errcode);
    }
    assert_eq!(exchange(&simulator, &code).get("errcode"), None);
}

#[test]
fn held_answers_wait_for_their_release() {
    let simulator = simulator();
    simulator.behave(Behaviour::Held);
    let code = simulator.issue_code("alice");
    std::thread::scope(|scope| {
        let calls = [(); 2].map(|()| scope.spawn(|| exchange(&simulator, &code)));
        assert!(simulator.arrived_blocking(2));
        assert!(calls.iter().all(|call| !call.is_finished()));
        simulator.release();
        let answers = calls.map(|call| call.join().unwrap());
        let good = answers
            .iter()
            .filter(|answer| answer.get("errcode").is_none());
        assert_eq!(good.count(), 1, "the code works once: {answers:?}");
    });
}

#[test]
fn a_dropped_simulator_is_gone_even_with_a_call_that_hangs() {
    let simulator = simulator();
    simulator.behave(Behaviour::Hang);
    let mut stream = TcpStream::connect(simulator.address).unwrap();
    write!(
        stream,
        "GET {} HTTP/1.1\r\nHost: sim\r\n\r\n",
        target("any")
    )
    .unwrap();
    assert!(simulator.arrived_blocking(1));
    let address = simulator.address;
    drop(simulator);
    let mut rest = Vec::new();
    let _closed_or_reset = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}
