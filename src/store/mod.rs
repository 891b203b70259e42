//! Where sessions are: open, find, close. Knows nothing of requests.

mod memory;
mod sealing;
mod state;
mod users;

use std::sync::Arc;

use crate::config::plan::SessionsPlan;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::identity::{Identity, WechatId};
use crate::domain::session::{Session, SessionKey, UserKeys};
use crate::domain::token::{NoEntropy, Skey, SkeyDigest};
use crate::metrics::Metrics;

use memory::MemoryStore;
pub use state::{Cast, InUse, State};

/// The sessions of all apps. Clones show the same ones.
#[derive(Clone, Debug)]
pub enum Store {
    /// In this process alone.
    Memory(MemoryStore),
}

impl Store {
    /// An empty store in memory.
    #[must_use]
    pub fn memory(plan: &SessionsPlan, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self::Memory(MemoryStore::new(plan, clock, metrics))
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
        }
    }

    /// Opens a session of a user who has just logged in, and takes over the user's newest key.
    ///
    /// # Errors
    ///
    /// The system has no random bytes for a skey.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn open(&self, identity: Identity, key: SessionKey) -> Result<Opened, NoEntropy> {
        match self {
            Self::Memory(memory) => memory.open(identity, key),
        }
    }

    /// Finds the session that a skey's digest leads to, unless it has ended at `now`. Finding is not using: that is to touch
    /// it.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn find(&self, digest: &SkeyDigest, now: Timestamp) -> Option<Arc<Session>> {
        match self {
            Self::Memory(memory) => memory.find(digest, now),
        }
    }

    /// Whether a session that was found is still there at `now`. To ask is neither finding nor using.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn holds(&self, digest: &SkeyDigest, session: &Session, now: Timestamp) -> bool {
        match self {
            Self::Memory(memory) => memory.holds(digest, session, now),
        }
    }

    /// Ends the session that a skey's digest leads to, if there is one.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn close(&self, digest: &SkeyDigest) {
        match self {
            Self::Memory(memory) => memory.close(digest),
        }
    }

    /// The keys of a user in the app at this place, from a login on for the lifetime of a session at least. At
    /// capacity those of the least recent logins go first.
    #[expect(
        clippy::unused_async,
        reason = "a store in another process has to be asked"
    )]
    pub async fn keys(&self, app: usize, openid: &WechatId) -> Option<UserKeys> {
        match self {
            Self::Memory(memory) => memory.keys(app, openid),
        }
    }

    /// Frees what has ended, and counts anew. It is enough to do so now and then.
    pub fn tidy(&self) {
        match self {
            Self::Memory(memory) => memory.tidy(),
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

#[cfg(test)]
mod contract;
