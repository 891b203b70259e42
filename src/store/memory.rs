//! Sessions in this process: a bounded cache by digest. Our own clock says when one has ended; the cache's own
//! expiry only bounds memory.

use std::fmt;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Opened;
use crate::config::plan::SessionsPlan;
use crate::domain::clock::Clock;
use crate::domain::identity::{App, Identity, WechatId};
use crate::domain::session::{KeyRing, Session, SessionKey, SessionLimits, User, UserKeys};
use crate::domain::token::{NoEntropy, Skey, SkeyDigest};
use crate::metrics::Metrics;

/// A store in memory. Clones show the same sessions.
#[derive(Clone)]
pub struct MemoryStore {
    sessions: Cache<SkeyDigest, Arc<Session>>,
    /// The users of each app. A session holds its own as well, so that dropping one here costs no session.
    users: Cache<(usize, WechatId), Arc<User>>,
    limits: SessionLimits,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl MemoryStore {
    pub(super) fn new(plan: &SessionsPlan, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let SessionLimits { lifetime, idle } = plan.limits;
        let counted = Arc::clone(&metrics);
        Self {
            // Least recently used goes first: a policy that weighs frequency would turn fresh logins away.
            sessions: Cache::builder()
                .max_capacity(plan.capacity)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(lifetime)
                .time_to_idle(idle)
                .eviction_listener(move |_, session: Arc<Session>, _| {
                    counted.session_closed(session.user().app.index);
                })
                .build(),
            // Counted from when a user's keys were last renewed or asked for: they outlive every session of theirs.
            users: Cache::builder()
                .max_capacity(plan.capacity)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(lifetime)
                .build(),
            limits: plan.limits,
            clock,
            metrics,
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
        let place = app.index;
        let user = self.user(app, openid, key);
        let now = self.clock.now();
        let session = Arc::new(Session::open(user, unionid, account, self.limits, now));
        self.sessions.insert(skey.digest(), Arc::clone(&session));
        self.metrics.session_opened(place);
        Ok(Opened { skey, session })
    }

    pub(super) fn find(&self, digest: &SkeyDigest) -> Option<Arc<Session>> {
        let session = self.sessions.get(digest)?;
        if session.has_ended(self.clock.now()) {
            self.sessions.invalidate(digest);
            return None;
        }
        Some(session)
    }

    pub(super) fn close(&self, digest: &SkeyDigest) {
        self.sessions.invalidate(digest);
    }

    pub(super) fn keys(&self, app: usize, openid: &WechatId) -> Option<UserKeys> {
        let user = self.users.get(&(app, openid.clone()))?;
        Some(user.keys.keys())
    }

    pub(super) fn tidy(&self) {
        self.sessions.run_pending_tasks();
        self.users.run_pending_tasks();
    }

    fn user(&self, app: Arc<App>, openid: WechatId, key: SessionKey) -> Arc<User> {
        let place = (app.index, openid.clone());
        let new = User {
            app,
            openid,
            keys: KeyRing::new(key.clone()),
        };
        let user = self.users.entry(place).or_insert_with(|| Arc::new(new));
        let user = user.into_value();
        user.keys.renew(key);
        user
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("sessions", &self.sessions.entry_count())
            .finish_non_exhaustive()
    }
}
