//! The operator's listener, driven over loopback.

use super::readiness::Phase;
use super::*;
use crate::config::plan::{SessionsPlan, WechatPlan};
use crate::domain::clock::Clock;
use crate::domain::session::SessionLimits;
use crate::metrics::Labels;
use crate::store::Store;
use crate::wechat::{KeyChecks, Prover, WeChat};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// An operator's listener on loopback, and the handles that its answers depend on.
struct Site {
    addr: SocketAddr,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Site {
    async fn open(token: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let metrics = Arc::new(Metrics::new(Labels::default(), 1));
        let readiness = Readiness::starting();
        let decrypter = decrypter(&metrics);
        let parts = Admin {
            metrics: Arc::clone(&metrics),
            readiness: readiness.clone(),
            token: token.map(Secret::new),
            sessions: Sessions {
                apps: Vec::new(),
                store: decrypter.store.clone(),
            },
            decrypter,
            views: Views::default(),
            clock: Clock::start(),
            state: None,
        };
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, parts, async {
            let _ = stopped.await;
        }));
        Self {
            addr,
            metrics,
            readiness,
            stop,
            served,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// The whole answer to a request with this first line and these headers, each with its line break.
    async fn ask(&self, line: &str, headers: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!("{line} HTTP/1.1\r\nhost: admin\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path}"), "").await
    }
}

/// Opens data for users who have logged in to no app at all.
fn decrypter(metrics: &Arc<Metrics>) -> Decrypter {
    let plan = SessionsPlan {
        store: crate::config::plan::StorePlan::Memory,
        limits: SessionLimits {
            lifetime: Duration::from_hours(1),
            idle: Duration::from_hours(1),
        },
        capacity: 1,
        token: Vec::new(),
        beside: Vec::new(),
        login_replay: Duration::ZERO,
        state: None,
        encryption_keys: Vec::new(),
        max_per_user: None,
        rotation: None,
    };
    let clock = Clock::start();
    let wechat = WechatPlan {
        base_url: "http://127.0.0.1:1".to_owned(),
        timeout: Duration::from_secs(1),
        deadline: Duration::from_secs(1),
        open_data_max_age: None,
    };
    let wechat = WeChat::new(&wechat, clock.clone()).unwrap();
    let key_checks = KeyChecks::new(
        Vec::new(),
        wechat,
        clock.clone(),
        Arc::clone(metrics),
        Handle::current(),
    );
    Decrypter {
        apps: Vec::new(),
        store: Store::memory(&plan, clock.clone(), Arc::clone(metrics)),
        prover: Prover::new(None, clock),
        key_checks: Arc::new(key_checks),
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_gateway_that_answers_lives() {
    let site = Site::open(None).await;
    let answer = site.get("/livez").await;
    assert_eq!((status(&answer), body(&answer)), ("200", "ok"));
}

#[tokio::test]
async fn readiness_follows_the_phases() {
    let site = Site::open(None).await;
    let starting = site.get("/readyz").await;
    assert_eq!((status(&starting), body(&starting)), ("503", "not started"));
    site.readiness.reach(Phase::Ready);
    let ready = site.get("/readyz").await;
    assert_eq!((status(&ready), body(&ready)), ("200", "ready"));
    site.readiness.reach(Phase::Draining);
    let draining = site.get("/readyz?verbose").await;
    assert_eq!((status(&draining), body(&draining)), ("503", "draining"));
}

#[tokio::test]
async fn metrics_are_what_was_counted() {
    let site = Site::open(None).await;
    site.metrics.workers()[0].connection_opened();
    let answer = site.get("/metrics").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0"));
    assert!(
        body(&answer).contains("\nwxgate_connections 1\n"),
        "{answer}"
    );
    assert!(body(&answer).ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_answer_forbids_keeping_and_guessing() {
    let site = Site::open(Some("s3cret")).await;
    for path in ["/livez", "/readyz", "/metrics", "/api/sessions", "/nothing"] {
        let answer = site.get(path).await;
        assert!(answer.contains("cache-control: no-store\r\n"), "{path}");
        assert!(
            answer.contains("x-content-type-options: nosniff\r\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn pages_are_only_read() {
    let site = Site::open(None).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        let answer = site
            .ask(&format!("POST {path}"), "content-length: 0\r\n")
            .await;
        assert_eq!(status(&answer), "405", "{path}");
        assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
    }
    let head = site.ask("HEAD /livez", "").await;
    assert_eq!((status(&head), body(&head)), ("200", ""));
    assert!(head.contains("content-length: 2\r\n"), "{head}");
}

#[tokio::test]
async fn what_is_no_page_is_not_found() {
    let site = Site::open(Some("s3cret")).await;
    for path in ["/", "/livez/", "/apis", "/metrics/x"] {
        assert_eq!(status(&site.get(path).await), "404", "{path}");
    }
}

#[tokio::test]
async fn the_api_asks_for_the_token() {
    let site = Site::open(Some("s3cret")).await;
    for headers in [
        "",
        "authorization: Bearer wrong\r\n",
        "authorization: Basic s3cret\r\n",
    ] {
        let answer = site.ask("GET /api/sessions", headers).await;
        assert_eq!(status(&answer), "401", "{headers}");
        assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
        assert!(
            body(&answer).contains(r#""error":"unauthorized""#),
            "{answer}"
        );
    }
    let answer = site
        .ask("GET /api/sessions", "authorization: Bearer s3cret\r\n")
        .await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: application/json\r\n"));
    assert_eq!(body(&answer), r#"{"sessions":[],"next":null}"#);
    for path in ["/api", "/api/", "/api/session", "/api/sessionss"] {
        let answer = site
            .ask(&format!("GET {path}"), "authorization: Bearer s3cret\r\n")
            .await;
        assert_eq!(status(&answer), "404", "{path}");
        let expected = r#"{"error":"not_found","message":"there is no such entry"}"#;
        assert_eq!(body(&answer), expected);
    }
}

#[tokio::test]
async fn without_a_token_there_is_no_api() {
    let site = Site::open(None).await;
    for headers in [
        "",
        "authorization: Bearer \r\n",
        "authorization: Bearer x\r\n",
    ] {
        let answer = site.ask("GET /api/sessions", headers).await;
        assert_eq!(status(&answer), "404", "{headers}");
        assert!(!answer.contains("www-authenticate"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_over_its_limits_is_refused() {
    let site = Site::open(None).await;
    let many = "x: y\r\n".repeat(MAX_HEADERS);
    assert_eq!(status(&site.ask("GET /livez", &many).await), "431");
    let long = format!("x: {}\r\n", "y".repeat(MAX_HEAD_BYTES));
    assert_eq!(status(&site.ask("GET /livez", &long).await), "431");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
    let site = Site::open(None).await;
    let begun = Instant::now();
    let mut stream = site.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.contains("200"), "{answer}");
    assert!(
        begun.elapsed() < CONNECTION_TIMEOUT,
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn more_connections_than_there_are_seats_wait_for_one() {
    let site = Site::open(None).await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(site.connect().await);
    }
    let answer = site.get("/livez").await;
    assert_eq!(status(&answer), "200");
    assert!(begun.elapsed() >= HEADER_TIMEOUT, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_silent_clients() {
    let site = Site::open(None).await;
    let mut silent = site.connect().await;
    silent.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    assert_eq!(status(&site.get("/livez").await), "200");
    let asked = Instant::now();
    site.stop.send(()).unwrap();
    site.served.await.unwrap();
    assert!(asked.elapsed() < HEADER_TIMEOUT, "{:?}", asked.elapsed());
    assert!(TcpStream::connect(site.addr).await.is_err());
}
