//! Connections to one server that wait for their next request. They belong to one worker: taking one is a pop.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;
use crate::metrics::{UpstreamOutcome, WorkerMetrics};

/// How many connections wait at most.
const MOST: usize = 256;
/// How long one waits at most: shorter than the usual patience of servers, who end it at their end.
const PATIENCE: Duration = Duration::from_secs(55);
/// How often those that the server has closed are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The waiting connections of one server.
#[derive(Debug)]
pub(super) struct Pool {
    waiting: RefCell<Vec<Waiting>>,
    /// Whether a task sweeps it.
    is_swept: Cell<bool>,
    meter: Meter,
}

#[derive(Debug)]
struct Waiting {
    connection: Connection,
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
    pub(super) connection: Connection,
    is_reused: bool,
    taken_at: Instant,
    active: Active,
}

/// Counts a connection of a pool as active while it lasts.
#[derive(Debug)]
struct Active(Rc<Pool>);

impl Pool {
    /// An empty pool that counts its connections.
    pub(super) fn new(meter: Meter) -> Self {
        Self {
            waiting: RefCell::default(),
            is_swept: Cell::new(false),
            meter,
        }
    }

    /// Takes the connection that waited least, if one is still good at `now`.
    pub(super) fn take(self: &Rc<Self>, now: Instant) -> Option<Lease> {
        loop {
            let mut waiting = self.waiting.borrow_mut().pop()?;
            if waiting.is_good(now) {
                return Some(Lease::new(waiting.connection, self, true, now));
            }
        }
    }

    /// Takes a connection that was just made.
    pub(super) fn lease(self: &Rc<Self>, connection: Connection) -> Lease {
        Lease::new(connection, self, false, Instant::now())
    }

    fn put(self: &Rc<Self>, mut connection: Connection) {
        connection.rest();
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() >= MOST {
            // The one that waited longest.
            waiting.remove(0);
        }
        let since = Instant::now();
        waiting.push(Waiting { connection, since });
        if !self.is_swept.replace(true) {
            tokio::task::spawn_local(sweep(Rc::downgrade(self)));
        }
    }
}

/// Ends what waits too long or was closed, and has the rest give back its memory, for as long as anything waits.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(SWEEP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        let mut waiting = pool.waiting.borrow_mut();
        waiting.retain_mut(|one| one.is_good(now));
        let rest = waiting
            .iter_mut()
            .filter(|one| now - one.since >= SWEEP_EVERY);
        rest.for_each(|one| one.connection.let_go());
        if waiting.is_empty() {
            pool.is_swept.set(false);
            return;
        }
    }
}

impl Waiting {
    fn is_good(&mut self, now: Instant) -> bool {
        now - self.since < PATIENCE && self.connection.is_quiet()
    }
}

impl Lease {
    fn new(connection: Connection, pool: &Rc<Pool>, is_reused: bool, now: Instant) -> Self {
        Self {
            connection,
            is_reused,
            taken_at: now,
            active: Active::new(Rc::clone(pool)),
        }
    }

    /// Whether it has carried a request before, and so may have been closed meanwhile.
    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Since when it is in use.
    pub(super) fn taken_at(&self) -> Instant {
        self.taken_at
    }

    /// Gives it back after the last byte of an answer.
    pub(super) fn give_back(self) {
        let Active(pool) = &self.active;
        pool.put(self.connection);
    }
}

impl Active {
    fn new(pool: Rc<Pool>) -> Self {
        let Meter { metrics, upstream } = &pool.meter;
        metrics.upstream_connection_taken(*upstream);
        Self(pool)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let Self(pool) = self;
        let Meter { metrics, upstream } = &pool.meter;
        metrics.upstream_connection_returned(*upstream);
    }
}
