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
    for address in running.addresses() {
        tracing::info!(%address, "listening");
    }
    if let Some(address) = running.admin_address() {
        tracing::info!(%address, "listening for the operator");
    }
    notify(NotifyState::Ready);
    let name = running.wait(async { first(terminated()?, interrupted()?).await })?;
    tracing::info!(signal = name, "stopping");
    notify(NotifyState::Stopping);
    running.stop()?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for a signal to stop and gives its name.
async fn first(mut term: Signal, mut int: Signal) -> anyhow::Result<&'static str> {
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        _ = int.recv() => Ok("SIGINT"),
    }
}

fn terminated() -> anyhow::Result<Signal> {
    signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")
}

fn interrupted() -> anyhow::Result<Signal> {
    signal(SignalKind::interrupt()).context("SIGINT cannot be awaited")
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}
