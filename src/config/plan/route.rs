//! A rule and what it does, as the config means it. Knows no servers.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::domain::app_choice::AppChoice;
use crate::domain::call_path::CallPath;
use crate::domain::cors::Cors;
use crate::domain::field_name::FieldName;
use crate::domain::front::Front;
use crate::domain::header_edits::HeaderEdits;
use crate::domain::identity::App;
use crate::domain::prefix::PrefixChange;
use crate::domain::refusal::RefusalCode;
use crate::domain::route::RoutePattern;
use crate::domain::template::Template;

/// `[[routes]]`.
#[derive(Debug)]
pub struct RoutePlan {
    /// What logs and metrics call it: the path as written, with methods and hosts before it if it has them.
    pub label: String,
    /// What it asks of a request.
    pub pattern: RoutePattern,
    /// What it does.
    pub action: Action,
    /// What it changes of what passes through it.
    pub changes: RouteChanges,
    /// `cors`: the pages of other origins that may read its answers, if any.
    pub cors: Option<Cors>,
    /// Bytes of a request body.
    pub max_body: u64,
    /// `refusals`: its own answer shapes.
    pub refusals: RefusalShapes,
}

/// What a route changes of what passes between a client and its upstream.
#[derive(Debug, Default)]
pub struct RouteChanges {
    /// `strip_prefix` and `add_prefix`, if there is one.
    pub prefix: Option<PrefixChange>,
    /// `request_headers`: what the backend gets otherwise than it came, if anything.
    pub request: Option<HeaderEdits>,
    /// `response_headers`: the same for what the backend answers.
    pub response: Option<HeaderEdits>,
}

/// A route whose answer is about the session of whoever asks.
#[derive(Debug)]
pub struct SessionRoute {
    /// Whose sessions it takes.
    pub apps: Apps,
    /// `response`, if it has its own.
    pub response: Option<Template>,
}

/// What a route does.
#[derive(Debug)]
pub enum Action {
    /// `action = "login"`.
    Login(Login),
    /// `action = "check"`.
    Check(SessionRoute),
    /// `action = "rotate"`.
    Rotate(SessionRoute),
    /// `action = "logout"`.
    Logout(SessionRoute),
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
    /// `websocket = true`: whether requests may become WebSockets.
    pub websocket: bool,
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

    /// All shapes, each with its code.
    pub fn iter(&self) -> impl Iterator<Item = &(RefusalCode, RefusalShape)> {
        self.0.iter()
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
