//! What is written: the sections of a config as its text has them, each value with its place. Knows the keys
//! and their types, but neither defaults nor meanings.

mod limits;
mod log;
mod route;
mod scripts;
mod secret;
mod store;

use toml::de::DeValue;

use super::source::{At, Place};
use super::table::Table;

pub(super) use limits::RawLimits;
pub(super) use log::RawLog;
pub(super) use route::{RawChanges, RawCors, RawDeed, RawHeaders, RawOnLogin, RawRoute, RawRule};
pub(super) use scripts::RawScripts;
pub(super) use secret::RawSecret;
pub(super) use store::{RawRedis, RawStore};

/// A text and its place.
pub(super) type Text = At<String>;
/// A list of texts, its place, and theirs.
pub(super) type Texts = At<Vec<At<String>>>;
/// A value of any type: the shape of an answer.
pub(super) type Shape<'a> = At<DeValue<'a>>;

pub(super) struct RawConfig<'a> {
    pub(super) server: Option<RawServer>,
    pub(super) limits: Option<RawLimits>,
    pub(super) admin: Option<RawAdmin>,
    pub(super) wechat: Option<RawWechat>,
    pub(super) apps: Vec<(Text, RawApp)>,
    pub(super) sessions: Option<RawSessions>,
    pub(super) identity: Option<RawIdentity>,
    pub(super) upstreams: Vec<(Text, RawUpstream)>,
    pub(super) routes: Vec<RawRoute<'a>>,
    pub(super) refusals: Vec<(Text, RawRefusal<'a>)>,
    pub(super) log: Option<RawLog>,
}

impl<'a> RawConfig<'a> {
    pub(super) fn fields(file: &mut Table<'a>) -> Self {
        Self {
            server: file.table("server", RawServer::fields),
            limits: file.table("limits", RawLimits::fields),
            admin: file.table("admin", RawAdmin::fields),
            wechat: file.table("wechat", RawWechat::fields),
            apps: file.named("apps", RawApp::fields),
            sessions: file.table("sessions", RawSessions::fields),
            identity: file.table("identity", RawIdentity::fields),
            upstreams: file.named("upstreams", RawUpstream::fields),
            routes: file.tables("routes", RawRoute::fields),
            refusals: file.named("refusals", RawRefusal::fields),
            log: file.table("log", RawLog::fields),
        }
    }
}

#[derive(Default)]
pub(super) struct RawServer {
    pub(super) listen: Option<At<Vec<RawListen>>>,
    pub(super) workers: Option<At<u64>>,
    pub(super) trusted_proxies: Option<Texts>,
    pub(super) proxy_headers: Option<Text>,
    pub(super) max_connections: Option<At<u64>>,
    pub(super) max_connections_per_address: Option<At<u64>>,
    pub(super) header_timeout: Option<Text>,
    pub(super) idle_timeout: Option<Text>,
    pub(super) websocket_idle: Option<Text>,
    pub(super) max_header_bytes: Option<Text>,
    pub(super) max_body: Option<Text>,
    pub(super) drain_timeout: Option<Text>,
    pub(super) tls: Vec<RawTls>,
    pub(super) hsts: Option<Text>,
    pub(super) redirect: Option<At<Vec<RawListen>>>,
    pub(super) h2c: Option<bool>,
}

impl RawServer {
    fn fields(server: &mut Table<'_>) -> Self {
        Self {
            listen: server.one_or_more_of("listen", RawListen::take),
            workers: server.number("workers", 1),
            trusted_proxies: server.texts("trusted_proxies"),
            proxy_headers: server.text("proxy_headers"),
            max_connections: server.number("max_connections", 1),
            max_connections_per_address: server.number("max_connections_per_address", 1),
            header_timeout: server.duration("header_timeout"),
            idle_timeout: server.duration("idle_timeout"),
            websocket_idle: server.duration("websocket_idle"),
            max_header_bytes: server.size("max_header_bytes"),
            max_body: server.size("max_body"),
            drain_timeout: server.duration("drain_timeout"),
            tls: server.one_or_more_tables("tls", RawTls::fields),
            hsts: server.duration("hsts"),
            redirect: server.one_or_more_of("redirect", RawListen::take),
            h2c: server.flag("h2c"),
        }
    }
}

/// A place to listen: its address alone, or a table that says more of it.
pub(super) struct RawListen {
    pub(super) address: Option<Text>,
    pub(super) proxy_protocol: Option<bool>,
}

impl RawListen {
    fn take<'a>(server: &Table<'a>, key: &str, written: At<DeValue<'a>>) -> Option<Self> {
        let At { value, place } = written;
        match value {
            DeValue::String(text) => Some(Self {
                address: Some(place.at(text.into_owned())),
                proxy_protocol: None,
            }),
            table @ DeValue::Table(_) => server.open(key, place.at(table), |listen| Self {
                address: listen.needed("address", Table::text),
                proxy_protocol: listen.flag("proxy_protocol"),
            }),
            _ => {
                let text = "a place to listen must be a string, or { address = \"127.0.0.1:8080\", \
                    proxy_protocol = true }";
                server.problem(place, text);
                None
            }
        }
    }
}

pub(super) struct RawTls {
    pub(super) place: Place,
    pub(super) cert: Option<RawFile>,
    pub(super) key: Option<RawFile>,
}

impl RawTls {
    fn fields(tls: &mut Table<'_>) -> Self {
        Self {
            place: tls.place(),
            cert: tls.needed("cert", RawFile::take),
            key: tls.needed("key", RawFile::take),
        }
    }
}

/// Where a file lies that may hold a secret.
pub(super) enum RawFile {
    Path(Text),
    Credential(Text),
}

impl RawFile {
    /// Takes the file that `table` names for `key`.
    fn take(table: &mut Table<'_>, key: &'static str) -> Option<Self> {
        let At { value, place } = table.any(key)?;
        match value {
            DeValue::String(path) => Some(Self::Path(place.at(path.into_owned()))),
            DeValue::Table(_) => table.open(key, place.at(value), |file| {
                file.needed("credential", Table::text).map(Self::Credential)
            })?,
            _ => {
                let text =
                    format!("`{key}` must be the path of a file, or {{ credential = \"NAME\" }}");
                table.problem(place, &text);
                None
            }
        }
    }

    /// Where it is named.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Path(written) | Self::Credential(written) => written.place,
        }
    }
}

pub(super) struct RawAdmin {
    pub(super) place: Place,
    pub(super) listen: Option<Text>,
    pub(super) token: Option<RawSecret>,
}

impl RawAdmin {
    fn fields(admin: &mut Table<'_>) -> Self {
        Self {
            place: admin.place(),
            listen: admin.text("listen"),
            token: RawSecret::take(admin, "token"),
        }
    }
}

#[derive(Default)]
pub(super) struct RawWechat {
    pub(super) base_url: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) deadline: Option<Text>,
    pub(super) open_data_max_age: Option<Text>,
}

impl RawWechat {
    fn fields(wechat: &mut Table<'_>) -> Self {
        Self {
            base_url: wechat.text("base_url"),
            timeout: wechat.duration("timeout"),
            deadline: wechat.duration("deadline"),
            open_data_max_age: wechat.duration("open_data_max_age"),
        }
    }
}

pub(super) struct RawApp {
    pub(super) appid: Option<Text>,
    pub(super) secret: Option<RawSecret>,
}

impl RawApp {
    fn fields(app: &mut Table<'_>) -> Self {
        Self {
            appid: app.needed("appid", Table::text),
            secret: app.needed("secret", RawSecret::take),
        }
    }
}

#[derive(Default)]
pub(super) struct RawSessions {
    pub(super) store: Option<RawStore>,
    pub(super) lifetime: Option<Text>,
    pub(super) idle: Option<Text>,
    pub(super) capacity: Option<At<u64>>,
    pub(super) max_sessions_per_user: Option<At<u64>>,
    pub(super) rotate_grace: Option<Text>,
    pub(super) token: Option<Texts>,
    pub(super) login_replay: Option<Text>,
    pub(super) state: Option<Text>,
    pub(super) state_interval: Option<Text>,
    pub(super) encryption_keys: Option<At<Vec<RawSecret>>>,
}

impl RawSessions {
    fn fields(sessions: &mut Table<'_>) -> Self {
        Self {
            store: RawStore::take(sessions),
            lifetime: sessions.duration("lifetime"),
            idle: sessions.duration("idle"),
            capacity: sessions.number("capacity", 1),
            max_sessions_per_user: sessions.number("max_sessions_per_user", 1),
            rotate_grace: sessions.duration("rotate_grace"),
            token: sessions.some_texts("token"),
            login_replay: sessions.duration("login_replay"),
            state: sessions.text("state"),
            state_interval: sessions.duration("state_interval"),
            encryption_keys: sessions.one_or_more_of("encryption_keys", RawSecret::take_written),
        }
    }
}

#[derive(Default)]
pub(super) struct RawIdentity {
    pub(super) identity_preset: Option<Text>,
    pub(super) openid: Option<Text>,
    pub(super) unionid: Option<Text>,
    pub(super) appid: Option<Text>,
    pub(super) user_id: Option<Text>,
    pub(super) claims: Vec<(Text, Text)>,
}

impl RawIdentity {
    fn fields(identity: &mut Table<'_>) -> Self {
        Self {
            user_id: identity.text("user_id"),
            claims: identity.named_texts("claims"),
            identity_preset: identity.text("identity_preset"),
            openid: identity.text("openid"),
            unionid: identity.text("unionid"),
            appid: identity.text("appid"),
        }
    }
}

pub(super) struct RawUpstream {
    pub(super) servers: Option<Texts>,
    pub(super) host: Option<Text>,
    pub(super) tls: Option<RawBackendTls>,
    pub(super) balance: Option<Text>,
    pub(super) max_fails: Option<At<u64>>,
    pub(super) fail_timeout: Option<Text>,
    pub(super) retries: Option<At<u64>>,
    pub(super) health: Option<RawHealth>,
    pub(super) connect_timeout: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) max_requests: Option<At<u64>>,
    pub(super) queue: Option<At<u64>>,
    pub(super) scripts: RawScripts,
}

impl RawUpstream {
    fn fields(upstream: &mut Table<'_>) -> Self {
        Self {
            servers: upstream.needed("servers", Table::some_texts),
            host: upstream.text("host"),
            tls: upstream.table("tls", RawBackendTls::fields),
            balance: upstream.text("balance"),
            max_fails: upstream.number("max_fails", 1),
            fail_timeout: upstream.duration("fail_timeout"),
            retries: upstream.number("retries", 0),
            health: upstream.table("health", RawHealth::fields),
            connect_timeout: upstream.duration("connect_timeout"),
            timeout: upstream.duration("timeout"),
            max_requests: upstream.number("max_requests", 1),
            queue: upstream.number("queue", 0),
            scripts: RawScripts::fields(upstream),
        }
    }
}

pub(super) struct RawHealth {
    pub(super) path: Option<Text>,
    pub(super) interval: Option<Text>,
    pub(super) timeout: Option<Text>,
}

impl RawHealth {
    fn fields(health: &mut Table<'_>) -> Self {
        Self {
            path: health.needed("path", Table::text),
            interval: health.duration("interval"),
            timeout: health.duration("timeout"),
        }
    }
}

pub(super) struct RawBackendTls {
    pub(super) place: Place,
    pub(super) ca: Option<Text>,
    pub(super) server_name: Option<Text>,
}

impl RawBackendTls {
    pub(super) fn fields(tls: &mut Table<'_>) -> Self {
        Self {
            place: tls.place(),
            ca: tls.text("ca"),
            server_name: tls.text("server_name"),
        }
    }
}

pub(super) struct RawRefusal<'a> {
    pub(super) place: Place,
    pub(super) status: Option<At<u64>>,
    pub(super) body: Option<Shape<'a>>,
}

impl<'a> RawRefusal<'a> {
    fn fields(refusal: &mut Table<'a>) -> Self {
        Self {
            place: refusal.place(),
            status: refusal.number("status", 0),
            body: refusal.any("body"),
        }
    }
}
