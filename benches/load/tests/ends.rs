//! Both ends of a measurement, with nothing between them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use wxgate_load::backend;
use wxgate_load::load::{self, Pace, Plan, Protocol, Report, Requests, Target};

#[test]
fn every_answer_arrives_whole_in_a_closed_loop() {
    let requests = Requests::new(
        &targets(&["/bytes/102400"]),
        0,
        "X-Skey: {}",
        &["a".to_owned()],
    );
    let report = run(requests, Pace::Closed);
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.answers >= 500, "{report:?}");
    assert_eq!(report.body_bytes, report.answers * 102_400);
}

#[test]
fn every_post_is_read_whole_and_answered_in_an_open_loop() {
    let requests = Requests::new(&targets(&["/bytes/1024"]), 64 << 10, "X-Skey: {}", &[]);
    let report = run(requests, Pace::Open(Duration::from_micros(200)));
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.answers >= 500, "{report:?}");
    assert_eq!(report.body_bytes, report.answers * 1024);
}

#[test]
fn what_the_backend_does_not_have_counts_as_failed() {
    let requests = Requests::new(&targets(&["/nothing"]), 0, "X-Skey: {}", &[]);
    let report = run(requests, Pace::Closed);
    assert_eq!(report.failed(), report.answers, "{report:?}");
}

#[test]
fn targets_are_asked_for_in_turn_below_any_path() {
    let targets = targets(&["/a/bytes/10", "/b/c/bytes/1000"]);
    let report = run(Requests::new(&targets, 0, "X-Skey: {}", &[]), Pace::Closed);
    assert_eq!(report.failed(), 0, "{report:?}");
    let pairs = report.answers / 2;
    assert!(
        (pairs * 1010..=pairs * 1010 + 1000).contains(&report.body_bytes),
        "{report:?}"
    );
}

#[test]
fn what_is_to_be_asked_once_is_asked_once() {
    for pace in [Pace::Closed, Pace::Open(Duration::from_micros(200))] {
        let requests = Requests::once(&Target::path("/bytes/7"), ["a=1", "a=2", "a=3"].into_iter());
        let window = Duration::from_millis(200);
        let report = load::run(
            &Plan {
                window,
                ..plan(pace)
            },
            requests,
            || Ok(()),
        )
        .unwrap();
        assert_eq!((report.answers, report.failed()), (3, 0), "{report:?}");
    }
}

#[test]
fn connections_are_held_after_they_have_asked_once_or_twice() {
    for ask_again in [false, true] {
        let requests = Requests::new(&targets(&["/bytes/7"]), 0, "X-Skey: {}", &[]);
        let mut is_held = false;
        load::hold(&plan(Pace::Closed), requests, ask_again, || {
            is_held = true;
            Ok(())
        })
        .unwrap();
        assert!(is_held);
        let requests = Requests::new(&targets(&["/nothing"]), 0, "X-Skey: {}", &[]);
        let error = load::hold(&plan(Pace::Closed), requests, ask_again, || Ok(()));
        assert_eq!(error.unwrap_err().to_string(), "a request failed");
    }
}

/// Asks for 500 answers on 8 connections.
fn run(requests: Requests, pace: Pace) -> Report {
    load::run(&plan(pace), requests, || Ok(())).unwrap()
}

fn plan(pace: Pace) -> Plan {
    Plan {
        target: start_backend(),
        tls: None,
        protocol: Protocol::Http1,
        connections: 8,
        anew: false,
        pace,
        warm_up: Duration::ZERO,
        window: Duration::from_mins(1),
        most: 500,
    }
}

fn targets(paths: &[&str]) -> Vec<Target> {
    paths.iter().copied().map(Target::path).collect()
}

fn start_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || backend::serve(&listener, Duration::ZERO));
    address
}
