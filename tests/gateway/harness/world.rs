//! A gateway in this process with a WeChat, a backend, a clock and a log of its own.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use tokio::time::Instant;
use wxgate::app::{self, Running};
use wxgate::config::{self, Surroundings};
use wxgate::domain::clock::Clock;
use wxgate::simulator::Simulator;

use super::{Answer, Ask, Backend, LONGEST, Line, Log};

/// The appid of the app `shop`.
pub const APPID: &str = "wx0123456789abcdef";
/// The appid of the app `game`, where there is one.
pub const GAME_APPID: &str = "wxfedcba9876543210";
/// The secret of both.
pub const SECRET: &str = "the-secret-of-the-shop";

/// The config that most tests start from. `WECHAT` and `BACKEND` stand for addresses.
pub const BASE: &str = r#"
[server]
listen = "127.0.0.1:0"
workers = 1
drain_timeout = "5s"

[admin]
listen = "127.0.0.1:0"

[wechat]
base_url = "WECHAT"
timeout = "5s"
deadline = "10s"

[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SHOP_SECRET" }

[upstreams.php]
servers = ["BACKEND"]

[[routes]]
path = "/wx/login"
action = "login"

[[routes]]
path = "/wx/check"
action = "check"

[[routes]]
path = "/wx/logout"
action = "logout"

[[routes]]
path = "/open/*"
upstream = "php"
auth = "none"

[[routes]]
path = "/maybe/*"
upstream = "php"
auth = "optional"

[[routes]]
path = "/*"
upstream = "php"
"#;

/// What the base config lacks for a second app.
const SECOND_APP: &str = r#"
[apps.game]
appid = "wxfedcba9876543210"
secret = { env = "SHOP_SECRET" }

[[routes]]
path = "/game/login"
action = "login"
app = "game"
"#;

/// Everything around one gateway.
pub struct World {
    pub wechat: Simulator,
    pub backend: Backend,
    pub clock: Clock,
    pub log: Log,
    gateway: Option<Running>,
}

impl World {
    /// A world with the base config and a backend that answers everything.
    pub fn new() -> Self {
        Self::with("")
    }

    /// A world whose config is the base with `more` behind it.
    pub fn with(more: &str) -> Self {
        Self::of(&format!("{BASE}\n{more}"))
    }

    /// A world whose config is the base with each first text replaced by its second. It must be there.
    pub fn where_config(changes: &[(&str, &str)]) -> Self {
        let config = changes.iter().fold(BASE.to_owned(), |config, (old, new)| {
            assert!(config.contains(old), "the base config has no {old:?}");
            config.replace(old, new)
        });
        Self::of(&config)
    }

    /// A world with the base config and `more` behind it, whose operator's token is [`SECRET`].
    pub fn operated(more: &str) -> Self {
        let (admin, token) = ("[admin]\n", "token = { env = \"SHOP_SECRET\" }\n");
        assert!(BASE.contains(admin));
        let base = BASE.replace(admin, &format!("{admin}{token}"));
        Self::of(&format!("{base}\n{more}"))
    }

    /// A world with this config.
    pub fn of(config: &str) -> Self {
        Self::around(config, Backend::start())
    }

    /// A world with a second app, `game`, that has the login route `/game/login`, and with `more` behind all that.
    pub fn with_two_apps(more: &str) -> Self {
        let login = "action = \"login\"";
        let base = BASE.replace(login, &format!("{login}\napp = \"shop\""));
        let world = Self::of(&format!("{base}\n{SECOND_APP}\n{more}"));
        world.wechat.register_app(GAME_APPID, SECRET);
        world
    }

    /// A world with this config and this backend.
    pub fn around(config: &str, backend: Backend) -> Self {
        Self::logging(config, backend, Log::new())
    }

    /// A world with this config and this backend that logs here.
    pub fn logging(config: &str, backend: Backend, log: Log) -> Self {
        let wechat = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        wechat.register_app(APPID, SECRET);
        let text = config
            .replace("WECHAT", &wechat.base_url())
            .replace("BACKEND", &format!("http://{}", backend.address()));
        let mut surroundings = Surroundings::of_process();
        surroundings
            .variables
            .insert("SHOP_SECRET".to_owned(), SECRET.to_owned());
        let plan = config::read("test.toml", &text, &surroundings)
            .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
        let clock = Clock::start();
        let gateway = log.collect(|| app::start(plan, clock.clone())).unwrap();
        Self {
            wechat,
            backend,
            clock,
            log,
            gateway: Some(gateway),
        }
    }

    /// The gateway itself.
    pub fn gateway(&self) -> &Running {
        self.gateway.as_ref().unwrap()
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.gateway().addresses()[0]
    }

    /// A connection to the gateway.
    pub fn connect(&self) -> Line {
        Line::to(self.address())
    }

    /// Asks on a connection of its own.
    pub fn ask(&self, ask: &Ask) -> Answer {
        self.connect().ask(ask)
    }

    /// GET without a session.
    pub fn get(&self, target: &str) -> Answer {
        self.ask(&Ask::get(target))
    }

    /// GET with a session.
    pub fn get_as(&self, skey: &str, target: &str) -> Answer {
        self.ask(&Ask::get(target).skey(skey))
    }

    /// Logs `user` in with a fresh code and gives the answer.
    pub fn login(&self, user: &str) -> Answer {
        self.login_with(&self.wechat.issue_code(user))
    }

    /// Logs in with this code and gives the answer.
    pub fn login_with(&self, code: &str) -> Answer {
        self.ask(&Ask::post("/wx/login").form(&[("code", code)]))
    }

    /// Logs `user` in and gives the skey.
    pub fn skey_of(&self, user: &str) -> String {
        let answer = self.login(user);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["skey"].as_str().unwrap().to_owned()
    }

    /// The openid under which the shop knows `user`.
    pub fn openid_of(&self, user: &str) -> String {
        self.wechat.openid_of(APPID, user)
    }

    /// The operator's page at `path`.
    pub fn admin(&self, path: &str) -> Answer {
        Line::to(self.gateway().admin_address().unwrap()).ask(&Ask::get(path))
    }

    /// Asks the operator's listener with its token.
    pub fn operate(&self, ask: &Ask) -> Answer {
        let token = format!("Bearer {SECRET}");
        let ask = ask.clone().header("Authorization", &token);
        Line::to(self.gateway().admin_address().unwrap()).ask(&ask)
    }

    /// The value of a metric, written as on the page: `name{label="value"}`; 0 if it is not there.
    pub fn metric(&self, series: &str) -> f64 {
        self.series(series)
            .map_or(0.0, |value| value.parse().unwrap())
    }

    /// The whole number that a metric counts; 0 if it is not there.
    pub fn count(&self, series: &str) -> i64 {
        self.series(series)
            .map_or(0, |value| value.parse().unwrap())
    }

    /// Asks until a metric has come to `count`.
    #[track_caller]
    pub fn await_count(&self, series: &str, count: i64) {
        let since = Instant::now();
        while self.count(series) != count {
            let now = self.count(series);
            assert!(since.elapsed() < LONGEST, "{series} is {now}, not {count}");
            std::thread::yield_now();
        }
    }

    /// The access line of an answer, once it is written.
    pub fn access_line(&self, answer: &Answer) -> Value {
        self.log.access_line(
            answer
                .header("x-request-id")
                .expect("every answer has an id"),
        )
    }

    /// Gives the gateway out of hand, to be stopped beside everything else.
    pub fn take_gateway(&mut self) -> Running {
        self.gateway.take().unwrap()
    }

    /// Stops the gateway and waits until it has drained.
    pub fn stop(&mut self) {
        self.take_gateway().stop().unwrap();
    }

    /// What the operator's page says of a series.
    fn series(&self, series: &str) -> Option<String> {
        let page = self.admin("/metrics").text();
        let mut lines = page.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(str::to_owned)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A backend that holds an answer back would hold up the drain as well.
        self.backend.stop();
        if let Some(gateway) = self.gateway.take() {
            let _ = gateway.stop();
        }
    }
}
