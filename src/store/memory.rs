//! Sessions in this process: a bounded cache by digest. Our own clock says when one has ended; the cache's own
//! expiry only frees memory.

mod devices;
mod lifecycle;
mod succession;
mod walk;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rustc_hash::FxBuildHasher;

use super::users::Users;
use super::{Found, Gone, Opened, Standing};
use crate::config::plan::SessionsPlan;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::identity::{Identity, WechatId};
use crate::domain::session::{Session, SessionKey, SessionLimits, UserKeys};
use crate::domain::token::{NoEntropy, Skey, SkeyDigest};
use crate::metrics::Metrics;

use succession::Succession;
use walk::Turnstile;

/// A store in memory. Clones show the same sessions.
#[derive(Clone)]
pub struct MemoryStore {
    sessions: Cache<SkeyDigest, Arc<Session>, FxBuildHasher>,
    /// A session holds its own as well, so that one who is forgotten here costs no session.
    users: Arc<Users>,
    limits: SessionLimits,
    clock: Clock,
    metrics: Arc<Metrics>,
    turnstile: Arc<Turnstile>,
    succession: Option<Arc<Succession>>,
}

impl MemoryStore {
    pub(super) fn new(plan: &SessionsPlan, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let SessionLimits { lifetime, idle } = plan.limits;
        let counted = Arc::clone(&metrics);
        let (succession, gone) = Succession::of(plan);
        Self {
            sessions: Cache::builder()
                .max_capacity(plan.capacity)
                // Least recently used goes first: a policy that weighs frequency would turn fresh logins away.
                .eviction_policy(EvictionPolicy::lru())
                // The order of use is kept anyway; to free what is over its lifetime the moment it is would take another
                // order. `find` drops it if it is still used, and this does if it is not.
                .time_to_idle(idle)
                .eviction_listener(move |digest: Arc<SkeyDigest>, session: Arc<Session>, _| {
                    counted.session_closed(session.user().app.index);
                    if let Some(gone) = &gone {
                        gone.tell(*digest, &session);
                    }
                })
                // A digest is as good as random, and nobody can crowd those that are stored, because they are of
                // random skeys of ours.
                .build_with_hasher(FxBuildHasher),
            users: Arc::new(Users::new(plan.capacity, lifetime, clock.now())),
            limits: plan.limits,
            clock,
            metrics,
            turnstile: Arc::default(),
            succession: succession.map(Arc::new),
        }
    }

    pub(super) fn open(&self, identity: Identity, key: SessionKey) -> Result<Opened, NoEntropy> {
        let skey = Skey::generate()?;
        let Identity {
            app,
            openid,
            unionid,
            account,
        } = identity;
        let (now, place) = (self.clock.now(), app.index);
        let user = self.users.log_in(app, openid, key, now);
        let session = Arc::new(Session::open(user, unionid, account, self.limits, now));
        self.sessions.insert(skey.digest(), Arc::clone(&session));
        self.metrics.session_opened(place);
        self.settle(skey.digest(), &session, now);
        Ok(Opened { skey, session })
    }

    pub(super) fn find(&self, digest: &SkeyDigest, now: Timestamp) -> Found {
        let Some(session) = self.sessions.get(digest) else {
            return self.trace(digest, now).into();
        };
        if session.has_ended(now) {
            self.sessions.invalidate(digest);
            return Found::Gone(Gone::Unknown);
        }
        Found::Session(session)
    }

    pub(super) fn holds(&self, digest: &SkeyDigest, session: &Session, now: Timestamp) -> Standing {
        if session.has_ended(now) {
            return Standing::Gone(Gone::Unknown);
        }
        if self.sessions.contains_key(digest) {
            return Standing::Stands;
        }
        self.trace(digest, now).into()
    }

    /// Ends a session, and tells whether it was this that ended it.
    pub(super) fn close(&self, digest: &SkeyDigest) -> bool {
        self.sessions.remove(digest).is_some() || self.close_moved(digest)
    }

    pub(super) fn keys(&self, app: usize, openid: &WechatId) -> Option<UserKeys> {
        self.users.keys(app, openid)
    }

    /// Visits all sessions that were there before this began, in no order. It uses none of them, and locks none.
    pub(super) fn each_session(
        &self,
        mut visit: impl FnMut(&SkeyDigest, &Session) -> ControlFlow<()>,
    ) {
        for (digest, session) in &self.sessions {
            if visit(&digest, &session).is_break() {
                return;
            }
        }
    }

    /// Takes sessions that were kept elsewhere, the least recently used one first.
    pub(super) fn restore(&self, sessions: impl Iterator<Item = (SkeyDigest, Arc<Session>)>) {
        for (digest, session) in sessions {
            let place = session.user().app.index;
            self.sessions.insert(digest, Arc::clone(&session));
            self.metrics.session_opened(place);
            self.note(digest, session);
        }
    }

    pub(super) fn users(&self) -> &Users {
        &self.users
    }

    pub(super) fn limits(&self) -> SessionLimits {
        self.limits
    }

    pub(super) fn tidy(&self) {
        self.sessions.run_pending_tasks();
        self.users.tidy(self.clock.now());
        if let Some(succession) = &self.succession {
            succession.tidy();
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.sessions.entry_count())
            .finish_non_exhaustive()
    }
}
