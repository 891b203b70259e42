//! Sending a sealed request: which server, which connection, how long, and whether once more.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::Response;
use tokio::time::{Instant, timeout};

use super::answer::{self, AnswerBody};
use super::budget::Budget;
use super::connection::Connection;
use super::error::{AskError, SendError};
use super::exchange::Exchange;
use super::pool::{Lease, Meter};
use super::reply::Reply;
use super::request::Request;
use super::seal::Sealed;
use super::server::{Server, Servers};
use crate::config::plan::{ServerAddress, UpstreamPlan};
use crate::domain::managed_names::ManagedNames;
use crate::metrics::{UpstreamOutcome, WorkerMetrics};

/// One worker's view of one upstream.
#[derive(Debug)]
pub(super) struct Upstream {
    plan: UpstreamPlan,
    servers: Servers,
    budget: Budget,
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

/// Why one try brought no answer.
enum Missed {
    /// Nothing of the request was sent.
    Unsent(Box<Request>),
    /// It may have arrived: to send it again is for those whom that changes nothing.
    Lost(SendError, Box<Request>),
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
        meter.metrics.servers(index, plan.servers.len());
        let server = |(place, address): (_, &ServerAddress)| {
            Server::new(address.clone(), meter.clone(), place)
        };
        let servers = plan.servers.iter().enumerate().map(server).collect();
        Self {
            servers: Servers::new(servers, plan.balance),
            plan: plan.clone(),
            budget: Budget::default(),
            patience,
            meter,
        }
    }

    /// What the config says of it.
    pub(super) fn plan(&self) -> &UpstreamPlan {
        &self.plan
    }

    /// Its servers.
    pub(super) fn servers(&self) -> &[Server] {
        self.servers.all()
    }

    /// Asks one of its servers something, over a new connection, all `within` a time. Only a good answer is one.
    pub(super) async fn ask(
        &self,
        server: &Server,
        question: Sealed,
        hidden: &ManagedNames,
        within: Duration,
    ) -> Result<(), AskError> {
        let asking = async {
            let (meter, tls) = (self.meter.clone(), self.plan.tls.as_ref());
            let connection = Connection::open(&server.address, tls, within, meter).await?;
            let lease = server.pool.lease(connection);
            let request = Request::new(question, within, lease.taken_at());
            let exchange = Box::new(Exchange::new(lease, request));
            let answer = self.try_on(exchange, hidden).await;
            answer.map_err(|missed| match missed {
                Missed::Unsent(_) => SendError::Unsent.into(),
                Missed::Lost(error, _) => AskError::from(error),
            })
        };
        let answer = timeout(within, asking).await;
        match answer.map_err(|_| SendError::Timeout(within))??.status() {
            good if good.is_success() || good.is_redirection() => Ok(()),
            bad => Err(AskError::Status(bad)),
        }
    }

    /// Sends a request, and once more where nothing of it was sent or repeating it changes nothing. No `hidden` header is
    /// among those of the answer.
    pub(super) async fn send(
        &self,
        sealed: Sealed,
        hidden: &ManagedNames,
    ) -> Result<Response<AnswerBody>, SendError> {
        let mut tally = Tally::begin(&self.meter);
        let spare = self.spare(&sealed);
        let mut failed = None;
        let mut sent = self.send_uncounted(sealed, &mut failed, hidden).await;
        if let (Err(_), Some(spare), Some(failed)) = (&sent, spare, failed) {
            sent = Box::pin(self.send_again(*spare, failed, sent, hidden)).await;
        }
        tally.note(&sent);
        sent
    }

    /// What is kept of a request to be sent again where a server fails it, if that is wanted.
    fn spare(&self, sealed: &Sealed) -> Option<Box<Sealed>> {
        if self.plan.retries == 0 {
            return None;
        }
        self.budget.earn();
        sealed.spare().map(Box::new)
    }

    /// Sends a request that the server at `failed` did not answer to the others, as often as the config and the budget
    /// let it.
    async fn send_again(
        &self,
        spare: Sealed,
        failed: usize,
        mut sent: Result<Response<AnswerBody>, SendError>,
        hidden: &ManagedNames,
    ) -> Result<Response<AnswerBody>, SendError> {
        let mut failed = Some(failed);
        for _ in 0..self.plan.retries {
            let again = spare.spare().filter(|_| failed.is_some());
            let Some(again) = again.filter(|_| sent.is_err() && self.budget.spend()) else {
                break;
            };
            self.meter.count(UpstreamOutcome::Retried);
            sent = self.send_uncounted(again, &mut failed, hidden).await;
        }
        sent
    }

    /// The same in a time that holds for all of it, until the head of the answer.
    pub(super) async fn send_within(
        &self,
        sealed: Sealed,
        hidden: &ManagedNames,
        within: Duration,
    ) -> Result<Response<AnswerBody>, SendError> {
        let mut tally = Tally::begin(&self.meter);
        let sent = timeout(within, self.send_uncounted(sealed, &mut None, hidden)).await;
        let sent = sent.unwrap_or(Err(SendError::Timeout(within)));
        tally.note(&sent);
        sent
    }

    /// Sends a request that the server at the place in `failed` did not answer, if there is one; at the end that place is
    /// of the one that did not answer this time.
    async fn send_uncounted(
        &self,
        sealed: Sealed,
        failed: &mut Option<usize>,
        hidden: &ManagedNames,
    ) -> Result<Response<AnswerBody>, SendError> {
        let (is_repeatable, user) = (sealed.is_repeatable(), sealed.user());
        let (server, lease) = self
            .lease(Want::Any { is_repeatable }, user, failed.take())
            .await?;
        // What is lost on a connection that has just been made was not lost for the connection's age.
        let is_reused = lease.is_reused();
        let request = Request::new(sealed, self.patience, lease.taken_at());
        let exchange = Box::new(Exchange::new(lease, request));
        let missed = match self.try_on(exchange, hidden).await {
            Ok(answer) => {
                server.answered();
                return Ok(answer);
            }
            Err(missed) => missed,
        };
        *failed = self.blame(server, is_reused, &missed);
        let again = match missed {
            Missed::Unsent(request) => *request,
            Missed::Lost(SendError::Failed(_), request) if is_reused && is_repeatable => *request,
            Missed::Lost(error, _) => return Err(error),
        };
        self.meter.count(UpstreamOutcome::Retried);
        let (server, lease) = self.lease(Want::New, user, None).await?;
        let again = again.again(lease.taken_at());
        let exchange = Box::new(Exchange::new(lease, again));
        let sent = self.try_on(exchange, hidden).await;
        sent.inspect(|_| server.answered()).map_err(|missed| {
            *failed = self.blame(server, false, &missed);
            match missed {
                Missed::Unsent(_) => SendError::Unsent,
                Missed::Lost(error, _) => error,
            }
        })
    }

    /// Passes over a server that left too many requests in a row without an answer, and gives its place if this is one of
    /// them. One that has closed an old connection did not.
    fn blame(&self, server: &Server, is_reused: bool, missed: &Missed) -> Option<usize> {
        let is_its_fault = match missed {
            Missed::Lost(SendError::Timeout(_), _) => true,
            Missed::Lost(SendError::Failed(_), _) => !is_reused,
            Missed::Unsent(_) | Missed::Lost(..) => false,
        };
        if is_its_fault && server.failed(self.plan.max_fails) {
            server.rest(self.plan.fail_timeout);
            let server = server.address.to_string();
            tracing::warn!(%server, "a backend leaves requests unanswered, and is passed over");
        }
        is_its_fault.then_some(server.place)
    }

    /// A connection to the server whose turn it is, or to the next one that can be reached.
    async fn lease(
        &self,
        want: Want,
        user: Option<u64>,
        failed: Option<usize>,
    ) -> Result<(&Server, Lease), SendError> {
        if let ([only], Want::Any { is_repeatable }) = (self.servers.all(), want)
            && let Some(lease) = waiting(only, is_repeatable)
        {
            // Where there is one server, it is its turn.
            return Ok((only, lease));
        }
        let mut last = SendError::NoServer;
        for server in self.servers.in_turn(user, failed) {
            if let Want::Any { is_repeatable } = want
                && let Some(lease) = waiting(server, is_repeatable)
            {
                return Ok((server, lease));
            }
            // Rare, and a connection to a client does not keep room for it.
            match Box::pin(self.connect_to(server)).await {
                Ok(lease) => return Ok((server, lease)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_to(&self, server: &Server) -> Result<Lease, SendError> {
        let (meter, tls) = (self.meter.clone(), self.plan.tls.as_ref());
        match Connection::open(&server.address, tls, self.plan.connect_timeout, meter).await {
            Ok(connection) => {
                server.is_back();
                Ok(server.pool.lease(connection))
            }
            Err(source) => {
                if !source.is_ours() {
                    server.rest(self.plan.fail_timeout);
                }
                let server = server.address.to_string();
                tracing::warn!(%server, error = %source, "a backend cannot be reached");
                Err(SendError::Unreachable { server, source })
            }
        }
    }

    /// Tries once. The exchange is on the heap from the beginning, so that nothing of it is moved.
    async fn try_on(
        &self,
        mut exchange: Box<Exchange>,
        hidden: &ManagedNames,
    ) -> Result<Response<AnswerBody>, Missed> {
        match self.in_time(&mut exchange, hidden).await {
            Ok(reply) => Ok(answer::open(reply, exchange)),
            Err(error) => {
                let request = Box::new(exchange.into_request());
                Err(match error {
                    SendError::Unsent => Missed::Unsent(request),
                    error => Missed::Lost(error, request),
                })
            }
        }
    }

    /// Waits for an answer: `timeout` long once all of the body that is there was taken.
    async fn in_time(
        &self,
        exchange: &mut Exchange,
        hidden: &ManagedNames,
    ) -> Result<Reply, SendError> {
        poll_fn(|cx| {
            if let Poll::Ready(reply) = exchange.poll_reply(hidden, cx) {
                return Poll::Ready(reply);
            }
            ready!(exchange.poll_overdue(self.plan.timeout, cx));
            Poll::Ready(Err(SendError::Timeout(self.plan.timeout)))
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

    fn note(&mut self, sent: &Result<Response<AnswerBody>, SendError>) {
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

/// A connection of `server` that waits and is still good. Where a request can be sent only once, the system is asked
/// whether the server has closed it; otherwise what the runtime has heard will do.
fn waiting(server: &Server, is_repeatable: bool) -> Option<Lease> {
    let now = Instant::now();
    loop {
        let mut lease = server.pool.take(now)?;
        if is_repeatable || lease.connection.is_certainly_quiet() {
            return Some(lease);
        }
    }
}
