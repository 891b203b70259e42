//! What the operator's listener has of the parts. Knows no sockets.

use std::sync::Arc;

use super::Shared;
use crate::admin::readiness::Readiness;
use crate::admin::{Admin, Decrypter, Sessions, Views};
use crate::metrics::Metrics;
use crate::store::State;

pub(super) fn admin(
    parts: &Shared,
    metrics: &Arc<Metrics>,
    readiness: &Readiness,
    state: Option<Arc<State>>,
) -> Admin {
    let apps = || parts.plan.apps.iter().map(|app| Arc::clone(&app.app));
    let store = || parts.store.clone();
    Admin {
        metrics: Arc::clone(metrics),
        readiness: readiness.clone(),
        token: parts
            .plan
            .admin
            .as_ref()
            .and_then(|admin| admin.token.clone()),
        decrypter: Decrypter {
            apps: apps().collect(),
            store: store(),
            prover: parts.prover.clone(),
            key_checks: Arc::clone(&parts.key_checks),
        },
        sessions: Sessions {
            apps: apps().collect(),
            store: store(),
        },
        views: Views::of(
            &parts.plan,
            Arc::clone(metrics),
            readiness.clone(),
            parts.clock.clone(),
        ),
        clock: parts.clock.clone(),
        state,
    }
}
