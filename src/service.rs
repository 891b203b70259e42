//! A gateway as a service of the system: its log, its signals, and what systemd is told.

use anyhow::Context;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::plan::Plan;
use crate::domain::clock::Clock;
use crate::{app, telemetry};

/// Serves as `plan` says until SIGTERM or SIGINT, then drains.
///
/// # Errors
///
/// The gateway does not start, or a part of it ended by itself.
pub fn run(plan: Plan) -> anyhow::Result<()> {
    let log = telemetry::start(&plan.log)?;
    let running = app::start(plan, Clock::start())?;
    running.metrics().watch_dropped_lines(log.dropped_lines());
    // From the first word that it listens on, a signal means to drain.
    let signals = running.wait(async { Signals::hear() })?;
    for address in running.places() {
        tracing::info!(%address, "listening");
    }
    if let Some(address) = running.admin_address() {
        tracing::info!(%address, "listening for the operator");
    }
    notify(NotifyState::Ready);
    let name = running.wait(signals.first());
    tracing::info!(signal = name, "stopping");
    notify(NotifyState::Stopping);
    running.stop()?;
    tracing::info!("stopped");
    Ok(())
}

/// The signals to stop.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    /// Hears them from now on, wherever they would have ended the process before.
    fn hear() -> anyhow::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?,
            int: signal(SignalKind::interrupt()).context("SIGINT cannot be awaited")?,
        })
    }

    /// Waits for one and gives its name.
    async fn first(mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
