//! What operators read, after what was counted.

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;
use http::StatusCode;

fn metrics(workers: usize) -> Metrics {
    let labels = Labels {
        routes: vec!["/wx/login".into(), "GET /a\"b/*".into()],
        apps: vec!["shop".into(), "club".into()],
        upstreams: vec!["php".into()],
    };
    Metrics::new(labels, workers)
}

fn line<'a>(page: &'a str, start: &str) -> &'a str {
    let mut lines = page.lines().filter(|line| line.starts_with(start));
    let found = lines
        .next()
        .unwrap_or_else(|| panic!("no {start} in:\n{page}"));
    assert_eq!(lines.next(), None, "two of {start}");
    found
}

fn assert_has(page: &str, expected: &str) {
    let hit = page.lines().any(|line| line == expected);
    assert!(hit, "no line `{expected}` in:\n{page}");
}

#[test]
fn the_names_are_those_that_dashboards_rely_on() {
    let metrics = metrics(1);
    let worker = &metrics.workers()[0];
    worker.request(Some(0), StatusCode::OK, Duration::ZERO);
    worker.websocket_opened(Some(0));
    metrics.login(0, "ok");
    metrics.wechat_call(0, "ok", Duration::ZERO);
    metrics.watch_dropped_lines(|| 7);
    metrics.state_saved(true, 12);
    let page = metrics.encode();
    let samples = [
        r#"wxgate_requests_total{route="/wx/login",status="200"} 1"#,
        r#"wxgate_request_duration_seconds_count{route="/wx/login"} 1"#,
        r#"wxgate_websockets{route="/wx/login"} 1"#,
        r#"wxgate_refusals_total{code="session_missing"} 0"#,
        r#"wxgate_logins_total{app="shop",outcome="ok"} 1"#,
        r#"wxgate_wechat_requests_total{app="shop",outcome="ok"} 1"#,
        r#"wxgate_wechat_request_duration_seconds_count{app="shop"} 1"#,
        r#"wxgate_sessions{app="club"} 0"#,
        r#"wxgate_upstream_requests_total{upstream="php",outcome="ok"} 0"#,
        r#"wxgate_upstream_connections{upstream="php",state="idle"} 0"#,
        "wxgate_connections 0",
        r#"wxgate_state_saves_total{outcome="failed"} 0"#,
        "wxgate_state_saved_timestamp_seconds 12",
        r#"wxgate_store_requests_total{op="find",outcome="ok"} 0"#,
        "wxgate_store_up 1",
        "wxgate_log_lines_dropped_total 7",
    ];
    for sample in samples {
        assert_has(&page, sample);
    }
    let typed = page.lines().filter(|line| line.starts_with("# TYPE "));
    assert_eq!(typed.count(), samples.len());
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn what_the_workers_counted_is_added_up() {
    let metrics = metrics(2);
    for worker in metrics.workers() {
        worker.request(Some(0), StatusCode::OK, Duration::from_millis(3));
        let now = Timestamp::from_millis(1);
        worker.refusal(RefusalCode::Overloaded, "full", Some(0), now);
        worker.upstream_request(0, UpstreamOutcome::Retried);
        worker.connection_opened();
        worker.websocket_opened(Some(0));
        // A route that there is not.
        worker.websocket_opened(Some(9));
    }
    metrics.workers()[0].websocket_closed(Some(0));
    metrics.workers()[1].request(Some(0), StatusCode::NOT_FOUND, Duration::from_millis(3));
    metrics.workers()[1].connection_closed();
    let page = metrics.encode();
    assert_has(&page, r#"wxgate_websockets{route="/wx/login"} 1"#);
    assert_has(
        &page,
        r#"wxgate_requests_total{route="/wx/login",status="200"} 2"#,
    );
    assert_has(
        &page,
        r#"wxgate_requests_total{route="/wx/login",status="404"} 1"#,
    );
    assert_has(&page, r#"wxgate_refusals_total{code="overloaded"} 2"#);
    assert_has(
        &page,
        r#"wxgate_upstream_requests_total{upstream="php",outcome="retried"} 2"#,
    );
    assert_has(&page, "wxgate_connections 1");
}

#[test]
fn buckets_are_cumulative_over_workers() {
    let metrics = metrics(2);
    let [one, two] = metrics.workers() else {
        panic!("two workers");
    };
    one.request(Some(0), StatusCode::OK, Duration::from_micros(400));
    two.request(Some(0), StatusCode::OK, Duration::from_millis(2));
    two.request(Some(0), StatusCode::OK, Duration::from_mins(1));
    let page = metrics.encode();
    let bucket = |le: &str| {
        let start =
            format!(r#"wxgate_request_duration_seconds_bucket{{le="{le}",route="/wx/login"}} "#);
        line(&page, &start)[start.len()..].to_owned()
    };
    assert_eq!(bucket("0.0005"), "1");
    assert_eq!(bucket("0.001"), "1");
    assert_eq!(bucket("0.0025"), "2");
    assert_eq!(bucket("10.0"), "2");
    assert_eq!(bucket("+Inf"), "3");
    assert_has(
        &page,
        r#"wxgate_request_duration_seconds_count{route="/wx/login"} 3"#,
    );
    assert_has(
        &page,
        r#"wxgate_request_duration_seconds_sum{route="/wx/login"} 60.0024"#,
    );
}

#[test]
fn a_request_without_a_route_or_with_an_unknown_one_counts_under_none() {
    let metrics = metrics(1);
    let worker = &metrics.workers()[0];
    worker.request(None, StatusCode::NOT_FOUND, Duration::ZERO);
    worker.request(Some(99), StatusCode::NOT_FOUND, Duration::ZERO);
    assert_has(
        &metrics.encode(),
        r#"wxgate_requests_total{route="none",status="404"} 2"#,
    );
}

#[test]
fn an_unknown_app_or_upstream_changes_nothing() {
    let metrics = metrics(1);
    let before = metrics.encode();
    metrics.login(9, "ok");
    metrics.wechat_call(9, "ok", Duration::ZERO);
    metrics.session_opened(9);
    metrics.session_closed(9);
    let worker = &metrics.workers()[0];
    worker.upstream_request(9, UpstreamOutcome::Ok);
    worker.upstream_connection_opened(9);
    worker.upstream_connection_taken(9);
    worker.upstream_connection_returned(9);
    worker.upstream_connection_closed(9);
    assert_eq!(metrics.encode(), before);
}

#[test]
fn sessions_rise_and_fall_by_app() {
    let metrics = metrics(0);
    metrics.session_opened(1);
    metrics.session_opened(1);
    metrics.session_closed(1);
    let page = metrics.encode();
    assert_has(&page, r#"wxgate_sessions{app="shop"} 0"#);
    assert_has(&page, r#"wxgate_sessions{app="club"} 1"#);
}

#[test]
fn a_connection_to_an_upstream_is_active_while_it_is_taken() {
    let metrics = metrics(2);
    let shown = |active: i64, idle: i64| {
        let page = metrics.encode();
        let of =
            |state| format!(r#"wxgate_upstream_connections{{upstream="php",state="{state}"}} "#);
        assert_has(&page, &format!("{}{active}", of("active")));
        assert_has(&page, &format!("{}{idle}", of("idle")));
    };
    let [one, two] = metrics.workers() else {
        panic!("two workers");
    };
    one.upstream_connection_opened(0);
    two.upstream_connection_opened(0);
    shown(0, 2);
    one.upstream_connection_taken(0);
    shown(1, 1);
    one.upstream_connection_returned(0);
    one.upstream_connection_closed(0);
    shown(0, 1);
}

#[test]
fn a_label_cannot_break_its_line() {
    let metrics = metrics(1);
    metrics.workers()[0].request(Some(1), StatusCode::OK, Duration::ZERO);
    assert_has(
        &metrics.encode(),
        r#"wxgate_requests_total{route="GET /a\"b/*",status="200"} 1"#,
    );
}

#[test]
fn dropped_log_lines_show_once_somebody_counts_them() {
    let metrics = metrics(0);
    assert!(!metrics.encode().contains("wxgate_log_lines_dropped"));
    metrics.watch_dropped_lines(|| 3);
    metrics.watch_dropped_lines(|| 4);
    assert_has(&metrics.encode(), "wxgate_log_lines_dropped_total 3");
}
