//! Connections to one server that wait for their next request. They belong to one worker: taking one is a pop.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, timeout};

use super::body::SealedBody;
use crate::metrics::{UpstreamOutcome, WorkerMetrics};

/// How many connections wait at most.
const MOST: usize = 256;
/// How long one waits at most: shorter than the usual patience of servers, who end it at their end.
const PATIENCE: Duration = Duration::from_secs(55);
/// How long a connection may take to be ready again after an answer.
const SETTLE: Duration = Duration::from_secs(5);

/// The waiting connections of one server.
#[derive(Debug)]
pub(super) struct Pool {
    waiting: RefCell<Vec<Waiting>>,
    meter: Meter,
}

#[derive(Debug)]
struct Waiting {
    sender: SendRequest<SealedBody>,
    since: Instant,
}

/// Where connections are counted, and under which upstream.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    pub(super) metrics: Arc<WorkerMetrics>,
    pub(super) upstream: usize,
}

impl Meter {
    /// Counts what became of a request.
    pub(super) fn count(&self, outcome: UpstreamOutcome) {
        self.metrics.upstream_request(self.upstream, outcome);
    }
}

/// A connection that is in use, and where it came from.
#[derive(Debug)]
pub(super) struct Lease {
    sender: SendRequest<SealedBody>,
    pool: Rc<Pool>,
    is_reused: bool,
    _active: Active,
}

/// Counts a connection as active while it lasts.
#[derive(Debug)]
struct Active(Meter);

impl Pool {
    /// An empty pool that counts its connections.
    pub(super) fn new(meter: Meter) -> Self {
        Self {
            waiting: RefCell::default(),
            meter,
        }
    }

    /// Takes the connection that waited least, if one is still good.
    pub(super) fn take(self: &Rc<Self>) -> Option<Lease> {
        loop {
            let Waiting { sender, since } = self.waiting.borrow_mut().pop()?;
            if sender.is_ready() && since.elapsed() < PATIENCE {
                return Some(Lease::new(sender, self, true));
            }
        }
    }

    /// Takes a connection that was just made.
    pub(super) fn lease(self: &Rc<Self>, sender: SendRequest<SealedBody>) -> Lease {
        Lease::new(sender, self, false)
    }

    fn put(&self, sender: SendRequest<SealedBody>) {
        let mut waiting = self.waiting.borrow_mut();
        let now = Instant::now();
        // The oldest stand first.
        let expired = waiting
            .iter()
            .take_while(|one| now - one.since >= PATIENCE)
            .count();
        let surplus = (waiting.len() + 1).saturating_sub(MOST);
        waiting.drain(..expired.max(surplus));
        waiting.push(Waiting { sender, since: now });
    }
}

impl Lease {
    fn new(sender: SendRequest<SealedBody>, pool: &Rc<Pool>, is_reused: bool) -> Self {
        Self {
            sender,
            pool: Rc::clone(pool),
            is_reused,
            _active: Active::new(pool.meter.clone()),
        }
    }

    /// Whether it has carried a request before, and so may have been closed meanwhile.
    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Whether the server has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The connection itself.
    pub(super) fn sender(&mut self) -> &mut SendRequest<SealedBody> {
        &mut self.sender
    }

    /// Gives it back after the last byte of an answer, once the connection is ready for the next request.
    pub(super) fn give_back(mut self) {
        if self.sender.is_ready() {
            self.pool.put(self.sender);
        } else if !self.sender.is_closed() {
            tokio::task::spawn_local(async move {
                if let Ok(Ok(())) = timeout(SETTLE, self.sender.ready()).await {
                    self.pool.put(self.sender);
                }
            });
        }
    }
}

impl Active {
    fn new(meter: Meter) -> Self {
        meter.metrics.upstream_connection_taken(meter.upstream);
        Self(meter)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let Self(Meter { metrics, upstream }) = self;
        metrics.upstream_connection_returned(*upstream);
    }
}
