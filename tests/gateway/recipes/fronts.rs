//! What a backend is promised that stays behind a proxy which asks wxgate, whatever proxy that is. The proxy is a real one,
//! and runs the config that is shipped.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use tokio::time::Instant;

use super::{Phone, recipes};
use crate::harness::{APPID, Answer, Ask, LONGEST, Line, Process, Scratch, Seen};

/// Headers of an identity in all spellings that some backend takes for one.
const PRETENDED: [&str; 10] = [
    "X-OpenId",
    "x-openid",
    "X_OpenId",
    "X.OpenId",
    "x_OPENID",
    "X-UnionId",
    "X_UnionId",
    "X-AppId",
    "X-User-Id",
    "X_User.Id",
];

/// Where tests/run.sh puts the proxies that Debian has no package of.
pub(super) const FRONTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/fronts");

/// What a proxy has for itself.
pub(super) struct Place<'a> {
    pub(super) config: PathBuf,
    pub(super) directory: &'a Path,
    /// Where it is to listen.
    pub(super) address: SocketAddr,
}

/// A proxy between the users of a recipe and its backend.
pub(super) struct Fronted {
    phone: Phone,
    address: SocketAddr,
    _process: Process,
    _scratch: Scratch,
}

impl Fronted {
    /// Starts a proxy with the config of this name, once `change` has made it fit the address where it is to listen;
    /// `command` is how it runs in its place, and `is_ready` how it says on stderr that it listens.
    #[track_caller]
    pub(super) fn start(
        recipe: &str,
        config: &str,
        change: impl FnOnce(String, SocketAddr) -> String,
        command: impl FnOnce(&Place) -> Command,
        is_ready: impl Fn(&str) -> bool,
    ) -> Self {
        let phone = Phone::with(recipe);
        let text = std::fs::read_to_string(recipes().join(config)).unwrap();
        let text = moved(&text, "8080", phone.world.address());
        let text = moved(&text, "9000", phone.world.backend.address());
        let address = free_address();
        let scratch = Scratch::new();
        scratch.write(config, &change(text, address));
        let mut command = command(&Place {
            config: scratch.path().join(config),
            directory: scratch.path(),
            address,
        });
        command.current_dir(scratch.path()).stdin(Stdio::null());
        let process = Process::start(command, "tests/run.sh installs what the tests need");
        process.error_line("sign that it listens", is_ready);
        let fronted = Self {
            phone,
            address,
            _process: process,
            _scratch: scratch,
        };
        fronted.wait_for_routes();
        fronted
    }

    /// Some say that they listen before they know what to pass on.
    #[track_caller]
    fn wait_for_routes(&self) {
        let since = Instant::now();
        while self
            .ask(&Ask::get("/wx/login"))
            .header("x-request-id")
            .is_none()
        {
            assert!(since.elapsed() < LONGEST, "nothing is passed on to wxgate");
            thread::yield_now();
        }
    }

    fn ask(&self, ask: &Ask) -> Answer {
        Line::to(self.address).ask(ask)
    }

    /// Holds that the backend is told who asks, also when the client pretends with these headers to be somebody else.
    #[track_caller]
    fn tells_who_asks(&self, pretended: &[&str]) {
        let honest = |skey: &str| Ask::post("/orders?a=b%20c").skey(skey).body("the body");
        let pretending = |skey: &str| {
            let pretend = |ask: Ask, name: &&str| ask.header(name, "boss");
            pretended.iter().fold(honest(skey), pretend)
        };
        for (user, unionid) in [("alice", vec!["uAlice"]), ("bob", vec![])] {
            let skey = self.skey_of(user);
            self.tells(&honest(&skey), user, &unionid);
            self.tells(&pretending(&skey), user, &unionid);
            let seen = self.phone.world.backend.only_seen();
            assert!(!seen.head.contains(&skey), "{}", seen.head);
        }
    }

    /// Asks, and holds what the backend sees against the user who asks.
    #[track_caller]
    fn tells(&self, ask: &Ask, user: &str, unionid: &[&str]) {
        let world = &self.phone.world;
        world.backend.forget();
        let answer = self.ask(ask);
        assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
        // The client is not told who it is.
        assert_eq!(answer.header("x-openid"), None);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-OpenId"), [world.openid_of(user)]);
        assert_eq!(seen.values("X-AppId"), [APPID]);
        for (name, told) in [("X-UnionId", unionid), ("X-User-Id", &[])] {
            let values = seen.values(name).into_iter();
            let values: Vec<_> = values.filter(|value| !value.is_empty()).collect();
            assert_eq!(values, told, "{name} of {user}");
        }
        assert!(!seen.head.contains("boss"), "{}", seen.head);
        let line = (seen.method.as_str(), seen.target.as_str());
        assert_eq!(line, ("POST", "/orders?a=b%20c"));
        assert_eq!(seen.body, b"the body");
    }

    /// Logs `user` in through the proxy.
    #[track_caller]
    fn skey_of(&self, user: &str) -> String {
        let code = self.phone.world.wechat.issue_code(user);
        let answer = self.ask(&Ask::post("/wx/login").form(&[("code", &code)]));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["skey"].as_str().unwrap().to_owned()
    }
}

/// With a session the backend is told who it is, in one header each, whatever the client pretends.
pub(super) fn tells_the_backend_who_asks(fronted: &Fronted) {
    fronted.tells_who_asks(&PRETENDED);
}

/// With a session the backend is told who it is, in one header each. Where the client pretends in a spelling that the proxy
/// would pass on, the request is refused, by the proxy or by wxgate.
pub(super) fn tells_the_backend_who_asks_or_refuses(fronted: &Fronted) {
    let is_plain = |name: &&str| !name.contains(['_', '.']);
    let plain: Vec<_> = PRETENDED.into_iter().filter(is_plain).collect();
    fronted.tells_who_asks(&plain);
    let skey = fronted.skey_of("alice");
    let others: Vec<_> = PRETENDED
        .into_iter()
        .filter(|name| !is_plain(name))
        .collect();
    assert_eq!(plain.len() + others.len(), PRETENDED.len());
    fronted.phone.world.backend.forget();
    for name in others {
        let answer = fronted.ask(&Ask::get("/orders").skey(&skey).header(name, "boss"));
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    assert_eq!(fronted.phone.world.backend.seen().len(), 0);
}

/// Without a session nothing reaches the backend.
pub(super) fn lets_nobody_else_pass(fronted: &Fronted) {
    let answer = fronted.ask(&Ask::get("/orders").header("X-OpenId", "boss"));
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(
        answer.json()["error"]
            .as_str()
            .unwrap()
            .starts_with("session_")
    );
    let answer = fronted.ask(&Ask::get("/orders").skey(&"A".repeat(43)));
    assert_eq!(answer.status, 401, "{answer:?}");
    let skey = fronted.skey_of("alice");
    for path in ["/a/%2e%2e/b", "/a%2fb", "/a/..;/b", "/a//b"] {
        let answer = fronted.ask(&Ask::get(path).skey(&skey));
        let seen = fronted.phone.world.backend.seen();
        fronted.phone.world.backend.forget();
        // A proxy may make a plain path of it before it asks; then it must pass on that one.
        if answer.status == 200 {
            let is_plain = |seen: &Seen| ["/b", "/a/b"].contains(&seen.target.as_str());
            assert!(seen.len() == 1 && seen.iter().all(is_plain), "{seen:?}");
        } else {
            assert!((400..404).contains(&answer.status), "{path}: {answer:?}");
            assert_eq!(seen.len(), 0);
        }
    }
    // Where the proxy asks, a client gets no answer: its paths are the backend's, or nobody's.
    for path in ["/_wxgate", "/_wxgate/auth"] {
        let answer = fronted.ask(&Ask::get(path).skey(&skey));
        assert!(
            answer.status == 404 || answer.text() == "seen",
            "{path}: {answer:?}"
        );
        assert_eq!(answer.header("x-openid"), None);
    }

    let answer = fronted.ask(&Ask::get("/wx/logout").skey(&skey));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = fronted.ask(&Ask::get("/orders").skey(&skey));
    assert_eq!(answer.status, 401, "{answer:?}");
}

/// A config with one place, on this port, at another.
#[track_caller]
fn moved(config: &str, port: &str, there: SocketAddr) -> String {
    let moved = config
        .replace(&format!("127.0.0.1:{port}"), &there.to_string())
        .replace(
            &format!("address: 127.0.0.1, port_value: {port}"),
            &format!("address: {}, port_value: {}", there.ip(), there.port()),
        );
    assert_ne!(moved, config);
    moved
}

/// A place on loopback that was free a moment ago: these proxies do not tell where they listen.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
