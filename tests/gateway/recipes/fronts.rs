//! What a backend is promised that stays behind a proxy which asks wxgate, whatever proxy that is. The proxy is a real one,
//! and runs the config that is shipped.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{Phone, recipes};
use crate::harness::{APPID, Answer, Ask, Line, Process, Scratch};

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

/// A proxy between the users of a recipe and its backend.
pub(super) struct Fronted {
    phone: Phone,
    address: SocketAddr,
    _process: Process,
    _scratch: Scratch,
}

impl Fronted {
    /// Starts a proxy with the config of this name, once `change` has made it fit the place where it is to listen;
    /// `command` is how it runs that file in that directory, and `is_ready` how it says that it listens.
    #[track_caller]
    pub(super) fn start(
        recipe: &str,
        config: &str,
        change: impl FnOnce(String, SocketAddr) -> String,
        command: impl FnOnce(PathBuf, &Scratch) -> Command,
        is_ready: impl Fn(&str) -> bool,
    ) -> Self {
        let phone = Phone::with(recipe);
        let text = std::fs::read_to_string(recipes().join(config)).unwrap();
        let (wxgate, backend) = (phone.world.address(), phone.world.backend.address());
        for address in ["127.0.0.1:8080", "127.0.0.1:9000"] {
            assert!(text.contains(address), "{text}");
        }
        let text = text
            .replace("127.0.0.1:8080", &wxgate.to_string())
            .replace("127.0.0.1:9000", &backend.to_string());
        let address = free_address();
        let scratch = Scratch::new();
        scratch.write(config, &change(text, address));
        let mut command = command(scratch.path().join(config), &scratch);
        command.current_dir(scratch.path()).stdin(Stdio::null());
        let process = Process::start(command, "tests/run.sh installs what the tests need");
        process.error_line("sign that it listens", is_ready);
        Self {
            phone,
            address,
            _process: process,
            _scratch: scratch,
        }
    }

    fn ask(&self, ask: &Ask) -> Answer {
        Line::to(self.address).ask(ask)
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
    let world = &fronted.phone.world;
    let pretending = |skey: &str| {
        let ask = Ask::post("/orders?a=b%20c").skey(skey).body("the body");
        PRETENDED
            .iter()
            .fold(ask, |ask, name| ask.header(name, "boss"))
    };
    for (user, unionid) in [("alice", vec!["uAlice"]), ("bob", vec![])] {
        let skey = fronted.skey_of(user);
        for ask in [
            Ask::post("/orders?a=b%20c").skey(&skey).body("the body"),
            pretending(&skey),
        ] {
            world.backend.forget();
            let answer = fronted.ask(&ask);
            assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
            let seen = world.backend.only_seen();
            assert_eq!(seen.values("X-OpenId"), [world.openid_of(user)]);
            assert_eq!(seen.values("X-AppId"), [APPID]);
            for (name, told) in [("X-UnionId", &unionid), ("X-User-Id", &vec![])] {
                let values = seen
                    .values(name)
                    .into_iter()
                    .filter(|value| !value.is_empty());
                assert_eq!(&values.collect::<Vec<_>>(), told, "{name} of {user}");
            }
            assert!(
                !seen.head.contains("boss") && !seen.head.contains(&skey),
                "{}",
                seen.head
            );
            assert_eq!(
                (seen.method.as_str(), seen.target.as_str()),
                ("POST", "/orders?a=b%20c")
            );
            assert_eq!(seen.body, b"the body");
            // The client is not told who it is.
            assert_eq!(answer.header("x-openid"), None);
        }
    }
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
        assert!((400..404).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(fronted.phone.world.backend.seen().len(), 0);
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

/// A place on loopback that was free a moment ago: these proxies do not tell where they listen.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
