//! A gateway as a process, a backend that reads as strictly as it can, and what must hold between them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Case, Expected, SKEY, Sent};
use crate::harness::{
    APPID, Answer, Ask, BASE, Backend, Frame, Frames, Line, Seen, Service, Setup, kind,
};

mod held;
mod strict;

use held::{descriptors, memory, until};
use strict::{Said, strict};

/// How often a family is sent until its memory is held against that of the first time.
const ROUNDS: usize = 3;
/// What memory may differ by, in KiB: pages that an allocator keeps, not what cases leave behind.
const TOLERANCE: usize = 6 * 1024;
/// Where a backend is told of a login.
pub(super) const ON_LOGIN: &str = "/internal/wx-login";

/// A gateway under attack.
pub(super) struct Siege {
    service: Service,
    backend: Backend,
    said: Arc<Mutex<Said>>,
    skey: String,
    openid: String,
    /// How many descriptors it has while nobody is there.
    own: usize,
    /// How many lines of the log were seen.
    lines: usize,
    users: usize,
}

impl Siege {
    pub(super) fn lay() -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let backend = strict(&said);
        let on_login = format!("on_login = {{ upstream = \"php\", path = \"{ON_LOGIN}\" }}");
        let login = "action = \"login\"";
        let config = BASE
            .replace(login, &format!("{login}\n{on_login}"))
            .replace("workers = 1", "workers = 1\nh2c = true");
        let config = format!(
            "{config}\n[identity.claims]\nrole = \"X-User-Role\"\n[log]\nformat = \"json\"\n"
        );
        let service = Setup::of(&config, backend.address()).start();
        // With the first answer all of it runs; from then on only connections come and go.
        service.ask(&Ask::get("/nowhere"));
        let own = descriptors(service.process.id());
        let skey = service.skey_of("alice");
        assert_eq!(skey.len(), SKEY.len());
        let openid = service.openid_of("alice");
        Self {
            service,
            backend,
            said,
            skey,
            openid,
            own,
            lines: 0,
            users: 0,
        }
    }

    /// Sends all cases, several times, and holds that nothing of them stays in memory.
    #[track_caller]
    pub(super) fn withstand(&mut self, cases: &[Case]) {
        assert!(!cases.is_empty());
        self.round(cases);
        let before = memory(self.service.process.id());
        (0..ROUNDS).for_each(|_| self.round(cases));
        let most = before + TOLERANCE;
        until(
            "memory",
            most,
            || memory(self.service.process.id()),
            |now| now <= most,
        );
    }

    /// Ends it: descriptors are given back, and over all the log knows of what the backend read.
    #[track_caller]
    pub(super) fn lift(self) {
        let Self {
            service,
            backend,
            said,
            own,
            ..
        } = self;
        let id = service.process.id();
        backend.stop();
        // What is left are its own, and a connection to WeChat that is kept for the next login.
        let most = own + 1;
        until("descriptors", most, || descriptors(id), |now| now <= most);
        let whole = said.lock().unwrap().whole;
        service.process.signal("TERM");
        let ended = service.process.wait();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let lines = ended
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let forwarded = lines.filter(|line: &Value| is_forwarded(line)).count();
        assert_eq!(forwarded, whole);
    }

    #[track_caller]
    fn round(&mut self, cases: &[Case]) {
        for case in cases {
            self.backend.forget();
            self.said.lock().unwrap().usual = Said::USUAL.to_vec();
            match &case.sent {
                Sent::Bytes(bytes) => {
                    let bytes = replace(bytes, &self.skey);
                    self.stand(case, |siege| siege.send(&bytes));
                }
                Sent::Frames(frames) => self.stand(case, |siege| siege.send_frames(frames)),
                Sent::Answer(bytes) => {
                    self.said.lock().unwrap().usual.clone_from(bytes);
                    self.stand(case, |siege| {
                        siege.send(&Ask::get("/orders").skey(&siege.skey).bytes())
                    });
                }
                Sent::Login { unionid, said } => self.log_in(case, *unionid, said),
            }
        }
    }

    /// Does what a case does, and holds what holds for all and for this one.
    #[track_caller]
    fn stand(&mut self, case: &Case, send: impl FnOnce(&Self) -> Vec<Answer>) {
        let name = case.name;
        let answers = send(self);
        let lines = self.new_lines();
        let seen: Vec<_> = self.backend.seen();
        let strange = std::mem::take(&mut self.said.lock().unwrap().strange);
        assert_eq!(strange, [""; 0], "{name}");
        let requests: Vec<_> = seen.iter().filter(|seen| seen.target != ON_LOGIN).collect();
        let forwarded = lines.iter().filter(|line| is_forwarded(line));
        assert_eq!(
            requests.len(),
            forwarded.count(),
            "{name}: {requests:#?} {lines:#?}"
        );
        for answer in answers
            .iter()
            .filter(|answer| answer.header("x-request-id").is_some())
        {
            let id = answer.header("x-request-id").unwrap();
            let of_it = lines.iter().filter(|line| line["request_id"] == id);
            assert_eq!(of_it.count(), 1, "{name}: {lines:#?}");
        }
        for seen in &requests {
            self.hold(name, seen);
        }
        Self::expect(case, &answers, &requests);
    }

    /// What holds of every request that reaches a backend.
    #[track_caller]
    fn hold(&self, name: &str, seen: &Seen) {
        let head = &seen.head;
        let openids = seen.values("X-OpenId");
        let is_of = |routes: &str| seen.target.starts_with(routes);
        if is_of("/open/") || is_of("/maybe/") && openids.is_empty() {
            assert_eq!(openids, [""; 0], "{name}: {head}");
            assert_eq!(seen.values("X-AppId"), [""; 0], "{name}: {head}");
        } else {
            assert_eq!(openids, [self.openid.as_str()], "{name}: {head}");
            assert_eq!(seen.values("X-AppId"), [APPID], "{name}: {head}");
        }
        for name_of_one in [
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "X-Request-Id",
            "Host",
        ] {
            assert_eq!(
                seen.values(name_of_one).len(),
                1,
                "{name}: {name_of_one}: {head}"
            );
        }
        assert_eq!(
            seen.values("X-Forwarded-For"),
            ["127.0.0.1"],
            "{name}: {head}"
        );
        for never in [
            "Forwarded",
            "X-Real-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "Proxy",
            "X-Skey",
            "X-Forwarded-Uri",
            "Trailer",
            "TE",
        ] {
            assert_eq!(seen.values(never), [""; 0], "{name}: {never}: {head}");
        }
        let said = head.to_ascii_lowercase();
        assert!(
            !said.contains("forged") && !said.contains("smuggled"),
            "{name}: {head}"
        );
        assert!(!head.contains(&self.skey), "{name}: {head}");
    }

    #[track_caller]
    fn expect(case: &Case, answers: &[Answer], seen: &[&Seen]) {
        let Case { name, expected, .. } = case;
        let targets = seen.iter().map(|seen| seen.target.as_str());
        let targets: Vec<_> = targets
            .filter(|target| !target.starts_with("/open/last"))
            .collect();
        let first = answers.first().map(|answer| answer.status);
        match expected {
            Expected::Refused(status) => {
                assert_eq!(
                    (first, targets),
                    (Some(*status), vec![]),
                    "{name}: {answers:?}"
                );
            }
            Expected::Turned => {
                let served = first.filter(|status| *status < 400);
                assert_eq!((served, targets), (None, vec![]), "{name}: {answers:?}");
            }
            Expected::Passes(expected) => assert_eq!(targets, *expected, "{name}: {answers:?}"),
            Expected::Tells(names) => {
                let own = [
                    "x-request-id",
                    "date",
                    "content-length",
                    "transfer-encoding",
                    "connection",
                ];
                let told = answers[0].headers.iter().map(|(name, _)| name.as_str());
                let told: Vec<_> = told.filter(|name| !own.contains(name)).collect();
                assert_eq!(told, *names, "{name}: {answers:?}");
                let text = format!("{answers:?}");
                assert!(!text.contains("oSecret"), "{name}: {text}");
            }
            Expected::Held => {}
        }
    }

    /// A client's bytes, and an honest request behind them, with which the connection ends.
    fn send(&self, bytes: &[u8]) -> Vec<Answer> {
        let last = Ask::get("/open/last").header("Connection", "close").bytes();
        let mut line = Line::to(self.service.address());
        line.send(&[bytes, &last].concat());
        line.answers_to_the_end()
    }

    /// The same in HTTP/2. Of an answer only the status is told.
    fn send_frames(&self, frames: &[Frame]) -> Vec<Answer> {
        let mut line = Frames::to(self.service.address());
        for frame in frames {
            let payload = replace(&frame.payload, &self.skey);
            line.send(&Frame {
                payload,
                ..frame.clone()
            });
        }
        let last = [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/open/last"),
            (":authority", "api.example.com"),
        ];
        line.send(&Frame::get(LAST, &last));
        let mut open: BTreeSet<u32> = frames.iter().map(|frame| frame.stream).collect();
        open.insert(LAST);
        let mut answers = Vec::new();
        while !open.is_empty() {
            let Some(frame) = line.next() else { break };
            let is_end = match frame.kind {
                kind::GOAWAY => break,
                kind::RST_STREAM => true,
                kind::HEADERS | kind::DATA => frame.flags & Frame::END_STREAM != 0,
                _ => false,
            };
            if frame.kind == kind::HEADERS && frame.stream != LAST {
                answers.push(Answer {
                    status: frame.status(),
                    headers: Vec::new(),
                    body: Vec::new(),
                    is_whole: true,
                });
            }
            if is_end {
                open.remove(&frame.stream);
            }
        }
        answers
    }

    /// Logs a new user in, and asks as this user.
    #[track_caller]
    fn log_in(&mut self, case: &Case, unionid: Option<&str>, said: &'static str) {
        self.users += 1;
        let user = format!("user{}", self.users);
        self.service.wechat.set_unionid(&user, unionid);
        said.clone_into(&mut self.said.lock().unwrap().on_login);
        let code = self.service.wechat.issue_code(&user);
        let login = Ask::post("/wx/login").form(&[("code", &code)]);
        let answer = self.service.ask(&login);
        let skey =
            (answer.status == 200).then(|| answer.json()["skey"].as_str().unwrap().to_owned());
        let (skey, openid) = match skey {
            Some(skey) => (skey, self.service.openid_of(&user)),
            None => (self.skey.clone(), self.openid.clone()),
        };
        let (skey, openid) = (
            std::mem::replace(&mut self.skey, skey),
            std::mem::replace(&mut self.openid, openid),
        );
        let is_refused = answer.status != 200;
        self.stand(case, |siege| {
            let mut answers = vec![answer];
            if !is_refused {
                answers.extend(siege.send(&Ask::get("/orders").skey(&siege.skey).bytes()));
            }
            answers
        });
        Said::HELLO.clone_into(&mut self.said.lock().unwrap().on_login);
        (self.skey, self.openid) = (skey, openid);
    }

    /// The access lines that were written since this was asked last.
    #[track_caller]
    fn new_lines(&mut self) -> Vec<Value> {
        // Its line comes behind those of what was answered before.
        let mark = self
            .service
            .ask(&Ask::get("/nowhere/at/all").without("X-Skey"));
        let id = mark.header("x-request-id").unwrap().to_owned();
        self.service
            .process
            .line("line of the mark", |line| line.contains(&id));
        let text = self.service.process.text();
        let all: Vec<&str> = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .collect();
        let end = all.iter().position(|line| line.contains(&id)).unwrap();
        let new = all[self.lines..end]
            .iter()
            .map(|line| serde_json::from_str(line).unwrap());
        let new = new
            .filter(|line: &Value| line["target"] == "wxgate::access")
            .collect();
        self.lines = end + 1;
        new
    }
}

/// The stream of the honest request.
const LAST: u32 = 101;

/// Whether a line tells of a request that a backend was sent whole: one that broke off is none to it.
fn is_forwarded(line: &Value) -> bool {
    if line["target"] != "wxgate::access" || line.get("upstream").is_none() {
        return false;
    }
    match line.get("refusal").and_then(Value::as_str) {
        None => line.get("upstream_ms").is_some(),
        Some(code) => code.starts_with("upstream_"),
    }
}

fn replace(bytes: &[u8], skey: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(at) = bytes
        .windows(SKEY.len())
        .position(|part| part == SKEY.as_bytes())
    {
        bytes[at..at + SKEY.len()].copy_from_slice(skey.as_bytes());
    }
    bytes
}
