//! What is counted of the state file: how often it was written, and when last.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

const OUTCOMES: [&str; 2] = ["saved", "failed"];

/// The metrics of the state file.
#[derive(Debug, Default)]
pub(super) struct StateMetrics {
    saves: Family<Outcome, Counter>,
    saved_at: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl StateMetrics {
    /// Shows all outcomes, none of which came yet.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        for outcome in OUTCOMES {
            drop(metrics.saves.get_or_create(&Outcome { outcome }));
        }
        registry.register(
            "wxgate_state_saves",
            "Times that the sessions were to be written to the state file",
            metrics.saves.clone(),
        );
        registry.register(
            "wxgate_state_saved_timestamp_seconds",
            "When the state file that is there was begun; 0 before the first",
            metrics.saved_at.clone(),
        );
        metrics
    }

    pub(super) fn saved(&self, is_done: bool, at: u64) {
        let [saved, failed] = OUTCOMES;
        let outcome = if is_done { saved } else { failed };
        self.saves.get_or_create(&Outcome { outcome }).inc();
        if is_done {
            self.saved_at.set(i64::try_from(at).unwrap_or(i64::MAX));
        }
    }
}
