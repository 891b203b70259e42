//! Whatever a client sends: a backend is told of the right user or of nobody, and the log knows of every request.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{APPID, Answer, Ask, Seen, World};

/// What a client makes up, and no backend must be told under a name of the gateway's.
const FORGED: &str = "forged";

/// A request as an attacker would write it.
#[derive(Clone, Debug)]
struct Attack {
    method: &'static str,
    target: String,
    headers: Vec<(String, String)>,
    framing: &'static str,
    body: String,
    has_skey: bool,
}

impl Attack {
    fn any() -> impl Strategy<Value = Self> {
        let method = prop::sample::select(vec!["GET", "POST", "OPTIONS", "PUT", "get"]);
        let parts = (
            method,
            target(),
            prop::collection::vec(header(), 0..6),
            framing(),
            body(),
            any::<bool>(),
        );
        parts.prop_map(|(method, target, headers, framing, body, has_skey)| Self {
            method,
            target,
            headers,
            framing,
            body,
            has_skey,
        })
    }

    fn bytes(&self, skey: &str) -> Vec<u8> {
        let Self {
            method,
            target,
            framing,
            body,
            ..
        } = self;
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\r\n"))
            .collect();
        let skey = if self.has_skey {
            format!("X-Skey: {skey}\r\n")
        } else {
            String::new()
        };
        let framing = framing.replace("LENGTH", &body.len().to_string());
        let head = headers.concat();
        format!(
            "{method} {target} HTTP/1.1\r\nHost: api.example.com\r\n{head}{skey}{framing}\r\n{body}"
        )
        .into_bytes()
    }
}

fn target() -> impl Strategy<Value = String> {
    let start = prop::sample::select(vec![
        "",
        "/",
        "/open",
        "/maybe",
        "/orders",
        "http://api.example.com/open",
    ]);
    let piece = prop::sample::select(vec![
        "/", "x", ".", "..", ";", "%2e", "%2f", "%252e", "%5c", "\\", "%c0%ae", "%00", "%", "#",
        "?", "open", "admin", "=", "%61",
    ]);
    (start, prop::collection::vec(piece, 0..6))
        .prop_map(|(start, pieces)| format!("{start}{}", pieces.concat()))
}

fn header() -> impl Strategy<Value = (String, String)> {
    let words = prop::sample::select(vec![
        "X OpenId",
        "X UnionId",
        "X AppId",
        "X User Id",
        "X Wxgate Event",
        "X Forwarded For",
        "X Forwarded Proto",
        "X Forwarded Any",
        "X Real IP",
        "X Request Id",
        "X Original URL",
        "X Rewrite URL",
        "Forwarded",
        "Proxy",
        "X Skey",
    ]);
    let managed = (
        words,
        "[-_.!#$%&'*+^`|~ ]",
        any::<bool>(),
        "[ \t]?forged[ \t\r]?",
    )
        .prop_map(|(words, between, is_upper, value)| {
            let name = words.replace(' ', &between);
            (if is_upper { name.to_uppercase() } else { name }, value)
        });
    let names = "(X-OpenId|x_openid|Host|X-Skey|X-Forwarded-For|close|keep-alive|,){0,4}";
    let connection = names.prop_map(|value| ("Connection".to_owned(), value));
    let any = ("[!-~]{1,8}", "[ -~é]{0,12}");
    prop_oneof![6 => managed, 2 => connection, 1 => any]
}

/// None announces more of a body than what follows, so that none waits for more.
fn framing() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        "Content-Length: LENGTH\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: LENGTH\r\nContent-Length: 0\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer_Encoding: chunked\r\n",
    ])
}

fn body() -> impl Strategy<Value = String> {
    let inner = "GET /open/inner HTTP/1.1\r\nHost: api.example.com\r\nX_OpenId: forged\r\n\r\n";
    prop::sample::select(vec![
        String::new(),
        "hello".to_owned(),
        "5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "5;a=b\r\nhello\r\n0\r\nX-OpenId: forged\r\n\r\n".to_owned(),
        inner.to_owned(),
        format!("0\r\n\r\n{inner}"),
        format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
    ])
}

/// A world that is attacked over and over.
struct Siege {
    world: World,
    skey: String,
    openid: String,
    answers: usize,
    forwarded: usize,
}

impl Siege {
    fn begin() -> Self {
        let world = World::new();
        let skey = world.skey_of("alice");
        let openid = world.openid_of("alice");
        Self {
            world,
            skey,
            openid,
            answers: 1,
            forwarded: 0,
        }
    }

    fn withstand(&mut self, attack: &Attack) -> Result<(), TestCaseError> {
        self.world.backend.forget();
        let mut line = self.world.connect();
        let last = Ask::get("/open/last").header("Connection", "close").bytes();
        line.send(&[attack.bytes(&self.skey), last].concat());
        let answers = line.answers_to_the_end();
        prop_assert!(!answers.is_empty(), "no answer at all");
        for answer in &answers {
            prop_assert_eq!(answer.values("X-Request-Id").len(), 1);
        }
        let seen = self.world.backend.seen();
        let passed = answers.iter().filter(|answer| is_backends(answer));
        prop_assert_eq!(seen.len(), passed.count(), "{:?}", answers);
        for seen in &seen {
            self.hold(attack, seen)?;
        }
        self.answers += answers.len();
        self.forwarded += seen.len();
        Ok(())
    }

    fn hold(&self, attack: &Attack, seen: &Seen) -> Result<(), TestCaseError> {
        let openid = seen.values("X-OpenId");
        let appid = seen.values("X-AppId");
        if openid.is_empty() {
            let is_open = ["/open", "/maybe"]
                .iter()
                .any(|open| seen.target.starts_with(open));
            prop_assert!(is_open, "{}", seen.head);
            prop_assert!(appid.is_empty(), "{}", seen.head);
        } else {
            prop_assert!(
                attack.has_skey && !seen.target.starts_with("/open/"),
                "{}",
                seen.head
            );
            prop_assert_eq!(openid, [self.openid.as_str()]);
            prop_assert_eq!(appid, [APPID]);
        }
        prop_assert!(seen.values("X-UnionId").is_empty(), "{}", seen.head);
        for name in [
            "Forwarded",
            "X-Real-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "Proxy",
            "X-Skey",
            "X-Forwarded-Any",
        ] {
            prop_assert!(seen.values(name).is_empty(), "{name}: {}", seen.head);
        }
        prop_assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
        prop_assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
        prop_assert_eq!(seen.values("X-Request-Id").len(), 1);
        prop_assert_eq!(seen.values("Host"), ["api.example.com"]);
        prop_assert!(
            !seen.head.contains(FORGED) && !seen.head.contains(&self.skey),
            "{}",
            seen.head
        );
        Ok(())
    }

    /// Holds that the log knows of every answer, and of as many forwarded requests as the backend saw.
    fn end(mut self) {
        self.world.stop();
        let lines = self.world.log.access_lines();
        assert_eq!(lines.len(), self.answers);
        let forwarded = lines
            .iter()
            .filter(|line| line["status"] == 200 && line["upstream"] == "php");
        assert_eq!(forwarded.count(), self.forwarded);
        assert!(
            self.forwarded > 100,
            "hardly any attack passed: {}",
            self.forwarded
        );
    }
}

fn is_backends(answer: &Answer) -> bool {
    answer.status == 200 && answer.text() == "seen"
}

#[test]
fn whatever_a_client_sends_a_backend_is_told_the_truth_or_nothing() {
    let siege = std::cell::RefCell::new(Siege::begin());
    let config = Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    };
    let attacked = TestRunner::new(config).run(&Attack::any(), |attack| {
        siege.borrow_mut().withstand(&attack)
    });
    attacked.unwrap_or_else(|error| panic!("{error}"));
    siege.into_inner().end();
}
