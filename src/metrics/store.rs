//! What is counted of a store in another process: what was asked of it, and whether it can be asked.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is asked of a store.
const OPS: [&str; 8] = [
    "open", "find", "keys", "touch", "close", "revoke", "list", "show",
];

/// The metrics of the store.
#[derive(Debug, Default)]
pub(super) struct StoreMetrics {
    requests: Family<Asked, Counter>,
    up: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    op: &'static str,
    outcome: &'static str,
}

impl StoreMetrics {
    /// A store that can be asked, and was not yet.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        metrics.up.set(1);
        for op in OPS {
            let outcome = "ok";
            drop(metrics.requests.get_or_create(&Asked { op, outcome }));
        }
        registry.register(
            "wxgate_store_requests",
            "What was asked of the store of the sessions, where that is another process",
            metrics.requests.clone(),
        );
        registry.register(
            "wxgate_store_up",
            "Whether the store of the sessions can be asked and takes writes",
            metrics.up.clone(),
        );
        metrics
    }

    pub(super) fn asked(&self, op: &'static str, outcome: &'static str) {
        self.requests.get_or_create(&Asked { op, outcome }).inc();
    }

    pub(super) fn is_up(&self, is_up: bool) {
        self.up.set(i64::from(is_up));
    }
}
