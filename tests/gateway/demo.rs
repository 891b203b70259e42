//! `wxgate demo`: what it prints is pasted into a shell as it stands, and shows what it promises.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Process, wxgate};

#[test]
fn the_walk_through_shows_what_it_promises_beside_another_demo() {
    let (_another, taken) = start();
    let (demo, gateway) = start();
    assert_ne!(gateway, taken);
    let steps = paste(&walk_through(&demo.text()));
    let [code, login, orders, forged, refused, session, operator] = &steps[..] else {
        panic!("{steps:#?}");
    };
    assert_eq!(code, "");

    let login: Value = serde_json::from_str(login).unwrap();
    let a_week = 604_800;
    assert!(
        (a_week - 86_400..=a_week).contains(&login["expires_in"].as_u64().unwrap()),
        "{login}"
    );

    let orders = only(orders);
    assert_eq!(
        (&orders["method"], &orders["target"]),
        (&"GET".into(), &"/orders?page=2".into())
    );
    let [openid] = &openids(&orders)[..] else {
        panic!("{orders:#}");
    };
    assert_eq!(openid.len(), 28);
    let skey = login["skey"].as_str().unwrap();
    assert!(!orders.to_string().contains(skey), "{orders:#}");

    let forged = only(forged);
    assert_eq!(openids(&forged), [openid.as_str()]);
    assert!(!forged.to_string().contains("boss"), "{forged:#}");

    let [refused, open] = &values(refused)[..] else {
        panic!("{refused}");
    };
    assert_eq!(refused["error"], "session_missing");
    assert_eq!(
        (&open["target"], openids(open)),
        (&"/open/news".into(), vec![])
    );

    let [check, logout, after] = &values(session)[..] else {
        panic!("{session}");
    };
    assert_eq!(check["valid"], true);
    assert_eq!(logout, &json!({}));
    assert_eq!(after["error"], "session_invalid");

    for series in [
        "wxgate_logins_total{app=\"shop\",outcome=\"ok\"} 1",
        "wxgate_refusals_total{code=\"session_missing\"} 1",
        "wxgate_refusals_total{code=\"session_invalid\"} 1",
    ] {
        assert!(operator.lines().any(|line| line == series), "{operator}");
    }

    demo.signal("INT");
    let ended = demo.wait();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

/// A demo that has greeted, and where its gateway is.
#[track_caller]
fn start() -> (Process, String) {
    let demo = Process::start(wxgate(&["demo"]), "cargo builds it with the tests");
    demo.line("end of the walk-through", |line| {
        line == "Ctrl-C ends the demo."
    });
    let greeting = "wxgate demo: gateway ";
    let line = demo.line("greeting", |line| line.starts_with(greeting));
    let gateway = line.trim_start_matches(greeting).split(',').next();
    (demo, gateway.unwrap().to_owned())
}

/// The lines to paste, as they are printed.
fn walk_through(printed: &str) -> String {
    let begin = printed.find("# 1.").unwrap();
    let end = printed.find("Ctrl-C ends the demo.").unwrap();
    printed[begin..end].to_owned()
}

/// Pastes `lines` into a shell, and gives what each step shows on both outputs.
#[track_caller]
fn paste(lines: &str) -> Vec<String> {
    const BORDER: &str = "---- the next step";
    let mark = |line: &str| {
        // A comment does nothing, so that a word of our own may stand in its place.
        let is_step = line.starts_with("# ");
        if is_step {
            format!("echo '{BORDER}'\n")
        } else {
            format!("{line}\n")
        }
    };
    let script: String = lines.lines().map(mark).collect();
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("exec 2>&1\n{script}")]);
    let ended = Process::run(shell);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (Some(0), ""),
        "{}",
        ended.out
    );
    let steps = ended.out.split(BORDER).skip(1);
    steps.map(|step| step.trim().to_owned()).collect()
}

/// The JSON values that stand one after the other.
#[track_caller]
fn values(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values
        .map(|value| value.unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect()
}

#[track_caller]
fn only(text: &str) -> Value {
    let mut values = values(text);
    assert_eq!(values.len(), 1, "{text}");
    values.remove(0)
}

/// The openids among the headers that the sample backend shows.
fn openids(shown: &Value) -> Vec<String> {
    let headers = shown["headers"].as_array().unwrap().iter();
    let headers = headers.map(|header| header.as_str().unwrap().split_once(": ").unwrap());
    let named = headers.filter(|(name, _)| name.replace(['_', '.'], "-") == "x-openid");
    named.map(|(_, value)| value.to_owned()).collect()
}
