//! A gateway as a process of its own, as an operator runs it, behind a WeChat of the test's.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use wxgate::simulator::Simulator;

use super::process::{Ended, Process, wxgate};
use super::scratch::Scratch;
use super::{APPID, Answer, Ask, Line, SECRET};

/// The config that an operator starts from.
pub const SHIPPED: &str = include_str!("../../../gateway.toml");

/// A `wxgate` that is not started yet.
pub struct Setup {
    pub wechat: Simulator,
    pub scratch: Scratch,
    pub command: Command,
}

/// A running `wxgate --config gateway.toml`.
pub struct Service {
    pub wechat: Simulator,
    pub process: Process,
    /// Its files, for as long as it runs.
    scratch: Scratch,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Setup {
    /// A config, with `WECHAT` and `BACKEND` as addresses; the secret comes from the environment.
    pub fn of(config: &str, backend: SocketAddr) -> Self {
        let wechat = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        wechat.register_app(APPID, SECRET);
        Self::in_place(config, backend, wechat, Scratch::new())
    }

    fn in_place(config: &str, backend: SocketAddr, wechat: Simulator, scratch: Scratch) -> Self {
        let config = config
            .replace("WECHAT", &wechat.base_url())
            .replace("BACKEND", &format!("http://{backend}"));
        scratch.write("gateway.toml", &config);
        let mut command = wxgate(&["--config", "gateway.toml"]);
        command.current_dir(scratch.path());
        command.env("SHOP_SECRET", SECRET);
        Self {
            wechat,
            scratch,
            command,
        }
    }

    /// The shipped config, less its addresses.
    pub fn shipped(backend: SocketAddr) -> Self {
        let mut setup = Self::of(&between_stand_ins(SHIPPED), backend);
        setup
            .command
            .env("WXGATE_ADMIN_TOKEN", "the-token-of-the-operator-in-tests");
        setup
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it, and waits until it says that it listens.
    #[track_caller]
    pub fn start(self) -> Service {
        let process = Process::start(self.command, "cargo builds it with the tests");
        let config = self.scratch.path().join("gateway.toml");
        let has_admin = std::fs::read_to_string(config).unwrap().contains("[admin]");
        let public = |line: &str| line.contains("listening") && !line.contains("operator");
        let address = address_in(&process.line("address", public));
        let operator = |line: &str| line.contains("listening for the operator");
        let admin = has_admin.then(|| address_in(&process.line("operator's address", operator)));
        Service {
            wechat: self.wechat,
            process,
            scratch: self.scratch,
            address,
            admin,
        }
    }
}

impl Service {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Ends it as `kill -s NAME` does, and gives what it had printed and what a next one is started with: the same
    /// files, the same WeChat, and this config, with `WECHAT` and `BACKEND` as addresses.
    #[track_caller]
    pub fn end(self, signal: &str, config: &str, backend: SocketAddr) -> (Ended, Setup) {
        self.process.signal(signal);
        let ended = self.process.wait();
        (
            ended,
            Setup::in_place(config, backend, self.wechat, self.scratch),
        )
    }

    /// Asks on a connection of its own.
    pub fn ask(&self, ask: &Ask) -> Answer {
        Line::to(self.address).ask(ask)
    }

    /// The operator's page at `path`.
    pub fn admin(&self, path: &str) -> Answer {
        Line::to(self.admin.unwrap()).ask(&Ask::get(path))
    }

    /// Logs `user` in by form and gives the skey.
    #[track_caller]
    pub fn skey_of(&self, user: &str) -> String {
        let code = self.wechat.issue_code(user);
        let answer = self.ask(&Ask::post("/wx/login").form(&[("code", &code)]));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["skey"].as_str().unwrap().to_owned()
    }

    /// The openid under which the shop knows `user`.
    pub fn openid_of(&self, user: &str) -> String {
        self.wechat.openid_of(APPID, user)
    }
}

/// A config that is shipped, less its addresses: it listens anywhere, between the WeChat and the backend of a test.
#[track_caller]
pub fn between_stand_ins(shipped: &str) -> String {
    [
        ("127.0.0.1:8080", "127.0.0.1:0"),
        ("127.0.0.1:9090", "127.0.0.1:0"),
        (
            "#base_url = \"https://api.weixin.qq.com\"",
            "base_url = \"WECHAT\"",
        ),
        ("http://127.0.0.1:9000", "BACKEND"),
    ]
    .iter()
    .fold(shipped.to_owned(), |config, (from, to)| {
        assert!(config.contains(from), "the config has no {from}: {config}");
        config.replace(from, to)
    })
}

/// The address in a log line of either form.
fn address_in(line: &str) -> SocketAddr {
    let mut words = line.split(['=', '"', ' ', ',', '}']);
    let found = words.find_map(|word| word.parse().ok());
    found.unwrap_or_else(|| panic!("no address in {line}"))
}
