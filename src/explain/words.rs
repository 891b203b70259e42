//! The rules in words for people. Knows no requests.

use std::fmt::Write;

use crate::config::plan::{Action, Apps, FastCgiPlan, Guard, OnFailure, OnLogin, Plan};
use crate::domain::app_choice::AppChoice;
use crate::domain::cors::Cors;
use crate::domain::header_edits::HeaderEdits;
use crate::domain::path::RequestPath;
use crate::domain::prefix::{PathPrefix, PrefixChange};
use crate::domain::script::Script;

/// Who is told of a login before it is answered.
pub(super) fn told_first(plan: &Plan, to: &OnLogin) -> String {
    let upstream = upstream_in_words(plan, to.upstream);
    let failure = match to.on_failure {
        OnFailure::Refuse => "is refused",
        OnFailure::Pass => "goes on",
    };
    let (path, timeout) = (to.path.path().sent(), to.timeout);
    format!(
        "{upstream} is told at {path}; without its answer within {timeout:?} the login {failure}"
    )
}

pub(super) fn upstream_in_words(plan: &Plan, index: usize) -> String {
    let Some(upstream) = plan.upstreams.get(index) else {
        return String::new();
    };
    let servers: Vec<_> = upstream.servers.iter().map(ToString::to_string).collect();
    let crowd = upstream.crowd.map(|crowd| {
        let (most, queue) = (crowd.max_requests, crowd.queue);
        format!(", {most} requests at a time and {queue} waiting")
    });
    let (name, servers) = (&upstream.name, servers.join(", "));
    format!("{name} ({servers}){}", crowd.unwrap_or_default())
}

pub(super) fn login_in_words(apps: &AppChoice) -> String {
    match apps {
        AppChoice::Only(app) => format!("login to {}", app.name),
        AppChoice::Among { apps, places } => {
            let apps: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
            let places: Vec<_> = places.iter().map(ToString::to_string).collect();
            let (apps, places) = (apps.join(" or "), places.join(", else "));
            format!("login to {apps}, by {places}")
        }
    }
}

pub(super) fn guard_in_words(guard: Guard) -> &'static str {
    match guard {
        Guard::Required => "required: without a session the request is refused",
        Guard::Optional => "optional: without a session the request goes on without an identity",
        Guard::None => "none: every request goes on, without an identity",
    }
}

pub(super) fn apps_in_words(apps: &Apps, plan: &Plan) -> String {
    match apps {
        Apps::Any => "of every app".to_owned(),
        Apps::Only(_) => {
            let taken = plan.apps.iter().filter(|plan| apps.include(&plan.app));
            let names: Vec<_> = taken.map(|plan| plan.app.name.as_str()).collect();
            format!("of {}", names.join(", "))
        }
    }
}

pub(super) fn pages_in_words(cors: &Cors) -> String {
    let origins: Vec<_> = cors.origins.iter().map(ToString::to_string).collect();
    format!("of {} may read the answer", origins.join(", "))
}

/// What becomes of the headers of an answer, line by line.
pub(super) fn edits_in_words(edits: &HeaderEdits) -> String {
    let set = edits.put_in().iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("with {name}: {value}")
    });
    let removed = edits.removed().iter();
    let removed = removed.map(|name| format!("without {name}"));
    let lines: Vec<_> = set.chain(removed).collect();
    lines.join("\n          ")
}

/// Which script a path runs, and where it lies.
pub(super) fn script_in_words(scripts: &FastCgiPlan, path: &RequestPath<'_>) -> String {
    let Script { name, info } = scripts.scripts.find(path);
    let (name, info) = (String::from_utf8_lossy(name), String::from_utf8_lossy(info));
    let root = &scripts.root;
    format!(
        "{} of {root}, with the path {info:?}",
        name.trim_start_matches('/')
    )
}

pub(super) fn prefix_in_words(change: &PrefixChange) -> String {
    let sent = |prefix: &Option<PathPrefix>| prefix.as_ref().map(|p| p.sent().to_owned());
    match (sent(&change.strip), sent(&change.add)) {
        (Some(strip), Some(add)) => format!("{strip} becomes {add}"),
        (Some(strip), None) => format!("{strip} is taken off"),
        (None, Some(add)) => format!("{add} is put before"),
        (None, None) => String::new(),
    }
}

/// How often a client may ask, where that is limited.
pub(super) fn limits(plan: &Plan, action: &Action, told: &mut String) {
    let limits = &plan.limits;
    let logins = matches!(action, Action::Login(_)).then_some(limits.logins_per_address);
    let rates = [
        ("requests of an address", limits.requests_per_address),
        ("requests of a user", limits.requests_per_user),
        ("logins of an address", logins.flatten()),
    ];
    for (what, rate) in rates {
        if let Some(rate) = rate {
            line(told, "limit", &format!("{what}: {rate}"));
        }
    }
}

pub(super) fn line(told: &mut String, word: &str, meaning: &str) {
    let _ = writeln!(told, "{word:<9} {meaning}");
}
