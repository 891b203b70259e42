//! `dialect` of a route: what clients with one of Tencent's Wafer SDKs take for a login, and for "log in again". It
//! is said in the words that every config has: the route's `response` and `refusals`, and a place for the token.

use http::{HeaderName, StatusCode};
use serde_json::{Value, json};

use super::plan::{Action, RefusalShape, RefusalShapes};
use super::raw::{RawDeed, RawRoute, Text};
use super::source::Source;
use crate::domain::refusal::RefusalCode;
use crate::domain::template::{Placeholder, Template};

/// The mark of Wafer 1. A client takes a login without it for failed, and drops its session at any other answer that
/// has it, whatever that says.
const MAGIC: &str = "F2C224D4-2BCE-4C64-AF9F-A6D872000D1A";
/// The header in which clients of both send the token.
pub(super) const TOKEN: HeaderName = HeaderName::from_static("x-wx-skey");
/// The header in which those of Wafer 1 send the id of the session beside it.
const ID: HeaderName = HeaderName::from_static("x-wx-id");

/// How the clients of a route speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Those with the npm package `wafer-client-sdk`.
    Wafer1,
    /// Those with the npm package `wafer2-client-sdk`.
    Wafer2,
}

/// What a route answers where it does not say so itself.
#[derive(Default)]
pub(super) struct Defaults {
    response: Option<Template>,
    pub(super) refusals: RefusalShapes,
}

/// The dialects that these routes speak.
pub(super) fn spoken(routes: &[RawRoute<'_>]) -> Vec<Dialect> {
    let written = routes
        .iter()
        .filter_map(|route| route.deed.dialect.as_ref());
    written.filter_map(dialect).collect()
}

/// The headers that clients of these dialects send beside the token.
pub(super) fn beside(dialects: &[Dialect]) -> Vec<HeaderName> {
    let id = dialects.contains(&Dialect::Wafer1).then_some(ID);
    id.into_iter().collect()
}

/// What the dialect of a route makes of its answers.
pub(super) fn plan(raw: &RawDeed<'_>, source: &Source<'_>) -> Defaults {
    let Some(written) = &raw.dialect else {
        return Defaults::default();
    };
    let Some(dialect) = dialect(written) else {
        source.unknown(written, "dialect", Dialect::ALL.map(Dialect::name));
        return Defaults::default();
    };
    let is_open = raw
        .auth
        .as_ref()
        .is_some_and(|auth| auth.value != "required");
    match raw.action.as_ref().map(|action| action.value.as_str()) {
        Some("login") => return dialect.of_login(),
        Some("logout") => {
            let text = "`dialect` makes clients log in again, which no logout is for; remove it";
            source.problem(written.place, text);
        }
        None if is_open => {
            let text = "`dialect` says how a missing session is refused, and this route asks for none; remove it, or \
                        leave `auth` at \"required\"";
            source.problem(written.place, text);
        }
        Some(_) | None => {}
    }
    dialect.of_sessions()
}

fn dialect(written: &Text) -> Option<Dialect> {
    let mut all = Dialect::ALL.into_iter();
    all.find(|dialect| dialect.name() == written.value)
}

impl Defaults {
    /// Gives a login the answer that it has none of its own for.
    pub(super) fn complete(&mut self, mut action: Action) -> Action {
        if let Action::Login(login) = &mut action {
            login.response = login.response.take().or(self.response.take());
        }
        action
    }
}

impl Dialect {
    const ALL: [Self; 2] = [Self::Wafer1, Self::Wafer2];

    const fn name(self) -> &'static str {
        match self {
            Self::Wafer1 => "wafer1",
            Self::Wafer2 => "wafer2",
        }
    }

    /// A login whose clients read every answer under HTTP 200.
    fn of_login(self) -> Defaults {
        let response = match self {
            Self::Wafer1 => {
                json!({MAGIC: 1, "session": {"id": "{session_id}", "skey": "{skey}"}})
            }
            Self::Wafer2 => {
                json!({"code": 0, "data": {"skey": "{skey}", "userinfo": "{user_info}"}})
            }
        };
        Defaults {
            response: Template::parse(&response, Placeholder::LOGIN).ok(),
            refusals: shapes(&RefusalCode::ALL, &self.refusal("ERR_LOGIN_FAILED")),
        }
    }

    /// A route with a session. What is refused for another reason has none of the marks of a session that is lost.
    fn of_sessions(self) -> Defaults {
        let error = match self {
            Self::Wafer1 => "ERR_INVALID_SESSION",
            Self::Wafer2 => "ERR_SESSION_INVALID",
        };
        let lost = [
            RefusalCode::SessionMissing,
            RefusalCode::SessionInvalid,
            RefusalCode::SessionReplaced,
        ];
        Defaults {
            response: None,
            refusals: shapes(&lost, &self.refusal(error)),
        }
    }

    fn refusal(self, error: &str) -> Value {
        match self {
            Self::Wafer1 => json!({MAGIC: 1, "error": error, "message": "{message}"}),
            Self::Wafer2 => json!({"code": -1, "error": error, "message": "{message}"}),
        }
    }
}

fn shapes(codes: &[RefusalCode], body: &Value) -> RefusalShapes {
    let body = Template::parse(body, Placeholder::REFUSAL).ok();
    let shape = RefusalShape {
        status: Some(StatusCode::OK),
        body,
    };
    RefusalShapes::new(codes.iter().map(|code| (*code, shape.clone())).collect())
}
