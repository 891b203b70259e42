//! What is only shown: the entries of `/api` that are read, and the page. Knows nothing of who may see it.

mod overview;
mod page;
mod refusals;
mod upstreams;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::Value;

use super::answer::{self, Answer};
use super::readiness::Readiness;
use crate::config::effective;
use crate::config::plan::Plan;
use crate::domain::clock::{Clock, Timestamp};
use crate::metrics::Metrics;

use upstreams::Upstream;

/// What `/api/openapi.json` answers.
const OPENAPI: &str = include_str!("openapi.json");

/// All that is only shown; by default nothing.
#[derive(Debug, Default)]
pub struct Views(Option<Box<Shown>>);

/// What it is taken from.
#[derive(Debug)]
struct Shown {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    clock: Clock,
    started: Timestamp,
    workers: usize,
    upstreams: Vec<Upstream>,
    /// The effective config, which stays as it is for as long as the gateway runs.
    config: Bytes,
}

impl Views {
    /// Shows what there is of a gateway that starts now; nothing where there is no token that could open it.
    #[must_use]
    pub fn of(plan: &Plan, metrics: Arc<Metrics>, readiness: Readiness, clock: Clock) -> Self {
        let token = plan.admin.as_ref().and_then(|admin| admin.token.as_ref());
        let shown = token.map(|_| Shown {
            metrics,
            readiness,
            started: clock.now(),
            clock,
            workers: plan.server.workers,
            upstreams: plan.upstreams.iter().map(Upstream::of).collect(),
            config: effective(plan).to_string().into(),
        });
        Self(shown.map(Box::new))
    }

    /// The answer to a GET or HEAD of this path below `/api/`, if it is one of these.
    pub(super) fn entry(&self, path: &str) -> Option<Answer> {
        let shown = self.0.as_deref()?;
        Some(match path {
            "/api/overview" => json(&shown.overview()),
            "/api/upstreams" => json(&shown.upstreams()),
            "/api/refusals" => json(&shown.refusals()),
            "/api/config" => ok("application/json", shown.config.clone()),
            "/api/openapi.json" => ok("application/json", Bytes::from_static(OPENAPI.as_bytes())),
            _ => return None,
        })
    }

    /// What there is at this path without a token, if it is part of the page.
    pub(super) fn page(&self, path: &str) -> Option<Answer> {
        self.0.as_ref().and_then(|_| page::at(path))
    }
}

fn json(body: &Value) -> Answer {
    answer::json(StatusCode::OK, body)
}

fn ok(media_type: &'static str, body: Bytes) -> Answer {
    answer::page(StatusCode::OK, HeaderValue::from_static(media_type), body)
}
