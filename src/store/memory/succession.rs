//! What becomes of a skey whose session made way for another, or goes on under a new one. It is there only where the
//! config has one of the two: nobody else pays for it.
//!
//! One lock holds together what a login ends and what a rotation moves. A login puts its session in first and takes this
//! lock then, so that of two at a time the later one sees the other: never do more stand than may, once both are
//! answered. Whoever looks for a session and finds it neither here nor there takes the lock too, and looks again: it may
//! have been on its way. Nobody who finds one takes it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rustc_hash::FxBuildHasher;

use super::devices::{Devices, Gone};
use crate::config::plan::SessionsPlan;
use crate::domain::clock::Timestamp;
use crate::domain::session::Session;
use crate::domain::token::SkeyDigest;

/// How long it is told that a session made way, at most.
const LONGEST: Duration = Duration::from_hours(24);
/// How much longer than needed a move is kept.
const MARGIN: Duration = Duration::from_secs(1);
/// How many skeys a session may have had within the grace of the first.
const MOST_MOVES: usize = 16;

/// What a skey led to that leads to no session any more, or not for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Former {
    /// A session that made way for one of the same user's; and until when that is told.
    Replaced(Timestamp),
    /// One that goes on under the skey of this digest; and until when the former one still leads there.
    Moved(SkeyDigest, Timestamp),
}

/// The skeys that led somewhere.
pub(super) struct Succession {
    /// How many sessions of a user may stand, if not any number.
    pub(super) most: Option<NonZeroUsize>,
    grace: Duration,
    former: Cache<SkeyDigest, Former, FxBuildHasher>,
    moving: Mutex<Moving>,
}

/// Frees what is no longer to be told; the grace of a move is short, so that many moves leave little behind. Our own clock
/// says what is still told.
struct Fading(Duration);

impl Fading {
    fn of(&self, former: &Former) -> Duration {
        match former {
            Former::Replaced(_) => LONGEST,
            Former::Moved(..) => self.0.saturating_add(MARGIN),
        }
    }
}

impl Expiry<SkeyDigest, Former> for Fading {
    fn expire_after_create(&self, _: &SkeyDigest, new: &Former, _: Instant) -> Option<Duration> {
        Some(self.of(new))
    }

    fn expire_after_update(
        &self,
        _: &SkeyDigest,
        new: &Former,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(self.of(new))
    }
}

/// What is done by one at a time.
#[derive(Default)]
pub(super) struct Moving {
    /// Where a user may have only so many sessions.
    pub(super) devices: Option<Devices>,
    /// The digests that sessions have moved to since a walk through all of them began, if there is one.
    pub(super) moved: Option<Vec<SkeyDigest>>,
}

impl Succession {
    /// What `plan` asks for, if it does, and what is to be told of sessions that are gone.
    pub(super) fn of(plan: &SessionsPlan) -> (Option<Self>, Option<Gone>) {
        if plan.max_per_user.is_none() && plan.rotation.is_none() {
            return (None, None);
        }
        let (devices, gone) = plan.max_per_user.map(|_| Devices::new()).unzip();
        let succession = Self {
            most: plan.max_per_user,
            grace: plan.rotation.unwrap_or_default(),
            former: Cache::builder()
                .max_capacity(plan.capacity)
                .eviction_policy(EvictionPolicy::lru())
                .expire_after(Fading(plan.rotation.unwrap_or_default()))
                .build_with_hasher(FxBuildHasher),
            moving: Mutex::new(Moving {
                devices,
                moved: None,
            }),
        };
        (Some(succession), gone)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this digest led to and what that did, one after the other, as far as it is still to be told at `now`.
    pub(super) fn trace(
        &self,
        digest: &SkeyDigest,
        now: Timestamp,
    ) -> impl Iterator<Item = Former> {
        let next = move |last: &Former| match last {
            Former::Moved(to, _) => self.former(to, now),
            Former::Replaced(_) => None,
        };
        std::iter::successors(self.former(digest, now), next).take(MOST_MOVES)
    }

    /// Tells from now on that the session of this digest made way: for as long as it would have lived if it had been used,
    /// or a day.
    pub(super) fn replace(&self, digest: SkeyDigest, session: &Session, now: Timestamp) {
        self.restore(digest, session.expires_at(), now);
    }

    /// Tells until then that the session of this digest made way, and no longer than a day.
    pub(super) fn restore(&self, digest: SkeyDigest, until: Timestamp, now: Timestamp) {
        let until = until.min(now.after(LONGEST));
        self.former.insert(digest, Former::Replaced(until));
    }

    /// Tells from now on that the session of this digest goes on under another one.
    pub(super) fn follow(&self, digest: SkeyDigest, to: SkeyDigest, now: Timestamp) {
        let until = now.after(self.grace);
        self.former.insert(digest, Former::Moved(to, until));
    }

    /// Tells nothing of this digest any more.
    pub(super) fn forget(&self, digest: &SkeyDigest) {
        self.former.invalidate(digest);
    }

    /// The digests of sessions that made way, each with the time until which that is told.
    pub(super) fn each_replaced(&self) -> impl Iterator<Item = (SkeyDigest, Timestamp)> {
        self.former
            .iter()
            .filter_map(|(digest, former)| match former {
                Former::Replaced(until) => Some((*digest, until)),
                Former::Moved(..) => None,
            })
    }

    /// Frees what is no longer there.
    pub(super) fn tidy(&self) {
        self.former.run_pending_tasks();
        if let Some(devices) = &mut self.lock().devices {
            devices.tidy();
        }
    }

    fn former(&self, digest: &SkeyDigest, now: Timestamp) -> Option<Former> {
        self.former.get(digest).filter(|former| match former {
            Former::Replaced(until) | Former::Moved(_, until) => now < *until,
        })
    }
}
