//! What the gateway counts, and how operators read it. Knows neither requests nor the config that names its labels.

mod apps;
mod cell;
mod health;
mod merge;
mod reading;
mod refused;
mod state;
mod store;
mod worker;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use apps::AppMetrics;
pub use apps::AppReading;
pub use health::Condition;
use merge::MergedWorkers;
pub use reading::{Reading, RefusalReading, RouteReading, UpstreamReading};
use state::StateMetrics;
use store::StoreMetrics;
pub use worker::{UpstreamOutcome, WorkerMetrics};

/// The names that label values are taken from, each found by its place in the config.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// What the routes are called; no two alike.
    pub routes: Vec<String>,
    /// What the apps are called.
    pub apps: Vec<String>,
    /// What the upstreams are called.
    pub upstreams: Vec<String>,
}

/// All metrics of one gateway.
///
/// What happens with every request is counted per worker and added up when it is read; what is rare is counted here,
/// by any thread. A place that no label has is passed over.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    labels: Arc<Labels>,
    workers: Arc<[Arc<WorkerMetrics>]>,
    apps: AppMetrics,
    state: StateMetrics,
    store: StoreMetrics,
    dropped_lines: DroppedLines,
}

impl Metrics {
    /// The media type of what [`Metrics::encode`] writes.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Starts at zero, for so many workers.
    #[must_use]
    pub fn new(labels: Labels, workers: usize) -> Self {
        let mut registry = Registry::default();
        let labels = Arc::new(labels);
        let begin = Instant::now();
        let fresh = || Arc::new(WorkerMetrics::new(&labels, begin));
        let workers: Arc<[_]> = std::iter::repeat_with(fresh).take(workers).collect();
        let apps = AppMetrics::register(&labels.apps, &mut registry);
        let state = StateMetrics::register(&mut registry);
        let store = StoreMetrics::register(&mut registry);
        let dropped_lines = DroppedLines::default();
        registry.register_collector(Box::new(MergedWorkers::new(
            Arc::clone(&labels),
            Arc::clone(&workers),
        )));
        registry.register_collector(Box::new(dropped_lines.clone()));
        Self {
            registry,
            labels,
            workers,
            apps,
            state,
            store,
            dropped_lines,
        }
    }

    /// What each worker writes to: one for each, and for that one's thread alone.
    #[must_use]
    pub fn workers(&self) -> &[Arc<WorkerMetrics>] {
        &self.workers
    }

    /// A login to the app at this place came to its end.
    pub fn login(&self, app: usize, outcome: &'static str) {
        self.apps.login(app, outcome);
    }

    /// A call to WeChat for the app at this place came to its end.
    pub fn wechat_call(&self, app: usize, outcome: &'static str, took: Duration) {
        self.apps.wechat_call(app, outcome, took);
    }

    /// The app at this place has one session more.
    pub fn session_opened(&self, app: usize) {
        self.apps.session_opened(app);
    }

    /// The app at this place has one session less.
    pub fn session_closed(&self, app: usize) {
        self.apps.session_closed(app);
    }

    /// The sessions were written to their state file, or not; it was begun so many seconds after the Unix epoch.
    pub fn state_saved(&self, is_done: bool, at: u64) {
        self.state.saved(is_done, at);
    }

    /// A request to the store of the sessions, where that is another process, came to its end.
    pub fn store_request(&self, op: &'static str, outcome: &'static str) {
        self.store.asked(op, outcome);
    }

    /// Whether the store of the sessions can be asked.
    pub fn store_is_up(&self, is_up: bool) {
        self.store.is_up(is_up);
    }

    /// From now on `count` is asked how many log lines were dropped; only the first one given is.
    pub fn watch_dropped_lines(&self, count: impl Fn() -> u64 + Send + Sync + 'static) {
        self.dropped_lines.0.get_or_init(|| Box::new(count));
    }

    /// All metrics as text, in the form that [`Metrics::CONTENT_TYPE`] names.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut page = String::new();
        // Nothing that is written into a string fails; if it did, the page would lack its end mark and not be taken.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

type Ask = Box<dyn Fn() -> u64 + Send + Sync>;

#[derive(Clone, Default)]
struct DroppedLines(Arc<OnceLock<Ask>>);

impl Collector for DroppedLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(ask) = self.0.get() else {
            return Ok(());
        };
        let metric = encoder.encode_descriptor(
            "wxgate_log_lines_dropped",
            "Log lines that were dropped because the log could not be written fast enough.",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(ask()).encode(metric)
    }
}

impl fmt::Debug for DroppedLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DroppedLines(…)")
    }
}

#[cfg(test)]
mod tests;
