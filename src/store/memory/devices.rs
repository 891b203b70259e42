//! The sessions of each user, where a user may have only so many. Knows nothing of what ends them.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use hashbrown::HashTable;

use crate::domain::clock::Timestamp;
use crate::domain::identity::WechatId;
use crate::domain::session::Session;
use crate::domain::token::SkeyDigest;

/// A session and what leads to it.
pub(super) type Device = (SkeyDigest, Arc<Session>);

/// All sessions, to be found by their user.
pub(super) struct Devices {
    table: HashTable<Device>,
    gone: Receiver<(u64, SkeyDigest)>,
    hasher: RandomState,
}

/// Tells that sessions are no longer in the store, from wherever that happens; nobody who does waits.
#[derive(Clone)]
pub(super) struct Gone {
    told: Sender<(u64, SkeyDigest)>,
    hasher: RandomState,
}

impl Gone {
    pub(super) fn tell(&self, digest: SkeyDigest, session: &Session) {
        // Whoever is told has gone only if the store has.
        let _ = self.told.send((hash(&self.hasher, session), digest));
    }
}

impl Devices {
    pub(super) fn new() -> (Self, Gone) {
        let (told, gone) = channel();
        // Its key is random, so that nobody can choose openids that meet.
        let hasher = RandomState::new();
        let devices = Self {
            table: HashTable::new(),
            gone,
            hasher: hasher.clone(),
        };
        (devices, Gone { told, hasher })
    }

    pub(super) fn put(&mut self, digest: SkeyDigest, session: Arc<Session>) {
        let Self { table, hasher, .. } = self;
        let own = hash(hasher, &session);
        table.insert_unique(own, (digest, session), |(_, session)| hash(hasher, session));
    }

    pub(super) fn take(&mut self, digest: &SkeyDigest, session: &Session) {
        self.take_hashed(hash(&self.hasher, session), digest);
    }

    /// The sessions of one user, those that end first before the others. All have the same lifetime, and none that was
    /// kept elsewhere a longer one: so these were opened first.
    pub(super) fn of_user(&self, app: usize, openid: &WechatId) -> Vec<Device> {
        let hash = self.hasher.hash_one((app, openid.as_bytes()));
        let devices = self.table.iter_hash(hash).filter(|(_, session)| {
            let user = session.user();
            user.app.index == app && user.openid == *openid
        });
        let mut devices: Vec<_> = devices.cloned().collect();
        devices.sort_by_key(|(_, session)| session.expires_at());
        devices
    }

    /// Frees what was told to be gone.
    pub(super) fn tidy(&mut self) {
        while let Ok((hash, digest)) = self.gone.try_recv() {
            self.take_hashed(hash, &digest);
        }
        if self.table.capacity() / 4 > self.table.len() {
            let hasher = &self.hasher;
            self.table
                .shrink_to_fit(|(_, session)| hash(hasher, session));
        }
    }

    fn take_hashed(&mut self, hash: u64, digest: &SkeyDigest) {
        if let Ok(found) = self.table.find_entry(hash, |(own, _)| own == digest) {
            found.remove();
        }
    }
}

/// Those of `devices` that stand at `now` and have to go, so that there is room for one more where `most` may stand.
pub(super) fn surplus(mut devices: Vec<Device>, most: usize, now: Timestamp) -> Vec<Device> {
    devices.retain(|(_, session)| !session.has_ended(now));
    devices.truncate((devices.len() + 1).saturating_sub(most));
    devices
}

fn hash(hasher: &RandomState, session: &Session) -> u64 {
    let user = session.user();
    hasher.hash_one((user.app.index, user.openid.as_bytes()))
}
