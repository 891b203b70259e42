//! Sending a sealed request: which server, which connection, how long, and whether once more.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout};

use super::body::{Flow, FlowState};
use super::connection::connect;
use super::error::SendError;
use super::pool::{Lease, Meter, Pool};
use super::seal::Sealed;
use super::server::{Server, Servers};
use crate::config::plan::UpstreamPlan;
use crate::metrics::{UpstreamOutcome, WorkerMetrics};

/// One worker's view of one upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Servers,
    connect_timeout: Duration,
    timeout: Duration,
    /// How long a client may let its body rest.
    patience: Duration,
    meter: Meter,
}

/// Which connection will do.
#[derive(Clone, Copy)]
enum Want {
    /// One that waits, or a new one, for a request that may be repeated or not.
    Any { is_repeatable: bool },
    /// A new one.
    New,
}

/// An answer whose head is there, on the connection that brings the rest.
pub(super) struct Answered {
    pub(super) answer: Response<Incoming>,
    pub(super) lease: Lease,
    /// How the request's body is getting on, if it was streamed.
    pub(super) flow: Option<Rc<Flow>>,
}

/// Why one try brought no answer.
enum Missed {
    /// Nothing of the request was sent, for this reason.
    Unsent(Box<Sealed>, hyper::Error),
    /// It may have arrived.
    Lost(SendError),
}

impl Upstream {
    pub(super) fn new(
        plan: &UpstreamPlan,
        index: usize,
        patience: Duration,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        let meter = Meter {
            metrics,
            upstream: index,
        };
        let server = |address: &_| Server::new(Clone::clone(address), Pool::new(meter.clone()));
        Self {
            servers: Servers::new(plan.servers.iter().map(server).collect()),
            connect_timeout: plan.connect_timeout,
            timeout: plan.timeout,
            patience,
            meter,
        }
    }

    /// Sends a request, and once more where nothing of it was sent or repeating it changes nothing.
    pub(super) async fn send(&self, sealed: Sealed) -> Result<Answered, SendError> {
        let mut tally = Tally::begin(&self.meter);
        let sent = self.send_uncounted(sealed).await;
        tally.note(&sent);
        sent
    }

    /// The same in a time that holds for all of it, until the head of the answer.
    pub(super) async fn send_within(
        &self,
        sealed: Sealed,
        within: Duration,
    ) -> Result<Answered, SendError> {
        let mut tally = Tally::begin(&self.meter);
        let sent = timeout(within, self.send_uncounted(sealed)).await;
        let sent = sent.unwrap_or(Err(SendError::Timeout(within)));
        tally.note(&sent);
        sent
    }

    async fn send_uncounted(&self, sealed: Sealed) -> Result<Answered, SendError> {
        let lease = self
            .lease(Want::Any {
                is_repeatable: sealed.is_repeatable(),
            })
            .await?;
        // What is lost on a connection that has just been made was not lost for the connection's age.
        let spare = if lease.is_reused() {
            sealed.spare()
        } else {
            None
        };
        let again = match self.try_on(lease, sealed).await {
            Ok(answered) => return Ok(answered),
            Err(Missed::Unsent(sealed, _)) => *sealed,
            Err(Missed::Lost(error @ SendError::Failed(_))) => spare.ok_or(error)?,
            Err(Missed::Lost(error)) => return Err(error),
        };
        self.meter.count(UpstreamOutcome::Retried);
        let lease = self.lease(Want::New).await?;
        self.try_on(lease, again)
            .await
            .map_err(|missed| match missed {
                Missed::Unsent(_, error) => SendError::Failed(error),
                Missed::Lost(error) => error,
            })
    }

    /// A connection to the server whose turn it is, or to the next one that can be reached.
    async fn lease(&self, want: Want) -> Result<Lease, SendError> {
        let mut last = SendError::NoServer;
        for server in self.servers.in_turn() {
            if let Want::Any { is_repeatable } = want
                && let Some(lease) = waiting(server, is_repeatable).await
            {
                return Ok(lease);
            }
            match self.connect_to(server).await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, server: &Server) -> Result<Lease, SendError> {
        match connect(&server.address, self.connect_timeout, self.meter.clone()).await {
            Ok(sender) => {
                server.is_back();
                Ok(server.pool.lease(sender))
            }
            Err(source) => {
                if !source.is_ours() {
                    server.rest();
                }
                let server = server.address.to_string();
                tracing::warn!(%server, error = %source, "a backend cannot be reached");
                Err(SendError::Unreachable { server, source })
            }
        }
    }

    async fn try_on(&self, mut lease: Lease, sealed: Sealed) -> Result<Answered, Missed> {
        let flow = sealed.body().flow();
        let sending = lease.sender().try_send_request(sealed.into_request());
        match self
            .in_time(sending, flow.as_deref())
            .await
            .map_err(Missed::Lost)?
        {
            Ok(answer) if answer.status().is_informational() => {
                Err(Missed::Lost(SendError::Upgrade))
            }
            Ok(answer) => Ok(Answered {
                answer,
                lease,
                flow,
            }),
            Err(mut missed) => Err(match missed.take_message() {
                Some(request) => {
                    Missed::Unsent(Box::new(Sealed::unsent(request)), missed.into_error())
                }
                None => Missed::Lost(blame(missed.into_error(), flow.as_deref())),
            }),
        }
    }

    /// Waits for an answer: `timeout` long once all of the body that is there was taken, and `patience` long for more
    /// of the body.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = T>,
        flow: Option<&Flow>,
    ) -> Result<T, SendError> {
        let sent_at = Instant::now();
        let mut answer = pin!(answer);
        let mut alarm = pin!(sleep_until(sent_at + self.timeout));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            loop {
                ready!(alarm.as_mut().poll(cx));
                let (moved_at, allowed, late) = match flow.map(|flow| (flow.state(), flow)) {
                    Some((FlowState::Awaited, flow)) => (
                        flow.moved_at(),
                        self.patience,
                        SendError::BodyStalled(self.patience),
                    ),
                    Some((_, flow)) => (
                        flow.moved_at(),
                        self.timeout,
                        SendError::Timeout(self.timeout),
                    ),
                    None => (sent_at, self.timeout, SendError::Timeout(self.timeout)),
                };
                if moved_at + allowed <= Instant::now() {
                    return Poll::Ready(Err(late));
                }
                alarm.as_mut().reset(moved_at + allowed);
            }
        })
        .await
    }
}

/// Counts what became of a request, also where nobody waits to see it: a client that goes away takes its request along.
struct Tally<'a> {
    meter: &'a Meter,
    outcome: UpstreamOutcome,
}

impl<'a> Tally<'a> {
    fn begin(meter: &'a Meter) -> Self {
        let outcome = UpstreamOutcome::Aborted;
        Self { meter, outcome }
    }

    fn note(&mut self, sent: &Result<Answered, SendError>) {
        self.outcome = match sent {
            Ok(_) => UpstreamOutcome::Ok,
            Err(error) => error.outcome(),
        };
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.meter.count(self.outcome);
    }
}

/// A connection of `server` that waits and is still good.
async fn waiting(server: &Server, is_repeatable: bool) -> Option<Lease> {
    let mut is_news_heard = is_repeatable;
    loop {
        let lease = server.pool.take()?;
        if !is_news_heard {
            // This request can be sent only once. A server that closed the connection has said so by now, but the
            // runtime may not have listened yet.
            is_news_heard = true;
            tokio::task::yield_now().await;
        }
        if !lease.is_closed() {
            return Some(lease);
        }
    }
}

/// Whose fault it is that a request was lost.
fn blame(error: hyper::Error, flow: Option<&Flow>) -> SendError {
    match flow.map(|flow| (flow.state(), flow.limit)) {
        Some((FlowState::TooLarge, limit)) => SendError::BodyTooLarge(limit),
        Some((FlowState::Broken, _)) => SendError::BodyBroken,
        Some((FlowState::Offered | FlowState::Awaited | FlowState::Done, _)) | None => {
            SendError::Failed(error)
        }
    }
}
