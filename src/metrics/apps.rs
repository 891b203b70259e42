//! What is counted per app: logins, calls to WeChat, sessions. Rare enough for numbers that all threads share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::cell::BOUNDS;
use crate::domain::refusal::RefusalCode;

/// What a login is counted as that went well.
const OK: &str = "ok";

/// The metrics of all apps.
#[derive(Debug)]
pub(super) struct AppMetrics {
    labels: Vec<AppLabel>,
    logins: Family<OutcomeLabels, Counter>,
    wechat_requests: Family<OutcomeLabels, Counter>,
    wechat_durations: Family<AppLabel, Histogram, fn() -> Histogram>,
    sessions: Family<AppLabel, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabel {
    app: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    app: Arc<str>,
    outcome: &'static str,
}

/// What was counted of one app.
#[derive(Clone, Debug)]
pub struct AppReading {
    /// What it is called.
    pub label: String,
    /// Sessions that are kept.
    pub sessions: i64,
    /// How often each outcome of a login came.
    pub logins: BTreeMap<&'static str, u64>,
}

impl AppMetrics {
    /// What was counted of each app.
    pub(super) fn read(&self) -> Vec<AppReading> {
        let read = self.labels.iter().map(|label| AppReading {
            label: label.app.to_string(),
            sessions: self.sessions.get(label).map_or(0, |level| level.get()),
            logins: self.logins_of(&label.app),
        });
        read.collect()
    }

    fn logins_of(&self, app: &Arc<str>) -> BTreeMap<&'static str, u64> {
        let codes = RefusalCode::ALL.map(RefusalCode::as_str);
        let outcomes = [OK].into_iter().chain(codes);
        let counts = outcomes.filter_map(|outcome| {
            let app = Arc::clone(app);
            let counter = self.logins.get(&OutcomeLabels { app, outcome })?;
            Some((outcome, counter.get()))
        });
        counts.collect()
    }

    /// Makes the metrics of these apps, shows every app with no sessions, and enters them all into `registry`.
    pub(super) fn register(names: &[String], registry: &mut Registry) -> Self {
        let label = |name: &String| AppLabel {
            app: name.as_str().into(),
        };
        let metrics = Self {
            labels: names.iter().map(label).collect(),
            logins: Family::default(),
            wechat_requests: Family::default(),
            wechat_durations: Family::new_with_constructor(durations),
            sessions: Family::default(),
        };
        for label in &metrics.labels {
            metrics.sessions.get_or_create(label).set(0);
        }
        metrics.enter(registry);
        metrics
    }

    pub(super) fn login(&self, app: usize, outcome: &'static str) {
        if let Some(labels) = self.outcome_of(app, outcome) {
            self.logins.get_or_create(&labels).inc();
        }
    }

    pub(super) fn wechat_call(&self, app: usize, outcome: &'static str, took: Duration) {
        let Some(labels) = self.outcome_of(app, outcome) else {
            return;
        };
        self.wechat_requests.get_or_create(&labels).inc();
        let label = AppLabel { app: labels.app };
        self.wechat_durations
            .get_or_create(&label)
            .observe(took.as_secs_f64());
    }

    pub(super) fn session_opened(&self, app: usize) {
        if let Some(label) = self.labels.get(app) {
            self.sessions.get_or_create(label).inc();
        }
    }

    pub(super) fn session_closed(&self, app: usize) {
        if let Some(label) = self.labels.get(app) {
            self.sessions.get_or_create(label).dec();
        }
    }

    fn outcome_of(&self, app: usize, outcome: &'static str) -> Option<OutcomeLabels> {
        let app = Arc::clone(&self.labels.get(app)?.app);
        Some(OutcomeLabels { app, outcome })
    }

    fn enter(&self, registry: &mut Registry) {
        registry.register("wxgate_logins", "Logins", self.logins.clone());
        registry.register(
            "wxgate_wechat_requests",
            "Calls to WeChat, retries included",
            self.wechat_requests.clone(),
        );
        registry.register(
            "wxgate_wechat_request_duration_seconds",
            "How long WeChat took to answer a call",
            self.wechat_durations.clone(),
        );
        registry.register(
            "wxgate_sessions",
            "Sessions that are kept",
            self.sessions.clone(),
        );
    }
}

fn durations() -> Histogram {
    Histogram::new(BOUNDS.iter().map(Duration::as_secs_f64))
}
