//! Both ends of a measurement, with nothing between them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use wxgate_load::backend;
use wxgate_load::load::{self, Pace, Plan, Report, Requests};

#[test]
fn every_answer_arrives_whole_in_a_closed_loop() {
    let requests = Requests::new("/bytes/102400", 0, "X-Skey: {}", &["a".to_owned()]);
    let report = run(requests, Pace::Closed);
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.answers >= 500, "{report:?}");
    assert_eq!(report.body_bytes, report.answers * 102_400);
}

#[test]
fn every_post_is_read_whole_and_answered_in_an_open_loop() {
    let requests = Requests::new("/bytes/1024", 64 << 10, "X-Skey: {}", &[]);
    let report = run(requests, Pace::Open(Duration::from_micros(200)));
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.answers >= 500, "{report:?}");
    assert_eq!(report.body_bytes, report.answers * 1024);
}

#[test]
fn what_the_backend_does_not_have_counts_as_failed() {
    let requests = Requests::new("/nothing", 0, "X-Skey: {}", &[]);
    let report = run(requests, Pace::Closed);
    assert_eq!(report.failed(), report.answers, "{report:?}");
}

/// Asks for 500 answers on 8 connections.
fn run(requests: Requests, pace: Pace) -> Report {
    let plan = Plan {
        target: start_backend(),
        tls: None,
        connections: 8,
        pace,
        warm_up: Duration::ZERO,
        window: Duration::from_mins(1),
        most: 500,
    };
    load::run(&plan, requests, || Ok(())).unwrap()
}

fn start_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || backend::serve(&listener, Duration::ZERO));
    address
}
