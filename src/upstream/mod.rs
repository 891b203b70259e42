//! The way to the backends: sealing a request, taking a connection, passing the answer back. Knows no sessions.

mod alarm;
mod answer;
mod body;
mod budget;
mod call;
mod connection;
mod error;
mod exchange;
pub mod fastcgi;
mod pool;
mod reply;
mod request;
mod seal;
mod send;
mod server;
mod stream;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use http::Response;

use crate::config::plan::{FastCgiPlan, UpstreamPlan};
use crate::domain::managed_names::ManagedNames;
use crate::metrics::WorkerMetrics;

pub use answer::AnswerBody;
pub use call::{Call, Caller, Occasion, Reply};
pub use error::{CallError, SendError};
pub use seal::{Changes, Event, Outbound, Sealed, Sealer};
pub use watch::watch;

use send::Upstream;

/// One worker's connections to all backends. It belongs to one thread.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Upstream>,
    hidden: ManagedNames,
}

impl Upstreams {
    /// No connections yet to the backends of `plans`. A client may let a body rest for `patience`; no answer carries a
    /// `hidden` name.
    #[must_use]
    pub fn new(
        plans: &[UpstreamPlan],
        patience: Duration,
        hidden: ManagedNames,
        metrics: &Arc<WorkerMetrics>,
    ) -> Self {
        let upstreams = plans.iter().enumerate();
        let upstreams = upstreams
            .map(|(index, plan)| Upstream::new(plan, index, patience, Arc::clone(metrics)));
        Self {
            upstreams: upstreams.collect(),
            hidden,
        }
    }

    /// What the config says of the upstream at `index`.
    #[must_use]
    pub fn plan(&self, index: usize) -> Option<&UpstreamPlan> {
        self.upstreams.get(index).map(Upstream::plan)
    }

    /// The scripts of the upstream at `index`, if its servers speak FastCGI.
    #[must_use]
    pub fn scripts(&self, index: usize) -> Option<&FastCgiPlan> {
        self.plan(index)?.fastcgi.as_deref()
    }

    /// Sends a sealed request to the upstream at `index` and gives its answer as soon as the head is there.
    ///
    /// # Errors
    ///
    /// No server can be reached, none answers in time or in HTTP, or the client's body broke off.
    pub async fn send(
        &self,
        index: usize,
        sealed: Sealed,
    ) -> Result<Response<AnswerBody>, SendError> {
        let upstream = self.upstreams.get(index).ok_or(SendError::NoServer)?;
        upstream.send(sealed, &self.hidden).await
    }

    /// The same, where the head of the answer must be there `within` a time, whatever the upstream's own.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    async fn send_within(
        &self,
        index: usize,
        sealed: Sealed,
        within: Duration,
    ) -> Result<Response<AnswerBody>, SendError> {
        let upstream = self.upstreams.get(index).ok_or(SendError::NoServer)?;
        upstream.send_within(sealed, &self.hidden, within).await
    }
}
