//! What a config means, checked and resolved: the only form in which the other rooms see it.

mod address;
mod fastcgi;
mod limits;
mod route;
mod server;
mod store;
mod upstream;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use crate::domain::encryption_key::EncryptionKey;
use crate::domain::identity::{App, Fact};
use crate::domain::route::RouteTable;
use crate::domain::secret::Secret;
use crate::domain::session::SessionLimits;
use crate::domain::token::TokenPlace;

pub use address::{ServerAddress, Spot};
pub use fastcgi::FastCgiPlan;
pub use limits::{CrowdPlan, LimitsPlan, Rate};
pub use route::{
    Action, Apps, Forward, Guard, Login, OnFailure, OnLogin, PhoneRoute, Recipient, RefusalShape,
    RefusalShapes, RouteChanges, RoutePlan, SessionRoute, Verdict,
};
pub use server::{AdminPlan, ListenPlace, ListenPlan, ServerPlan, TlsPlan};
pub use store::{RedisAddress, RedisLogin, RedisPlan, RedisServers, StorePlan};
pub use upstream::{BackendTls, Balance, HealthPlan, UpstreamPlan};

/// A whole config.
#[derive(Debug)]
pub struct Plan {
    /// The public listener.
    pub server: ServerPlan,
    /// The operator's listener, if there is one.
    pub admin: Option<AdminPlan>,
    /// How often clients may come.
    pub limits: LimitsPlan,
    /// How to speak to WeChat.
    pub wechat: WechatPlan,
    /// The mini-programs, each with its secret; an [`App`]'s index is its place here.
    pub apps: Vec<AppPlan>,
    /// Sessions and their tokens.
    pub sessions: SessionsPlan,
    /// The names under which backends get the identity.
    pub identity: IdentityPlan,
    /// The backends.
    pub upstreams: Vec<UpstreamPlan>,
    /// The rules, in the order of the file.
    pub routes: Vec<RoutePlan>,
    /// The rules, arranged to be found; it finds places in `routes`.
    pub route_table: RouteTable,
    /// `[refusals]`: the answer shapes that hold where a route has none of its own.
    pub refusals: RefusalShapes,
    /// The log.
    pub log: LogPlan,
}

/// `[wechat]`.
#[derive(Clone, Debug)]
pub struct WechatPlan {
    /// `http://` or `https://`, without a slash at the end.
    pub base_url: String,
    /// One call.
    pub timeout: Duration,
    /// A whole login, retries included.
    pub deadline: Duration,
    /// How old encrypted data may be; none for any age.
    pub open_data_max_age: Option<Duration>,
}

/// `[apps.NAME]`.
#[derive(Clone, Debug)]
pub struct AppPlan {
    /// Name, appid and place.
    pub app: Arc<App>,
    /// The app secret.
    pub secret: Secret,
}

/// `[sessions]`.
#[derive(Clone, Debug)]
pub struct SessionsPlan {
    /// Where they are kept.
    pub store: StorePlan,
    /// Lifetime and idle time.
    pub limits: SessionLimits,
    /// Sessions at a time; in Redis, those of which a gateway knows without asking.
    pub capacity: u64,
    /// Sessions of one user in one app at a time, if not any number: a login beyond ends the oldest.
    pub max_per_user: Option<NonZeroUsize>,
    /// For how long a skey that was rotated still holds, if any route rotates.
    pub rotation: Option<Duration>,
    /// Where to look for a skey, in order; at least one place.
    pub token: Vec<TokenPlace>,
    /// Headers that clients send beside the token, and that no backend gets.
    pub beside: Vec<HeaderName>,
    /// For how long the same (app, code) gets the same skey; zero for never.
    pub login_replay: Duration,
    /// Where sessions outlast the process, if they do.
    pub state: Option<StatePlan>,
    /// What seals sessions where they are written down: the first, and any of them opens. Without one they are not sealed.
    pub encryption_keys: Vec<EncryptionKey>,
}

/// The file in which sessions outlast the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatePlan {
    /// The file.
    pub file: PathBuf,
    /// How often it is written beside the end.
    pub interval: Duration,
}

/// `[identity]`.
#[derive(Clone, Debug, Default)]
pub struct IdentityPlan {
    /// The headers that tell a backend who it is, no two of one name.
    pub headers: Vec<IdentityHeader>,
    /// What a backend calls the claims; a [`Fact::Claim`] is a place here.
    pub claims: Vec<String>,
}

impl IdentityPlan {
    /// The names of its headers.
    pub fn names(&self) -> impl Iterator<Item = HeaderName> + Clone {
        self.headers.iter().map(|header| header.name.clone())
    }
}

/// A header that tells one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Its name.
    pub name: HeaderName,
    /// What it tells.
    pub fact: Fact,
}

/// `[log]`.
#[derive(Clone, Debug)]
pub struct LogPlan {
    /// How lines are written.
    pub format: LogFormat,
    /// `level`: a filter such as `info` or `wxgate=debug`; `RUST_LOG` where it is missing.
    pub level: Option<String>,
}

/// `format = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
