//! What every backend that knows nothing of WeChat is promised. The backend is a real one, started by its own file.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Answer, Ask, Line, Process, Service, Setup};

/// How many users ask at the same time, and how often each.
const USERS: usize = 8;
const TIMES: usize = 10;

/// A real backend that tells in JSON what reached it, and prints a line for each request.
pub struct Legacy {
    process: Process,
    address: SocketAddr,
}

impl Legacy {
    /// Starts a backend; `address` finds out from it where it listens.
    #[track_caller]
    pub fn start(mut command: Command, address: impl FnOnce(&Process) -> SocketAddr) -> Self {
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::null());
        let process = Process::start(command, "tests/run.sh installs what the tests need");
        let address = address(&process);
        Self { process, address }
    }

    /// The first GETs and HEADs that reached it, once they have.
    #[track_caller]
    fn seen(&self, count: usize) -> Vec<String> {
        let is_read = |line: &str| line.starts_with("GET /") || line.starts_with("HEAD /");
        self.process.lines(count, is_read)
    }

    /// A gateway with the shipped config before it.
    #[track_caller]
    fn guarded(&self) -> Service {
        Setup::shipped(self.address).start()
    }
}

/// After a login by form, the backend sees one openid, whatever the client pretends to be.
pub fn sees_one_openid(backend: &Legacy) {
    let spoofed = |target| {
        let names = ["X-OpenId", "X_OpenId", "X.OpenId", "x-OPENID"];
        let ask = Ask::get(target);
        names.iter().fold(ask, |ask, name| ask.header(name, "boss"))
    };
    let alone = Line::to(backend.address).ask(&spoofed("/orders"));
    let believed = openids(&alone);
    assert!(believed.concat().contains("boss"), "{alone:?}");

    let service = backend.guarded();
    let skey = service.skey_of("alice");
    let answer = service.ask(&spoofed("/orders").skey(&skey));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(openids(&answer), [service.openid_of("alice")]);
    assert!(!answer.text().contains("boss"), "{}", answer.text());
    assert!(!answer.text().contains(&skey), "{}", answer.text());

    let answer = service.ask(&spoofed("/static/a.css"));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(openids(&answer), [""; 0]);
}

/// Without a skey that leads somewhere, nothing reaches the backend.
pub fn sees_nothing_without_a_session(backend: &Legacy) {
    let service = backend.guarded();
    let answer = service.ask(&Ask::get("/none").header("X-OpenId", "boss"));
    answer.refused(401, "session_missing");
    let answer = service.ask(&Ask::get("/unknown").skey(&"A".repeat(43)));
    answer.refused(401, "session_invalid");
    let skey = service.skey_of("alice");
    let answer = service.ask(&Ask::get("/orders/../none").skey(&skey));
    answer.refused(400, "bad_request");
    let metrics = service.admin("/metrics").text();
    for line in metrics.lines().filter(|line| line.contains("upstream=\"")) {
        assert!(line.ends_with(" 0"), "{line}");
    }
    assert!(metrics.contains("upstream=\""), "{metrics}");

    let answer = service.ask(&Ask::get("/orders").skey(&skey));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(backend.seen(1), ["GET /orders"]);
}

/// Path, query and method arrive as the client sent them.
pub fn sees_the_request_as_it_was_sent(backend: &Legacy) {
    let service = backend.guarded();
    let skey = service.skey_of("alice");
    let target = "/%E5%95%86%E5%93%81/1?name=%E5%B0%8F%E6%98%8E&q=a+b%20c&empty=&q=2";
    for method in ["GET", "DELETE", "PATCH", "OPTIONS"] {
        let told = service.ask(&Ask::new(method, target).skey(&skey)).json();
        assert_eq!(
            (&told["method"], &told["uri"]),
            (&method.into(), &target.into())
        );
    }
    let answer = service.ask(&Ask::new("HEAD", "/orders").skey(&skey));
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    let seen = backend.seen(2);
    assert_eq!(seen, [format!("GET {target}"), "HEAD /orders".to_owned()]);
}

/// Bodies arrive byte for byte.
pub fn sees_bodies_byte_for_byte(backend: &Legacy) {
    let service = backend.guarded();
    let skey = service.skey_of("alice");
    let upload = multipart(1 << 20);
    let asks = [
        Ask::post("/form").form(&[("name", "小明 & co"), ("skey", &skey)]),
        Ask::post("/json").json(&json!({"name": "小明", "n": 1})),
        Ask::post("/upload")
            .header("Content-Type", "multipart/form-data; boundary=border")
            .body(&upload),
        Ask::new("PUT", "/empty").body(""),
    ];
    for ask in asks {
        let answer = service.ask(&ask.clone().skey(&skey));
        assert_eq!(answer.status, 200, "{answer:?}");
        let bytes = ask.bytes();
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let sent = &bytes[head.unwrap() + 4..];
        let body = json!({"length": sent.len(), "sha256": sha256(sent)});
        assert_eq!(answer.json()["body"], body);
    }
}

/// Many users at the same time are each seen as themselves.
pub fn sees_each_of_many_as_themselves(backend: &Legacy) {
    let service = backend.guarded();
    thread::scope(|scope| {
        for user in 0..USERS {
            let service = &service;
            scope.spawn(move || {
                let user = format!("user-{user}");
                let (skey, openid) = (service.skey_of(&user), service.openid_of(&user));
                let mut line = Line::to(service.address());
                for time in 0..TIMES {
                    let target = format!("/{user}/{time}");
                    let answer = line.ask(&Ask::get(&target).skey(&skey));
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert_eq!(openids(&answer), [openid.as_str()]);
                    assert_eq!(answer.json()["uri"], target);
                }
            });
        }
    });
    let mut seen = backend.seen(USERS * TIMES);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), USERS * TIMES, "{seen:#?}");
}

/// Every value that reached the backend under a name that some backend takes for the openid's.
#[track_caller]
fn openids(answer: &Answer) -> Vec<String> {
    let told = answer.json();
    let headers = told["headers"].as_object().unwrap();
    let folded = |name: &str| {
        name.to_uppercase()
            .replace(|c: char| !c.is_alphanumeric(), "_")
    };
    let is_openid = |name: &str| folded(name).trim_start_matches("HTTP_") == "X_OPENID";
    let values = headers.iter().filter(|(name, _)| is_openid(name));
    let texts = values.flat_map(|(_, value)| match value {
        Value::Array(values) => values.clone(),
        value => vec![value.clone()],
    });
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// A form with one file of so many bytes, of every value.
fn multipart(length: usize) -> Vec<u8> {
    let file: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
    let head =
        b"--border\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n";
    [head.as_slice(), &file, b"\r\n--border--\r\n"].concat()
}

pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
