//! Whether Redis can be asked, and what operators are told of it. Knows no connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::Fault;
use crate::metrics::Metrics;
use crate::store::Condition;

/// The errors by which a server says that it takes no writes.
const TAKES_NO_WRITES: [&str; 4] = ["OOM", "MISCONF", "READONLY", "NOREPLICAS"];

/// What is wrong with each server, and what with all writes. It is told when it changes.
#[derive(Debug)]
pub(super) struct Health {
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    /// By server; none where all is well.
    servers: BTreeMap<String, Option<String>>,
    writes: Option<String>,
}

impl Health {
    /// Not asked yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        metrics.store_is_up(false);
        let state = Mutex::default();
        Self { state, metrics }
    }

    /// A server is tried, and nothing is known of it yet.
    pub(super) fn begin(&self, server: &str) {
        let mut state = self.state();
        let reason = Some("not connected yet".to_owned());
        state.servers.entry(server.to_owned()).or_insert(reason);
        self.show(&state);
    }

    /// A server can be asked.
    pub(super) fn is_up(&self, server: &str) {
        let mut state = self.state();
        let before = state.servers.insert(server.to_owned(), None);
        if before != Some(None) {
            tracing::info!(server, "Redis can be asked");
        }
        self.show(&state);
    }

    /// A server cannot be asked.
    pub(super) fn is_down(&self, server: &str, fault: &Fault) {
        let reason = fault.to_string();
        let mut state = self.state();
        let before = state
            .servers
            .insert(server.to_owned(), Some(reason.clone()));
        if before.flatten().as_ref() != Some(&reason) {
            tracing::warn!(
                server, %reason,
                "Redis cannot be asked: known sessions go on for a while, others are refused as overloaded"
            );
        }
        self.show(&state);
    }

    /// A server is none of ours any more.
    pub(super) fn is_gone(&self, server: &str) {
        let mut state = self.state();
        state.servers.remove(server);
        self.show(&state);
    }

    /// A write came to this.
    pub(super) fn write<T>(&self, written: &Result<T, Fault>) {
        let fault = match written {
            Ok(_) => None,
            Err(fault) => match fault.refused_code() {
                Some(code) if TAKES_NO_WRITES.contains(&code) => Some(fault.to_string()),
                // That says nothing of writes.
                _ => return,
            },
        };
        let mut state = self.state();
        if state.writes == fault {
            return;
        }
        if let Some(reason) = &fault {
            tracing::error!(
                %reason, "Redis takes no writes: known sessions go on, logins and logouts are refused as overloaded"
            );
        } else {
            tracing::info!("Redis takes writes again");
        }
        state.writes = fault;
        self.show(&state);
    }

    /// Whether it can be asked now.
    pub(super) fn condition(&self) -> Condition {
        self.state().condition()
    }

    fn show(&self, state: &State) {
        self.metrics.store_is_up(state.condition() == Condition::Up);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn condition(&self) -> Condition {
        let down = self.servers.iter().find_map(|(server, reason)| {
            let reason = reason.as_ref()?;
            Some(format!("Redis cannot be asked: {server}: {reason}"))
        });
        if let Some(down) = down {
            return Condition::Down(down);
        }
        if self.servers.is_empty() {
            return Condition::Down("Redis cannot be asked: no server was found yet".to_owned());
        }
        match &self.writes {
            Some(reason) => Condition::ReadOnly(format!("Redis takes no writes: {reason}")),
            None => Condition::Up,
        }
    }
}
