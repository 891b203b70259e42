//! Sessions in Redis, which several gateways share, and those of them that are near. Knows nothing of requests.
//!
//! `keys` is what things are called in Redis, `form` and `record` what they say, `scripts` what is done in one step.
//! `servers` sends a command to the server that has its names: to a `node`, which may be told by a `sentinel` or be part of
//! a `cluster`, over a `connection` that also tells what changes. `near` is what need not be asked for, as long as the
//! connection is `heard`. `finding`, `opening`, `places`, `ending` and `ledger` are what is done with sessions, `touches`
//! writes their uses. A `fault` is what went wrong, and `health` what operators are told of it.
//!
//! # Changes are heard over the connection that is asked
//!
//! Of the ways to hear what changes, this takes Redis's own tracking of whole prefixes (`CLIENT TRACKING ON BCAST`), over
//! the very connection that is asked. It tells whoever ends a session and however: a gateway, an operator with redis-cli, an
//! expiry, an eviction, a flush. What is published by those who write could be lost between two servers of a cluster, and
//! nobody would notice; this cannot be lost without the connection, and then nothing that came over it is believed for long.
//! And since one reader takes answers and news in the order in which the server wrote them, an answer that was overtaken by a
//! change is known for what it is.
//!
//! # What spans slots
//!
//! A login first writes the session's id into the list of its user, then the session: so a session is in its user's list
//! from the beginning. To revoke takes the ids from the list and leaves a mark for each, which keeps a session out that is
//! just being opened. To end takes the session first, then the id. Whatever breaks off between two steps leaves at most
//! an id that leads nowhere, and a list drops such ids in time.

mod cluster;
mod connection;
mod ending;
mod fault;
mod finding;
mod form;
mod health;
mod heard;
mod keys;
mod ledger;
mod near;
mod node;
mod opening;
mod places;
mod record;
mod scripts;
mod sentinel;
mod servers;
#[cfg(test)]
mod tests;
mod touches;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Cast, Condition, Found, Trouble};
use crate::config::plan::{RedisPlan, SessionsPlan};
use crate::domain::clock::{Clock, Timestamp, millis};
use crate::domain::session::{Session, SessionLimits};
use crate::domain::token::SkeyDigest;
use crate::metrics::Metrics;

use fault::Fault;
use form::Form;
use health::Health;
use keys::Names;
use near::Near;
use node::Shared;
use record::Records;
use servers::{Answer, Ask, Servers};

/// How much may be under way or wait at a time; what comes beyond is refused.
const MOST_WAITING: usize = 8192;
/// How many commands are under way at a time.
const MOST_AT_ONCE: usize = 512;
/// How long it may take to write all uses at a stop.
const SETTLED: Duration = Duration::from_secs(5);
/// How much longer than it lasts a session is kept, whatever the clocks of gateways show.
const MARGIN: Duration = Duration::from_mins(1);
/// A session is kept for so much of its idle time beyond it, so that not each use has to make it last longer.
const SPARE: u32 = 4;

/// A store in Redis. Clones show the same sessions.
#[derive(Clone)]
pub struct RedisStore(Arc<Core>);

/// What all clones share.
struct Core {
    shared: Arc<Shared>,
    servers: Servers,
    names: Names,
    records: Records,
    /// How many sessions of a user may stand.
    most: Option<NonZeroUsize>,
    waiting: Arc<Semaphore>,
    turns: Semaphore,
    metrics: Arc<Metrics>,
    control: Handle,
}

impl RedisStore {
    /// Connects from now on, with whatever asks and writes on the runtime `control`.
    pub(super) fn start(
        (plan, redis): (&SessionsPlan, &RedisPlan),
        cast: Cast,
        clock: Clock,
        metrics: Arc<Metrics>,
        control: &Handle,
    ) -> Self {
        let idle = plan.limits.idle;
        let shared = Arc::new(Shared {
            plan: redis.clone(),
            near: Arc::new(Near::new(plan.capacity, idle, Arc::clone(&metrics))),
            health: Health::new(Arc::clone(&metrics)),
            clock,
        });
        let form = Form::new(&plan.encryption_keys);
        let core = Arc::new(Core {
            servers: Servers::start(&shared, control),
            shared,
            names: Names::new(&plan.encryption_keys),
            records: Records::new(form, cast, plan.limits),
            most: plan.max_per_user,
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            turns: Semaphore::new(MOST_AT_ONCE),
            metrics,
            control: control.clone(),
        });
        let writing = touches::write_now_and_then(Arc::downgrade(&core), touches::every(idle));
        control.spawn(writing);
        Self(core)
    }

    /// What a digest leads to, if that need not be asked for.
    pub(super) fn near(&self, digest: &SkeyDigest, now: Timestamp) -> Option<Found> {
        self.0.shared.near.find(digest.session_id(), now)
    }

    /// Notes a use, which is written behind.
    pub(super) fn touch(session: &Session, now: Timestamp) {
        session.touch(now);
    }

    /// Frees what is forgotten here.
    pub(super) fn tidy(&self) {
        self.0.shared.near.tidy();
    }

    /// Forgets what is near.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.0.shared.near.change_all();
    }

    /// Whether Redis can be asked.
    pub(super) fn condition(&self) -> Condition {
        self.0.shared.health.condition()
    }

    /// Writes all uses that are not written yet.
    pub(super) async fn settle(&self) {
        let this = self.clone();
        let writing = self
            .0
            .control
            .spawn(async move { touches::write(&this).await });
        // What is not written within that is lost.
        let _ = timeout(SETTLED, writing).await;
    }

    /// Does `work` on the runtime that has the connections, and counts what comes of it.
    async fn run<T: Send + 'static>(
        &self,
        op: &'static str,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let core = &self.0;
        let result = match Arc::clone(&core.waiting).try_acquire_owned() {
            Err(_) => Err(Fault::Full),
            Ok(place) => {
                let working = core.control.spawn(async move {
                    let _place = place;
                    work.await
                });
                let broke = |error| Err(Fault::Away(format!("it broke off: {error}")));
                working.await.unwrap_or_else(broke)
            }
        };
        let outcome = result.as_ref().err().map_or("ok", Fault::outcome);
        core.metrics.store_request(op, outcome);
        Ok(result?)
    }

    /// Asks the server that has `name`, when it is its turn.
    async fn ask(&self, name: &str, ask: &Ask) -> Result<Answer, Fault> {
        let core = &self.0;
        let turn = timeout(core.shared.plan.timeout, core.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Fault::Full);
        };
        core.servers.ask(name, ask).await
    }

    /// Has the server that has `name` write.
    async fn write(&self, name: &str, ask: &Ask) -> Result<Answer, Fault> {
        let written = self.ask(name, ask).await;
        self.0.shared.health.write(&written);
        written
    }

    fn now(&self) -> Timestamp {
        self.0.shared.clock.now()
    }

    fn limits(&self) -> SessionLimits {
        self.0.records.limits()
    }

    /// For how long a session that was last used then is kept at least, and for how long it is to be kept, in milliseconds
    /// from `now` on. Redis counts them by its own clock, and frees memory by them; whether a session has ended is told by
    /// the times that are written in it.
    fn kept_for(&self, session: &Session, now: Timestamp) -> (u64, u64) {
        let (expires_at, used) = (session.expires_at(), session.last_used());
        let idle = self.limits().idle;
        let until = |end: Timestamp| now.until(end.min(expires_at)).saturating_add(MARGIN);
        let (least, usual) = (used.after(idle), used.after(idle + idle / SPARE));
        (millis(until(least)), millis(until(usual)))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("near", &self.0.shared.near.count())
            .finish_non_exhaustive()
    }
}
