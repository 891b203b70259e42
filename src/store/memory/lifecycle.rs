//! Sessions that make way for others of the same user's, and sessions that go on under a new skey. Knows no config.

use std::sync::Arc;

use super::MemoryStore;
use super::devices::surplus;
use super::succession::Former;
use crate::domain::clock::Timestamp;
use crate::domain::session::Session;
use crate::domain::token::{NoEntropy, Skey, SkeyDigest};
use crate::store::{Found, Gone, Opened, Rotated, Standing};

/// Where the trace of a digest ends that leads to no session itself.
pub(super) enum Trace {
    /// At a session that has moved to this digest since.
    Moved(SkeyDigest, Arc<Session>),
    /// At none.
    Gone(Gone),
}

impl MemoryStore {
    /// Ends the oldest sessions of the user of one that is in the store since just now, as many as are too many.
    pub(super) fn settle(&self, digest: SkeyDigest, session: &Arc<Session>, now: Timestamp) {
        let Some((succession, most)) = self.succession.as_ref().zip(self.most()) else {
            return;
        };
        let user = session.user();
        let mut moving = succession.lock();
        let Some(devices) = &mut moving.devices else {
            return;
        };
        devices.tidy();
        let others = surplus(devices.of_user(user.app.index, &user.openid), most, now);
        for (other, made_way) in others {
            devices.take(&other, &made_way);
            // Before it ends, so that nobody is told otherwise.
            succession.replace(other, &made_way, now);
            self.sessions.invalidate(&other);
        }
        devices.put(digest, Arc::clone(session));
        if !self.sessions.contains_key(&digest) {
            // It has gone already, and that may have been told before it was noted.
            devices.take(&digest, session);
        }
    }

    /// Notes a session that was kept elsewhere, without ending others.
    pub(super) fn note(&self, digest: SkeyDigest, session: Arc<Session>) {
        if let Some(succession) = &self.succession
            && let Some(devices) = &mut succession.lock().devices
        {
            devices.put(digest, session);
        }
    }

    /// Moves the session of this digest to that of a new skey.
    pub(in crate::store) fn rotate(
        &self,
        digest: &SkeyDigest,
        now: Timestamp,
    ) -> Result<Rotated, NoEntropy> {
        let unknown = Rotated::Gone(Gone::Unknown);
        let Some(succession) = &self.succession else {
            return Ok(unknown);
        };
        let skey = Skey::generate()?;
        let to = skey.digest();
        // Nobody moves it meanwhile.
        let mut moving = succession.lock();
        let from = match self.sessions.get(digest) {
            Some(_) => *digest,
            None => match self.trace_unmoved(digest, now) {
                Trace::Moved(from, _) => from,
                Trace::Gone(gone) => return Ok(Rotated::Gone(gone)),
            },
        };
        succession.follow(from, to, now);
        let taken = self.sessions.remove(&from);
        let Some(session) = taken.filter(|session| !session.has_ended(now)) else {
            succession.forget(&from);
            return Ok(unknown);
        };
        self.sessions.insert(to, Arc::clone(&session));
        self.metrics.session_opened(session.user().app.index);
        if let Some(devices) = &mut moving.devices {
            devices.take(&from, &session);
            devices.put(to, Arc::clone(&session));
        }
        if let Some(moved) = &mut moving.moved {
            moved.push(to);
        }
        Ok(Rotated::Anew(Opened { skey, session }))
    }

    /// Where the trace of a digest ends that leads to no session itself.
    pub(super) fn trace(&self, digest: &SkeyDigest, now: Timestamp) -> Trace {
        let Some(succession) = &self.succession else {
            return Trace::Gone(Gone::Unknown);
        };
        match self.trace_unmoved(digest, now) {
            Trace::Gone(Gone::Unknown) if succession.trace(digest, now).next().is_some() => {
                // It may be on its way just now.
                let _moving = succession.lock();
                self.trace_unmoved(digest, now)
            }
            trace => trace,
        }
    }

    /// Ends the session that has moved from this digest, and tells whether it was this that ended it.
    pub(super) fn close_moved(&self, digest: &SkeyDigest) -> bool {
        match self.trace(digest, self.clock.now()) {
            Trace::Moved(to, _) => self.close(&to),
            Trace::Gone(_) => false,
        }
    }

    /// The digests of sessions that made way, each with the time until which that is told.
    pub(in crate::store) fn each_replaced(&self) -> impl Iterator<Item = (SkeyDigest, Timestamp)> {
        let succession = self.succession.iter();
        succession.flat_map(|succession| succession.each_replaced())
    }

    /// Tells until then that the session of this digest made way, if there is such a thing here.
    pub(in crate::store) fn restore_replaced(&self, digest: SkeyDigest, until: Timestamp) {
        if self.most().is_some()
            && let Some(succession) = &self.succession
        {
            succession.restore(digest, until, self.clock.now());
        }
    }

    fn most(&self) -> Option<usize> {
        let succession = self.succession.as_ref()?;
        succession.most.map(usize::from)
    }

    fn trace_unmoved(&self, digest: &SkeyDigest, now: Timestamp) -> Trace {
        let traced = self.succession.iter();
        let traced = traced.flat_map(|succession| succession.trace(digest, now));
        for former in traced {
            match former {
                Former::Replaced(_) => return Trace::Gone(Gone::Replaced),
                Former::Moved(to, _) => {
                    let session = self.sessions.get(&to);
                    if let Some(session) = session.filter(|session| !session.has_ended(now)) {
                        return Trace::Moved(to, session);
                    }
                }
            }
        }
        Trace::Gone(Gone::Unknown)
    }
}

impl From<Trace> for Found {
    fn from(trace: Trace) -> Self {
        match trace {
            Trace::Moved(_, session) => Self::Session(session),
            Trace::Gone(gone) => Self::Gone(gone),
        }
    }
}

impl From<Trace> for Standing {
    fn from(trace: Trace) -> Self {
        match trace {
            Trace::Moved(to, _) => Self::Moved(to),
            Trace::Gone(gone) => Self::Gone(gone),
        }
    }
}
