//! What of Redis is known here: sessions that need not be asked for. Knows no connections.
//!
//! Whatever is near was said over a connection that also tells what changes. It is believed as long as that connection is
//! heard ([`Heard`]), and until a change is told. What was asked for before a change and came behind it is not kept: whoever
//! asks takes a [`Ticket`] first, which is void from the change on.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rustc_hash::FxBuildHasher;

use super::heard::Heard;
use super::keys::{Named, UserHash};
use crate::domain::clock::Timestamp;
use crate::domain::session::{Session, User};
use crate::domain::session_id::SessionId;
use crate::metrics::Metrics;
use crate::store::{Found, Gone};

/// Into how many parts tickets fall: a change voids those of its own part.
const PARTS: usize = 4096;
/// How many ids are known to lead nowhere.
const MOST_GONE: u64 = 10_000;
/// For how long they are.
const GONE_FOR: Duration = Duration::from_secs(2);
/// How many uses of sessions that are not near any more may wait to be written.
const MOST_LEFT: usize = 10_000;

/// All that is near.
pub(super) struct Near {
    sessions: Cache<SessionId, Arc<NearSession>, FxBuildHasher>,
    users: Cache<UserHash, Arc<NearUser>, FxBuildHasher>,
    /// Each until some time.
    gone: Cache<SessionId, (Gone, Timestamp), FxBuildHasher>,
    parts: Box<[AtomicU64]>,
    /// Sessions that went before their last use was written.
    left: Arc<Mutex<Vec<Arc<NearSession>>>>,
    metrics: Arc<Metrics>,
}

/// A session, with what it is believed by.
#[derive(Debug)]
pub(super) struct NearSession {
    pub(super) id: SessionId,
    pub(super) session: Arc<Session>,
    pub(super) user: Arc<NearUser>,
    heard: Arc<Heard>,
    /// The last use that Redis knows of, in milliseconds.
    written: AtomicU64,
}

/// A user, with what their keys are believed by.
#[derive(Debug)]
pub(super) struct NearUser {
    pub(super) user: Arc<User>,
    heard: Arc<Heard>,
    is_stale: AtomicBool,
}

/// The right to keep what is asked for from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    part: usize,
    changes: u64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    Session(SessionId),
    User(UserHash),
}

impl From<Named> for Subject {
    fn from(named: Named) -> Self {
        match named {
            Named::Session(id) => Self::Session(id),
            Named::Keys(hash) => Self::User(hash),
        }
    }
}

impl Near {
    /// Nothing yet, and room for `capacity` sessions, which are forgotten when nobody has asked for them for `idle`.
    pub(super) fn new(capacity: u64, idle: Duration, metrics: Arc<Metrics>) -> Self {
        let left = Arc::new(Mutex::new(Vec::new()));
        let (counted, leaving) = (Arc::clone(&metrics), Arc::clone(&left));
        let sessions = Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(idle)
            .eviction_listener(move |_, near: Arc<NearSession>, cause| {
                counted.session_closed(near.session.user().app.index);
                if cause != RemovalCause::Replaced {
                    leave(&leaving, near);
                }
            });
        let users = Cache::builder()
            .max_capacity(capacity)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(idle)
            // Whoever is not here is not found when their keys change.
            .eviction_listener(|_, user: Arc<NearUser>, _| user.grow_stale());
        let gone = Cache::builder()
            .max_capacity(MOST_GONE)
            .time_to_live(GONE_FOR);
        Self {
            sessions: sessions.build_with_hasher(FxBuildHasher),
            users: users.build_with_hasher(FxBuildHasher),
            gone: gone.build_with_hasher(FxBuildHasher),
            parts: (0..PARTS).map(|_| AtomicU64::new(0)).collect(),
            left,
            metrics,
        }
    }

    /// What an id leads to, if that is known at `now` and need not be asked for.
    pub(super) fn find(&self, id: SessionId, now: Timestamp) -> Option<Found> {
        match self.sessions.get(&id) {
            // One that seems to have ended may have been used elsewhere.
            Some(near) if near.is_believed(now) && !near.session.has_ended(now) => {
                Some(Found::Session(Arc::clone(&near.session)))
            }
            Some(_) => None,
            None => {
                let (gone, until) = self.gone.get(&id)?;
                (now < until).then_some(Found::Gone(gone))
            }
        }
    }

    /// The last use of a session that is near, believed or not: it may not be written yet.
    pub(super) fn last_used(&self, id: SessionId) -> Option<Timestamp> {
        let near = self.sessions.get(&id)?;
        Some(near.session.last_used())
    }

    /// A user whose keys are known at `now` and need not be asked for.
    pub(super) fn user(&self, hash: UserHash, now: Timestamp) -> Option<Arc<NearUser>> {
        let user = self.users.get(&hash)?;
        user.is_believed(now).then_some(user)
    }

    /// The right to keep what is asked for of `subject` from now on.
    pub(super) fn ticket(&self, subject: Subject) -> Ticket {
        let part = part_of(subject);
        let changes = self.changes(part);
        Ticket { part, changes }
    }

    /// Keeps a user who was asked for under this name, unless their keys have changed since.
    pub(super) fn keep_user(&self, ticket: Ticket, hash: UserHash, user: &Arc<NearUser>) {
        self.users.insert(hash, Arc::clone(user));
        if !self.is_good(ticket) {
            // This tells those who have them.
            user.grow_stale();
            self.users.invalidate(&hash);
        }
    }

    /// Keeps a session that was asked for, unless it has changed since. Uses that are not written yet go on.
    pub(super) fn keep(&self, ticket: Ticket, near: Arc<NearSession>) {
        let id = near.id;
        if let Some(before) = self.sessions.get(&id) {
            near.session.touch(before.session.last_used());
        }
        if !self.is_good(ticket) {
            return;
        }
        self.gone.invalidate(&id);
        self.metrics.session_opened(near.session.user().app.index);
        self.sessions.insert(id, near);
        // A change is counted before it takes away what is near: so either it did that, or it is seen here.
        if !self.is_good(ticket) {
            self.sessions.invalidate(&id);
        }
    }

    /// Keeps that an id leads nowhere, unless that has changed since.
    pub(super) fn keep_gone(&self, ticket: Ticket, id: SessionId, gone: Gone, now: Timestamp) {
        self.sessions.invalidate(&id);
        if self.is_good(ticket) {
            self.gone.insert(id, (gone, now.after(GONE_FOR)));
            if !self.is_good(ticket) {
                self.gone.invalidate(&id);
            }
        }
    }

    /// Whatever is known of `subject` has changed.
    pub(super) fn change(&self, subject: Subject) {
        if let Some(part) = self.parts.get(part_of(subject)) {
            part.fetch_add(1, Ordering::SeqCst);
        }
        match subject {
            Subject::Session(id) => {
                self.sessions.invalidate(&id);
                self.gone.invalidate(&id);
            }
            Subject::User(hash) => {
                if let Some(user) = self.users.remove(&hash) {
                    user.grow_stale();
                }
            }
        }
    }

    /// Everything may have changed.
    pub(super) fn change_all(&self) {
        for part in &self.parts {
            part.fetch_add(1, Ordering::SeqCst);
        }
        for (_, user) in &self.users {
            user.grow_stale();
        }
        self.users.invalidate_all();
        self.sessions.invalidate_all();
        self.gone.invalidate_all();
    }

    /// Those that were used since Redis was told of a use, each with that use, which from now on counts as written.
    pub(super) fn unwritten(&self) -> Vec<(Arc<NearSession>, Timestamp)> {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        let here = self.sessions.iter().map(|(_, near)| near);
        let all = here.chain(left);
        all.filter_map(|near| near.take_use().map(|at| (near, at)))
            .collect()
    }

    /// Frees what is forgotten.
    pub(super) fn tidy(&self) {
        self.sessions.run_pending_tasks();
        self.users.run_pending_tasks();
        self.gone.run_pending_tasks();
    }

    /// How many sessions are near.
    pub(super) fn count(&self) -> u64 {
        self.sessions.entry_count()
    }

    fn changes(&self, part: usize) -> u64 {
        let part = self.parts.get(part);
        part.map_or(0, |part| part.load(Ordering::SeqCst))
    }

    fn is_good(&self, ticket: Ticket) -> bool {
        self.changes(ticket.part) == ticket.changes
    }
}

impl NearSession {
    /// A session as Redis said it, which knows of its use until `written`.
    pub(super) fn new(
        id: SessionId,
        session: Arc<Session>,
        user: Arc<NearUser>,
        heard: Arc<Heard>,
    ) -> Self {
        let written = AtomicU64::new(session.last_used().as_millis());
        Self {
            id,
            session,
            user,
            heard,
            written,
        }
    }

    /// What was to be written was not: it is to be written again.
    pub(super) fn was_not_written(&self) {
        self.written.store(0, Ordering::Relaxed);
    }

    fn is_believed(&self, now: Timestamp) -> bool {
        self.heard.is_believed(now) && self.user.is_believed(now)
    }

    /// The last use, if Redis does not know of it.
    fn take_use(&self) -> Option<Timestamp> {
        let used = self.session.last_used().as_millis();
        let written = self.written.swap(used, Ordering::Relaxed);
        (used > written).then_some(Timestamp::from_millis(used))
    }

    fn has_unwritten_use(&self) -> bool {
        self.session.last_used().as_millis() > self.written.load(Ordering::Relaxed)
    }
}

impl NearUser {
    /// A user whose keys were said over the connection that is `heard`.
    pub(super) fn new(user: Arc<User>, heard: Arc<Heard>) -> Arc<Self> {
        let is_stale = AtomicBool::new(false);
        Arc::new(Self {
            user,
            heard,
            is_stale,
        })
    }

    fn grow_stale(&self) {
        self.is_stale.store(true, Ordering::Release);
    }

    fn is_believed(&self, now: Timestamp) -> bool {
        !self.is_stale.load(Ordering::Acquire) && self.heard.is_believed(now)
    }
}

fn leave(left: &Mutex<Vec<Arc<NearSession>>>, near: Arc<NearSession>) {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    if left.len() < MOST_LEFT && near.has_unwritten_use() {
        left.push(near);
    }
}

fn part_of(subject: Subject) -> usize {
    let bytes = match subject {
        Subject::Session(id) => id.to_bytes(),
        Subject::User(hash) => hash.to_bytes(),
    };
    let [.., a, b] = bytes;
    usize::from(u16::from_be_bytes([a, b])) % PARTS
}

impl fmt::Debug for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near")
            .field("sessions", &self.sessions.entry_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
