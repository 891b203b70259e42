//! `/api/overview`: what the gateway does, in numbers.

use serde_json::{Map, Value, json};

use super::Shown;
use crate::admin::readiness::Phase;
use crate::metrics::{AppReading, RouteReading};

impl Shown {
    /// Counts since the start, and what there is now.
    pub(super) fn overview(&self) -> Value {
        let (now, read) = (self.clock.now(), self.metrics.read());
        let websockets: i64 = read.routes.iter().map(|route| route.websockets).sum();
        let refusals = read.refusals.iter();
        let refusals = refusals.map(|(code, count)| (code.as_str().to_owned(), json!(count)));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "phase": match self.readiness.phase() {
                Phase::Starting => "starting",
                Phase::Ready => "ready",
                Phase::Draining => "draining",
            },
            "now": now.to_string(),
            "started": self.started.to_string(),
            "uptime_seconds": self.started.until(now).as_secs(),
            "workers": self.workers,
            "connections": read.connections,
            "websockets": websockets,
            "apps": read.apps.iter().map(app).collect::<Vec<_>>(),
            "routes": read.routes.iter().map(route).collect::<Vec<_>>(),
            "refusals": refusals.collect::<Map<_, _>>(),
        })
    }
}

fn app(read: &AppReading) -> Value {
    let logins = read.logins.iter();
    let logins = logins.map(|(outcome, count)| ((*outcome).to_owned(), json!(count)));
    json!({
        "app": read.label,
        "sessions": read.sessions,
        "logins": logins.collect::<Map<_, _>>(),
    })
}

fn route(read: &RouteReading) -> Value {
    let statuses = read.statuses.iter();
    let statuses = statuses.map(|(status, count)| (status.to_string(), json!(count)));
    json!({
        "route": read.label,
        "requests": statuses.collect::<Map<_, _>>(),
        "seconds": read.took.as_secs_f64(),
        "websockets": read.websockets,
    })
}
