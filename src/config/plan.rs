//! What a config means, checked and resolved: the only form in which the other rooms see it.

mod limits;
mod server;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, StatusCode, uri::Authority};

use crate::domain::app_choice::AppChoice;
use crate::domain::call_path::CallPath;
use crate::domain::field_name::FieldName;
use crate::domain::front::Front;
use crate::domain::identity::{App, Fact};
use crate::domain::refusal::RefusalCode;
use crate::domain::route::{RoutePattern, RouteTable};
use crate::domain::secret::Secret;
use crate::domain::session::SessionLimits;
use crate::domain::template::Template;
use crate::domain::token::TokenPlace;

pub use limits::{CrowdPlan, LimitsPlan, Rate};
pub use server::{AdminPlan, ListenPlan, ServerPlan, TlsPlan};

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
    /// Lifetime and idle time.
    pub limits: SessionLimits,
    /// Sessions at a time.
    pub capacity: u64,
    /// Where to look for a skey, in order; at least one place.
    pub token: Vec<TokenPlace>,
    /// Headers that clients send beside the token, and that no backend gets.
    pub beside: Vec<HeaderName>,
    /// For how long the same (app, code) gets the same skey; zero for never.
    pub login_replay: Duration,
}

/// `[identity]`.
#[derive(Clone, Debug, Default)]
pub struct IdentityPlan {
    /// The headers that tell a backend who it is, no two of one name.
    pub headers: Vec<IdentityHeader>,
    /// What a backend calls the claims; a [`Fact::Claim`] is a place here.
    pub claims: Vec<String>,
}

/// A header that tells one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Its name.
    pub name: HeaderName,
    /// What it tells.
    pub fact: Fact,
}

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct UpstreamPlan {
    /// The name.
    pub name: String,
    /// The servers, which take turns; at least one.
    pub servers: Vec<ServerAddress>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the response head.
    pub timeout: Duration,
    /// How many requests it takes at a time; none for all.
    pub crowd: Option<CrowdPlan>,
}

/// `"http://host:port"`, without path, query and user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress(Authority);

impl ServerAddress {
    /// Takes an authority that has a port, or means port 80.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self(authority)
    }

    /// The name or address, an IPv6 one without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `[[routes]]`.
#[derive(Debug)]
pub struct RoutePlan {
    /// What logs and metrics call it: the path as written, with methods and hosts before it if it has them.
    pub label: String,
    /// What it asks of a request.
    pub pattern: RoutePattern,
    /// What it does.
    pub action: Action,
    /// Bytes of a request body.
    pub max_body: u64,
    /// `refusals`: its own answer shapes.
    pub refusals: RefusalShapes,
}

/// What a route does.
#[derive(Debug)]
pub enum Action {
    /// `action = "login"`.
    Login(Login),
    /// `action = "check"`.
    Check {
        /// Whose sessions it takes.
        apps: Apps,
        /// `response`, if it has its own.
        response: Option<Template>,
    },
    /// `action = "logout"`.
    Logout {
        /// Whose sessions it takes.
        apps: Apps,
        /// `response`, if it has its own.
        response: Option<Template>,
    },
    /// `action = "phone"`.
    Phone(PhoneRoute),
    /// `action = "auth-request"`, `"forward-auth"` or `"ext-authz"`.
    Verdict(Verdict),
    /// `upstream = "…"`.
    Forward(Forward),
}

/// What a login route does.
#[derive(Debug)]
pub struct Login {
    /// The apps whose codes it takes.
    pub apps: AppChoice,
    /// `on_login`, if a backend is told.
    pub on_login: Option<Arc<OnLogin>>,
    /// `response`, if it has its own.
    pub response: Option<Template>,
}

/// `on_login = { … }`: the backend that is told of a login before it is answered.
#[derive(Debug, PartialEq, Eq)]
pub struct OnLogin {
    /// Its place among the upstreams.
    pub upstream: usize,
    /// Where it is told, and where nobody else comes.
    pub path: CallPath,
    /// The whole call.
    pub timeout: Duration,
    /// What becomes of the login if the call fails.
    pub on_failure: OnFailure,
    /// The claims that have a header, in the order of the config.
    pub claims: Vec<String>,
}

/// `on_failure = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The login is refused.
    Refuse,
    /// The login goes on as if the backend had nothing to say.
    Pass,
}

/// What a route does with a phone code.
#[derive(Debug)]
pub struct PhoneRoute {
    /// Whose sessions it takes.
    pub apps: Apps,
    /// Who is told the number.
    pub recipient: Recipient,
}

/// Who is told a user's phone number.
#[derive(Debug)]
pub enum Recipient {
    /// A backend, in the body of the request.
    Upstream {
        /// Its place among the upstreams.
        upstream: usize,
        /// The name under which the number goes on.
        field: FieldName,
    },
    /// The client itself, in this answer.
    Client(Template),
}

/// How a route tells a proxy in front whether a request may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How the proxy asks.
    pub front: Front,
    /// Who is let through.
    pub guard: Guard,
    /// Whose sessions it takes.
    pub apps: Apps,
}

/// What a route with an upstream does.
#[derive(Debug)]
pub struct Forward {
    /// Its place among the upstreams.
    pub upstream: usize,
    /// Who is let through.
    pub guard: Guard,
    /// Whose sessions it takes.
    pub apps: Apps,
    /// `open_data = "decrypt"`: the name under which encrypted data goes on, opened.
    pub open_data: Option<FieldName>,
}

/// `auth = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Only requests with a session.
    Required,
    /// Requests with a session under its identity, all others without one.
    Optional,
    /// All requests, without an identity.
    None,
}

/// The apps whose sessions a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Apps {
    /// All of them.
    Any,
    /// These, by their places.
    Only(Vec<usize>),
}

impl Apps {
    /// Whether sessions of `app` are taken.
    #[must_use]
    pub fn include(&self, app: &App) -> bool {
        match self {
            Self::Any => true,
            Self::Only(apps) => apps.contains(&app.index),
        }
    }
}

/// The answer shapes of some refusals.
#[derive(Clone, Debug, Default)]
pub struct RefusalShapes(Vec<(RefusalCode, RefusalShape)>);

/// What a refusal looks like: each part only where the config says it.
#[derive(Clone, Debug)]
pub struct RefusalShape {
    /// `status`.
    pub status: Option<StatusCode>,
    /// `body`.
    pub body: Option<Template>,
}

impl RefusalShapes {
    /// Collects shapes, each for its code.
    #[must_use]
    pub fn new(shapes: Vec<(RefusalCode, RefusalShape)>) -> Self {
        Self(shapes)
    }

    /// These shapes, and those of `others` for what they leave open: a whole code, its status, or its body.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (code, other) in others.0 {
            match self.0.iter_mut().find(|(known, _)| *known == code) {
                Some((_, shape)) => {
                    shape.status = shape.status.or(other.status);
                    shape.body = shape.body.take().or(other.body);
                }
                None => self.0.push((code, other)),
            }
        }
        self
    }

    /// The shape of `code`, if it has one here.
    #[must_use]
    pub fn get(&self, code: RefusalCode) -> Option<&RefusalShape> {
        self.0
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, shape)| shape)
    }
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
