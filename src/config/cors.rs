//! `cors` of a route: the pages of other origins that may read its answers. Knows no paths.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};

use super::plan::{Action, SessionsPlan};
use super::raw::{RawCors, Texts};
use super::routes::method;
use super::source::Source;
use super::units::duration_or_zero;
use crate::domain::app_choice::{AppChoice, AppPlace};
use crate::domain::cors::{Cors, Origin, listed};
use crate::domain::managed_names::X_REQUEST_ID;
use crate::domain::token::TokenPlace;

/// For how long browsers remember what they were told.
const MAX_AGE: Duration = Duration::from_mins(10);
/// What requests to a backend use.
const USUAL_METHODS: [Method; 6] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// In which headers a login may come.
const OF_LOGINS: [&str; 3] = ["x-wx-code", "x-wx-encrypted-data", "x-wx-iv"];

/// What the route of `cors` does, and where requests to it have a token.
pub(super) struct Around<'a> {
    /// The methods that the route names; none for all.
    pub(super) methods: &'a [Method],
    /// What it does, if that makes sense.
    pub(super) action: Option<&'a Action>,
    /// The places of a token.
    pub(super) sessions: &'a SessionsPlan,
}

pub(super) fn plan(raw: RawCors, around: &Around<'_>, source: &Source<'_>) -> Option<Cors> {
    if let (Some(Action::Verdict(_)), Some(origins)) = (around.action, &raw.origins) {
        let text = "no page reads an answer to a proxy in front; remove `cors`, and let that proxy answer pages";
        source.problem(origins.place, text);
        return None;
    }
    let methods = match raw.methods {
        Some(written) => source.accept_all(Some(written), method),
        None => usual_methods(around),
    };
    let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
    let allowed = names(raw.allow_headers, source);
    let exposed = names(raw.expose_headers, source);
    let max_age = source.accept(raw.max_age, duration_or_zero);
    Some(Cors {
        origins: source.accept_all(raw.origins, Origin::parse),
        methods: HeaderValue::from_str(&methods.join(", ")).ok()?,
        allow_headers: listed(needed_headers(around).chain(allowed))?,
        expose_headers: listed([X_REQUEST_ID].into_iter().chain(exposed))?,
        credentials: raw.credentials.unwrap_or(false),
        max_age: HeaderValue::from(max_age.unwrap_or(MAX_AGE).as_secs()),
    })
}

fn usual_methods(around: &Around<'_>) -> Vec<Method> {
    match around.action {
        _ if !around.methods.is_empty() => around.methods.to_vec(),
        Some(Action::Login(_) | Action::Check { .. } | Action::Logout { .. }) => {
            vec![Method::GET, Method::POST]
        }
        Some(Action::Phone(_) | Action::Rotate { .. }) => vec![Method::POST],
        Some(Action::Verdict(_) | Action::Forward(_)) | None => USUAL_METHODS.to_vec(),
    }
}

/// The headers without which no request of a page would do: that of the body, and those that hold a token or a login.
fn needed_headers(around: &Around<'_>) -> impl Iterator<Item = HeaderName> {
    let tokens = around
        .sessions
        .token
        .iter()
        .filter_map(|place| match place {
            TokenPlace::Header(name) => Some(name.clone()),
            TokenPlace::Bearer => Some(AUTHORIZATION),
            TokenPlace::Query(_)
            | TokenPlace::Cookie(_)
            | TokenPlace::Form(_)
            | TokenPlace::Json(_)
            | TokenPlace::Subprotocol(_) => None,
        });
    let beside = around.sessions.beside.iter().cloned();
    let of_login = match around.action {
        Some(Action::Login(login)) => headers_of_login(&login.apps),
        Some(
            Action::Check { .. }
            | Action::Rotate { .. }
            | Action::Logout { .. }
            | Action::Phone(_)
            | Action::Verdict(_)
            | Action::Forward(_),
        )
        | None => Vec::new(),
    };
    [CONTENT_TYPE]
        .into_iter()
        .chain(tokens)
        .chain(beside)
        .chain(of_login)
}

fn headers_of_login(apps: &AppChoice) -> Vec<HeaderName> {
    let places = match apps {
        AppChoice::Only(_) => &[][..],
        AppChoice::Among { places, .. } => places,
    };
    let of_app = places.iter().filter_map(|place| match place {
        AppPlace::Header(name) => Some(name.clone()),
        AppPlace::Parameter(_) | AppPlace::Referer => None,
    });
    let usual = OF_LOGINS.map(HeaderName::from_static);
    usual.into_iter().chain(of_app).collect()
}

/// A text that is no name of a header.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no header name; write one such as \"X-App-Version\"")]
struct NoName(String);

fn names(written: Option<Texts>, source: &Source<'_>) -> Vec<HeaderName> {
    source.accept_all(written, |text| {
        // A star would stand for every header, and with credentials for none.
        let name = text.parse().ok().filter(|_| !text.contains('*'));
        name.ok_or_else(|| NoName(text.to_owned()))
    })
}
