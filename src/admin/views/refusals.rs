//! `/api/refusals`: what was refused lately, and why.

use serde_json::{Value, json};

use super::Shown;
use crate::metrics::RefusalReading;

/// How many kinds of refusals are shown.
const MOST: usize = 200;

impl Shown {
    /// What is alike in code, reason and route is one; the latest come first.
    pub(super) fn refusals(&self) -> Value {
        let read = self.metrics.read_refusals();
        let told: Vec<_> = read.iter().take(MOST).map(told).collect();
        json!({"refusals": told})
    }
}

fn told(read: &RefusalReading) -> Value {
    let (code, reason, route) = match &read.kind {
        Some((code, reason, route)) => (Some(code.as_str()), *reason, route.as_deref()),
        None => (None, "all that is told apart no further", None),
    };
    json!({
        "code": code,
        "reason": reason,
        "route": route,
        "count": read.count,
        "last": read.last.to_string(),
    })
}
