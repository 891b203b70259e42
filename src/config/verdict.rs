//! `action = "auth-request"`, `"forward-auth"` and `"ext-authz"`: verdicts for a proxy in front. Knows no upstreams.

use http::StatusCode;

use super::actions::{Scope, apps};
use super::login_apps;
use super::on_login;
use super::open_data;
use super::plan::{Action, Guard, Verdict};
use super::raw::{RawDeed, RawRefusal, RawRule, Text};
use super::source::{Place, Source};
use super::websocket;
use crate::domain::front::Front;
use crate::domain::route::PathPattern;

/// `place` is where the action is named.
pub(super) fn plan(
    front: Front,
    place: Place,
    raw: RawDeed<'_>,
    rule: &RawRule,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Action> {
    if !scope.has_front {
        let text = "nobody may ask here; name the addresses of the proxy in front in `trusted_proxies` of [server]";
        source.problem(place, text);
    }
    refuse_shapes(&raw, source);
    open_data::refuse(&raw, source);
    websocket::refuse(&raw, source);
    on_login::refuse(&raw, source);
    login_apps::refuse(&raw, source);
    let guards = [("required", Guard::Required), ("optional", Guard::Optional)];
    let guard = source.choose(raw.auth.clone(), "guard of an answer to a proxy", &guards);
    let front = match front {
        Front::ExtAuthz { .. } => Front::ExtAuthz {
            depth: depth(rule.path.as_ref()?, source)?,
        },
        other => other,
    };
    Some(Action::Verdict(Verdict {
        front,
        guard: guard.unwrap_or(Guard::Required),
        apps: apps(raw.app, scope, source),
    }))
}

/// Notes that refusals of such a route have a status by which a request would pass.
pub(super) fn check_refusals(
    action: Option<&Action>,
    refusals: &[(Text, RawRefusal<'_>)],
    source: &Source<'_>,
) {
    if !matches!(action, Some(Action::Verdict(_))) {
        return;
    }
    for status in refusals.iter().filter_map(|(_, raw)| raw.status.as_ref()) {
        let read = u16::try_from(status.value).ok();
        let read = read.and_then(|number| StatusCode::from_u16(number).ok());
        if read.is_some_and(|status| !Front::is_refusal(status)) {
            let text = "under this status the proxy in front would let the request pass; write one from 400 to 599";
            source.problem(status.place, text);
        }
    }
}

fn refuse_shapes(raw: &RawDeed<'_>, source: &Source<'_>) {
    if let Some(response) = &raw.response {
        let text = "`response` shapes the body of an answer, and a proxy in front reads only its headers; remove it";
        source.problem(response.place, text);
    }
    if let Some(dialect) = &raw.dialect {
        let text = "`dialect` refuses under HTTP 200, which lets a request pass here; remove it";
        source.problem(dialect.place, text);
    }
}

/// How many segments stand before the original path.
fn depth(path: &Text, source: &Source<'_>) -> Option<usize> {
    match PathPattern::parse(&path.value) {
        Ok(PathPattern::Below(prefix)) => Some(prefix.split(|b| *b == b'/').skip(1).count()),
        Ok(PathPattern::Exact(_)) => {
            let text =
                "Envoy puts the original path behind this one; write it with \"/*\" at its end";
            source.problem(path.place, text);
            None
        }
        // The route itself says what is wrong with it.
        Err(_) => None,
    }
}
