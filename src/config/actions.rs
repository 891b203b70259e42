//! What a route does: one of wxgate's own actions, or an upstream behind a guard. Knows no paths.

use super::answer;
use super::headers::Managed;
use super::login_apps;
use super::on_login;
use super::open_data;
use super::phone;
use super::plan::{
    Action, AppPlan, Apps, Forward, Guard, Login, SessionRoute, SessionsPlan, UpstreamPlan,
};
use super::raw::{RawDeed, RawRoute, RawRule, Text, Texts};
use super::source::Source;
use super::verdict;
use super::websocket;
use crate::domain::front::Front;
use crate::domain::template::Placeholder;

/// What a route may refer to.
pub(super) struct Scope<'a> {
    /// The apps of the file, whether they could be had or not.
    pub(super) app_names: &'a [String],
    /// The apps that could be had.
    pub(super) apps: &'a [AppPlan],
    /// The upstreams of the file.
    pub(super) upstream_names: &'a [String],
    /// The same, each at the place of its name.
    pub(super) upstreams: &'a [UpstreamPlan],
    /// The claims that have a header.
    pub(super) claims: &'a [String],
    /// Whether there is a proxy in front whose word counts.
    pub(super) has_front: bool,
    /// The headers that no route may change.
    pub(super) managed: &'a Managed,
    /// Where requests have their token.
    pub(super) sessions: &'a SessionsPlan,
}

pub(super) fn plan(
    mut raw: RawDeed<'_>,
    rule: &RawRule,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Action> {
    let (action, upstream) = (raw.action.take(), raw.upstream.take());
    let Some(action) = action else {
        if let Some(upstream) = upstream {
            return forward(&upstream, raw, rule, scope, source);
        }
        let text = "this route does nothing; give it an `action` or an `upstream`";
        source.missing(raw.place, text);
        return None;
    };
    let place = action.place;
    match (source.choose(Some(action), "action", &ACTIONS), upstream) {
        (Some(Named::Phone), upstream) => phone::plan(upstream.as_ref(), raw, rule, scope, source),
        (Some(Named::Own(own)), None) => {
            check_methods(own, rule, source);
            answer_here(own, raw, scope, source)
        }
        (Some(Named::Front(front)), None) => verdict::plan(front, place, raw, rule, scope, source),
        (Some(Named::Own(_) | Named::Front(_)), Some(upstream)) => {
            let text = "a route has either an `action` or an `upstream`; remove one of them";
            source.problem(upstream.place, text);
            None
        }
        // What else the route may have depends on the action that was meant.
        (None, _) => None,
    }
}

/// Whether one of these routes rotates skeys.
pub(super) fn rotate(routes: &[RawRoute<'_>]) -> bool {
    let mut actions = routes.iter().filter_map(|route| route.deed.action.as_ref());
    actions.any(|action| action.value == "rotate")
}

/// An action by its name.
#[derive(Clone, Copy)]
enum Named {
    Own(Own),
    Phone,
    Front(Front),
}

/// An action that wxgate answers alone.
#[derive(Clone, Copy)]
enum Own {
    Login,
    Check,
    Rotate,
    Logout,
}

const ACTIONS: [(&str, Named); 8] = [
    ("login", Named::Own(Own::Login)),
    ("check", Named::Own(Own::Check)),
    ("rotate", Named::Own(Own::Rotate)),
    ("logout", Named::Own(Own::Logout)),
    ("phone", Named::Phone),
    ("auth-request", Named::Front(Front::AuthRequest)),
    ("forward-auth", Named::Front(Front::ForwardAuth)),
    // Its depth is that of its path.
    ("ext-authz", Named::Front(Front::ExtAuthz { depth: 0 })),
];

/// Holds a route to the methods that its action takes.
fn check_methods(own: Own, rule: &RawRule, source: &Source<'_>) {
    let (taken, text): (&[&str], _) = match own {
        Own::Rotate => (
            &["POST"],
            "the action `rotate` takes POST, and no other method",
        ),
        Own::Login | Own::Check | Own::Logout => (
            &["GET", "POST"],
            "an action takes GET and POST, and no other method",
        ),
    };
    for method in rule.methods.iter().flat_map(|methods| &methods.value) {
        if !taken.contains(&method.value.as_str()) {
            source.problem(method.place, text);
        }
    }
}

fn answer_here(
    own: Own,
    raw: RawDeed<'_>,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Action> {
    if let Some(place) = raw.auth.as_ref().map(|auth| auth.place) {
        source.problem(
            place,
            "`auth` guards an upstream; remove it, or name an `upstream`",
        );
    }
    open_data::refuse(&raw, source);
    websocket::refuse(&raw, source);
    if !matches!(own, Own::Login) {
        on_login::refuse(&raw, source);
        login_apps::refuse(&raw, source);
    }
    let response = |allowed| {
        let shape = raw.response.as_ref()?;
        answer::template(shape, allowed, source)
    };
    match own {
        Own::Login => Some(Action::Login(Login {
            response: response(Placeholder::LOGIN),
            apps: login_apps::plan(&raw, scope, source)?,
            on_login: on_login::plan(raw.on_login, scope, source),
        })),
        Own::Check => Some(Action::Check(SessionRoute {
            response: response(Placeholder::CHECK),
            apps: apps(raw.app, scope, source),
        })),
        Own::Rotate => Some(Action::Rotate(SessionRoute {
            response: response(Placeholder::ROTATE),
            apps: apps(raw.app, scope, source),
        })),
        Own::Logout => Some(Action::Logout(SessionRoute {
            response: response(Placeholder::LOGOUT),
            apps: apps(raw.app, scope, source),
        })),
    }
}

fn forward(
    written: &Text,
    raw: RawDeed<'_>,
    rule: &RawRule,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Action> {
    if let Some(place) = raw.response.as_ref().map(|response| response.place) {
        let text = "`response` shapes the answer of an action; an upstream answers for itself";
        source.problem(place, text);
    }
    on_login::refuse(&raw, source);
    login_apps::refuse(&raw, source);
    let guards = [
        ("required", Guard::Required),
        ("optional", Guard::Optional),
        ("none", Guard::None),
    ];
    let guard = source.choose(raw.auth.clone(), "guard", &guards);
    let open_data = open_data::plan(&raw, guard, source);
    let upstream = source.find(written, "upstream", scope.upstream_names);
    let planned = upstream.and_then(|upstream| scope.upstreams.get(upstream));
    let websocket = websocket::plan(&raw, rule, planned, source);
    let apps = apps(raw.app, scope, source);
    Some(Action::Forward(Forward {
        upstream: upstream?,
        guard: guard.unwrap_or(Guard::Required),
        apps,
        open_data,
        websocket,
    }))
}

pub(super) fn apps(written: Option<Texts>, scope: &Scope<'_>, source: &Source<'_>) -> Apps {
    let Some(names) = written else {
        return Apps::Any;
    };
    let index = |name| source.find(name, "app", scope.app_names);
    Apps::Only(names.value.iter().filter_map(index).collect())
}
