//! `on_login` of a login route: the backend that is told of a login before it is answered. Knows no other routes.

use std::sync::Arc;
use std::time::Duration;

use super::actions::Scope;
use super::plan::{OnFailure, OnLogin};
use super::raw::{RawDeed, RawOnLogin};
use super::source::Source;
use super::units::duration;
use crate::domain::call_path::CallPath;

/// What a login route's `on_login` means.
pub(super) fn plan(
    raw: Option<RawOnLogin>,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Arc<OnLogin>> {
    let raw = raw?;
    let choices = [("refuse", OnFailure::Refuse), ("pass", OnFailure::Pass)];
    let on_failure = source.choose(raw.on_failure, "way to treat a failure", &choices);
    let timeout = source.accept(raw.timeout, duration);
    let path = source.accept(raw.path, CallPath::parse);
    let upstream = raw
        .upstream
        .and_then(|name| source.find(&name, "upstream", scope.upstream_names));
    Some(Arc::new(OnLogin {
        upstream: upstream?,
        path: path?,
        timeout: timeout.unwrap_or(Duration::from_secs(5)),
        on_failure: on_failure.unwrap_or(OnFailure::Refuse),
        claims: scope.claims.to_vec(),
    }))
}

/// Notes that a route which is no login has no use for it.
pub(super) fn refuse(raw: &RawDeed<'_>, source: &Source<'_>) {
    if let Some(on_login) = &raw.on_login {
        let text = "`on_login` is called at a login; remove it, or write action = \"login\"";
        source.problem(on_login.place, text);
    }
}
