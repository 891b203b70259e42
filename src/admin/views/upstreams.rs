//! `/api/upstreams`: the backends, as the workers find them. Asks none of them.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Shown;
use crate::config::plan::UpstreamPlan;
use crate::metrics::{Condition, UpstreamReading};

/// What does not change of an upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Vec<String>,
    /// The path that servers are asked for, where they are asked whether they are well.
    probe: Option<String>,
    max_fails: u32,
}

impl Upstream {
    pub(super) fn of(plan: &UpstreamPlan) -> Self {
        let probe = plan.health.as_ref().map(|health| &health.path);
        Self {
            servers: plan.servers.iter().map(ToString::to_string).collect(),
            probe: probe.map(|path| path.sent().to_owned()),
            max_fails: plan.max_fails,
        }
    }
}

impl Shown {
    /// Each upstream with its servers. Every worker finds for itself how a server is: here is the worst of what they say.
    pub(super) fn upstreams(&self) -> Value {
        let read = self.metrics.read().upstreams;
        let told = self.upstreams.iter().zip(&read).enumerate();
        let told = told.map(|(place, (upstream, read))| self.upstream(place, upstream, read));
        json!({"upstreams": told.collect::<Vec<_>>()})
    }

    fn upstream(&self, place: usize, upstream: &Upstream, read: &UpstreamReading) -> Value {
        let outcomes = read.outcomes.iter();
        let outcomes = outcomes.map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count)));
        let servers = upstream.servers.iter().enumerate();
        let servers = servers.map(|(server, address)| {
            let conditions: Vec<_> = self.metrics.conditions(place, server).collect();
            told(address, &conditions)
        });
        json!({
            "upstream": read.label,
            "probe": upstream.probe,
            "max_fails": upstream.max_fails,
            "connections": {"active": read.active, "idle": read.idle},
            "requests": outcomes.collect::<Map<_, _>>(),
            "servers": servers.collect::<Vec<_>>(),
        })
    }
}

/// A server as the workers find it: `ill` if one was told so by itself, `ejected` if it is passed over by some, else `ok`.
fn told(address: &str, conditions: &[Condition]) -> Value {
    let ill = conditions.iter().filter(|one| one.is_ill).count();
    let rests = conditions.iter().filter_map(|one| one.rests);
    let state = match (ill, rests.clone().count()) {
        (0, 0) => "ok",
        (0, _) => "ejected",
        _ => "ill",
    };
    let passing = |one: &&Condition| one.is_ill || one.rests.is_some();
    json!({
        "server": address,
        "state": state,
        "passed_over_by": conditions.iter().filter(passing).count(),
        "workers": conditions.len(),
        "fails": conditions.iter().map(|one| one.fails).max().unwrap_or_default(),
        "back_in_seconds": rests.max().as_ref().map(Duration::as_secs_f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Condition = Condition {
        is_ill: false,
        fails: 0,
        rests: None,
    };

    #[test]
    fn a_server_is_as_the_worker_finds_it_that_finds_it_worst() {
        let ill = Condition {
            is_ill: true,
            ..WELL
        };
        let resting = Condition {
            fails: 2,
            rests: Some(Duration::from_secs(3)),
            ..WELL
        };
        let cases = [
            (vec![], "ok", 0),
            (vec![WELL, WELL], "ok", 0),
            (vec![WELL, resting], "ejected", 1),
            (vec![ill, resting], "ill", 2),
        ];
        for (conditions, state, passed_over_by) in cases {
            let told = told("127.0.0.1:9000", &conditions);
            assert_eq!(told["state"], state);
            assert_eq!(told["passed_over_by"], passed_over_by);
        }
        let told = told("127.0.0.1:9000", &[WELL, resting]);
        let (fails, back) = (&told["fails"], &told["back_in_seconds"]);
        assert_eq!((fails, back), (&json!(2), &json!(3.0)));
    }
}
