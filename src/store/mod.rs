//! Where sessions are: open, find, close, and what an operator asks of them. Knows nothing of requests.

mod ledger;
mod memory;
mod redis;
mod sealing;
mod state;
mod trouble;
mod users;

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::config::plan::{SessionsPlan, StorePlan};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::identity::{Identity, WechatId};
use crate::domain::session::{Session, SessionKey, UserKeys};
use crate::domain::session_id::SessionId;
use crate::domain::token::{NoEntropy, Skey, SkeyDigest};
use crate::metrics::Metrics;

pub use ledger::{ListError, Listing, Page, Revoked, Row, Whose};
use memory::MemoryStore;
use redis::RedisStore;
pub use state::{Cast, InUse, State};
pub use trouble::{Condition, Trouble};

/// The sessions of all apps. Clones show the same ones.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process alone.
    Memory(MemoryStore),
    /// In Redis, which several gateways share.
    Redis(RedisStore),
}

impl Store {
    /// An empty store in memory.
    #[must_use]
    pub fn memory(plan: &SessionsPlan, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self::Memory(MemoryStore::new(plan, clock, metrics))
    }

    /// The store that `plan` says. What asks another process, and what looks after it, runs on `control`.
    #[must_use]
    pub fn of(
        plan: &SessionsPlan,
        cast: Cast,
        clock: Clock,
        metrics: Arc<Metrics>,
        control: &Handle,
    ) -> Self {
        match &plan.store {
            StorePlan::Memory => Self::memory(plan, clock, metrics),
            StorePlan::Redis(redis) => {
                let store = RedisStore::start((plan, redis), cast, clock, metrics, control);
                Self::Redis(store)
            }
        }
    }

    /// The file in which the sessions outlast this process, if `plan` has one; nothing is read yet.
    ///
    /// # Errors
    ///
    /// Another process keeps its sessions there.
    pub fn state(
        &self,
        plan: &SessionsPlan,
        cast: Cast,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<State>, InUse> {
        match self {
            Self::Memory(memory) => state::of_memory(memory, plan, cast, clock, metrics),
            Self::Redis(_) => Ok(None),
        }
    }

    /// Opens a session of a user who has just logged in, and takes over the user's newest key.
    ///
    /// # Errors
    ///
    /// The system has no random bytes for a skey, or the store cannot be asked.
    pub async fn open(&self, identity: Identity, key: SessionKey) -> Result<Opened, OpenError> {
        match self {
            Self::Memory(memory) => Ok(memory.open(identity, key)?),
            Self::Redis(redis) => Box::pin(redis.open(identity, key)).await,
        }
    }

    /// Finds the session that a skey's digest leads to, unless it has ended at `now`. Finding is not using: that is to touch
    /// it.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn find(&self, digest: &SkeyDigest, now: Timestamp) -> Result<Found, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.find(digest, now)),
            Self::Redis(redis) => match redis.near(digest, now) {
                Some(found) => Ok(found),
                None => Box::pin(redis.find(digest, now)).await,
            },
        }
    }

    /// Notes that the session that this digest led to was used at `now`.
    pub fn touch(&self, _: &SkeyDigest, session: &Session, now: Timestamp) {
        match self {
            Self::Memory(_) => session.touch(now),
            Self::Redis(_) => RedisStore::touch(session, now),
        }
    }

    /// Whether a session that was found is still there at `now`. To ask is neither finding nor using.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, and what it said last is too long ago.
    pub async fn holds(
        &self,
        digest: &SkeyDigest,
        session: &Session,
        now: Timestamp,
    ) -> Result<Standing, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.holds(digest, session, now)),
            Self::Redis(redis) => match redis.near(digest, now) {
                Some(found) => Ok(found.standing()),
                None => Ok(Box::pin(redis.find(digest, now)).await?.standing()),
            },
        }
    }

    /// Ends the session that a skey's digest leads to, if there is one.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, and the session may go on.
    pub async fn close(&self, digest: &SkeyDigest) -> Result<(), Trouble> {
        match self {
            Self::Memory(memory) => {
                memory.close(digest);
                Ok(())
            }
            Self::Redis(redis) => Box::pin(redis.close(digest)).await,
        }
    }

    /// Moves the session that a skey's digest leads to at `now` to a new skey; all else of it stays. The old skey leads there
    /// for a little longer, and may be rotated again within that time: the session is then moved once more, because an answer
    /// that was lost must not cost the login.
    ///
    /// # Errors
    ///
    /// The system has no random bytes for a skey, or the store cannot be asked.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn rotate(&self, digest: &SkeyDigest, now: Timestamp) -> Result<Rotated, OpenError> {
        match self {
            Self::Memory(memory) => Ok(memory.rotate(digest, now)?),
            Self::Redis(_) => Err(Trouble::new("Redis: skeys are not rotated there yet").into()),
        }
    }

    /// The keys of a user in the app at this place, from a login on for the lifetime of a session at least. At
    /// capacity those of the least recent logins go first.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn keys(&self, app: usize, openid: &WechatId) -> Result<Option<UserKeys>, Trouble> {
        match self {
            Self::Memory(memory) => Ok(memory.keys(app, openid)),
            Self::Redis(redis) => Box::pin(redis.keys(app, openid)).await,
        }
    }

    /// Ends these sessions, and tells how many there were. All that a login had opened before have ended then, and what one
    /// opens afterwards stays; of those that are opened meanwhile, some may have ended.
    ///
    /// # Errors
    ///
    /// The store cannot be asked, and some of the sessions may go on.
    pub async fn revoke(&self, revoked: Revoked) -> Result<u64, Trouble> {
        match self {
            Self::Memory(memory) => memory.walk(move |memory| memory.revoke(&revoked)).await,
            Self::Redis(redis) => Box::pin(redis.revoke(revoked)).await,
        }
    }

    /// Some of the sessions.
    ///
    /// # Errors
    ///
    /// The cursor is of no page, or the store cannot be asked.
    pub async fn list(&self, listing: Listing) -> Result<Page, ListError> {
        match self {
            Self::Memory(memory) => memory.walk(move |memory| memory.list(&listing)).await?,
            Self::Redis(redis) => Box::pin(redis.list(listing)).await,
        }
    }

    /// The session of this name, if it stands.
    ///
    /// # Errors
    ///
    /// The store cannot be asked.
    pub async fn show(&self, id: SessionId) -> Result<Option<Row>, Trouble> {
        match self {
            Self::Memory(memory) => memory.walk(move |memory| memory.show(id)).await,
            Self::Redis(redis) => Box::pin(redis.show(id)).await,
        }
    }

    /// Whether it can be asked.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            Self::Memory(_) => Condition::Up,
            Self::Redis(redis) => redis.condition(),
        }
    }

    /// Writes what is only known here yet, such as uses of sessions; what cannot be written is lost.
    pub async fn settle(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(redis) => Box::pin(redis.settle()).await,
        }
    }

    /// Forgets what need not be kept here.
    #[cfg(test)]
    fn forget(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Redis(redis) => redis.forget(),
        }
    }

    /// Frees what has ended, and counts anew. It is enough to do so now and then.
    pub fn tidy(&self) {
        match self {
            Self::Memory(memory) => memory.tidy(),
            Self::Redis(redis) => redis.tidy(),
        }
    }
}

/// A session that was just opened, with the token that leads to it and is kept nowhere else.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The token, for the client.
    pub skey: Skey,
    /// The session.
    pub session: Arc<Session>,
}

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There are no random bytes.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The store cannot be asked. Whether the session is in it may be unknown; its skey is.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// What a skey leads to.
#[derive(Clone, Debug)]
pub enum Found {
    /// A session that stands.
    Session(Arc<Session>),
    /// None.
    Gone(Gone),
}

impl Found {
    /// The session, if there is one.
    #[must_use]
    pub fn session(self) -> Option<Arc<Session>> {
        match self {
            Self::Session(session) => Some(session),
            Self::Gone(_) => None,
        }
    }
}

impl Found {
    fn standing(&self) -> Standing {
        match self {
            Self::Session(_) => Standing::Stands,
            Self::Gone(gone) => Standing::Gone(*gone),
        }
    }
}

/// Why a skey leads to no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is of none that anybody knows of, or has ended.
    Unknown,
    /// Its user has logged in elsewhere since, more often than they may at a time.
    Replaced,
}

/// What came of a rotation.
#[derive(Clone, Debug)]
pub enum Rotated {
    /// The same session, under another skey.
    Anew(Opened),
    /// There was none.
    Gone(Gone),
}

/// What has become of a session that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Stands,
    /// It stands, and what leads to it now is this digest.
    Moved(SkeyDigest),
    /// It does not.
    Gone(Gone),
}

#[cfg(test)]
mod contract;
