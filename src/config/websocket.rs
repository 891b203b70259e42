//! `websocket` of a route.

use super::plan::UpstreamPlan;
use super::raw::{RawDeed, RawRule};
use super::source::Source;

/// Whether requests of a route with an upstream may become WebSockets.
pub(super) fn plan(
    raw: &RawDeed<'_>,
    rule: &RawRule,
    upstream: Option<&UpstreamPlan>,
    source: &Source<'_>,
) -> bool {
    let Some(websocket) = raw.websocket.as_ref().filter(|websocket| websocket.value) else {
        return false;
    };
    let mut methods = rule.methods.iter();
    if methods.any(|methods| methods.value.iter().all(|method| method.value != "GET")) {
        let text =
            "a WebSocket is opened with GET; take that into `methods`, or remove `websocket`";
        source.problem(websocket.place, text);
    }
    if upstream.is_some_and(|upstream| upstream.fastcgi.is_some()) {
        let text =
            "no script takes a WebSocket; give those a server of their own, or remove `websocket`";
        source.problem(websocket.place, text);
    }
    true
}

/// Notes that an action has no use for it.
pub(super) fn refuse(raw: &RawDeed<'_>, source: &Source<'_>) {
    if let Some(websocket) = &raw.websocket {
        let text = "`websocket` is for what reaches an upstream; remove it, or give the upstream a route of its own";
        source.problem(websocket.place, text);
    }
}
