//! How often a client may come: by its address, or as the user that it is. Knows no routes.

use std::hash::{BuildHasher, RandomState};

use crate::config::plan::{LimitsPlan, Rate};
use crate::domain::clock::Clock;
use crate::domain::peer::{Peer, customer};
use crate::domain::rate_limit::{RateLimit, TooOften};
use crate::domain::refusal::RefusalCode;
use crate::domain::session::Session;
use crate::wire::refusal::Refusal;

/// The limits of `[limits]`, shared by all workers. One that is not configured costs a branch.
#[derive(Debug)]
pub struct Limits {
    requests_per_address: Option<RateLimit>,
    requests_per_user: Option<RateLimit>,
    logins_per_address: Option<RateLimit>,
    hasher: RandomState,
}

impl Limits {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(plan: &LimitsPlan, clock: &Clock) -> Self {
        let limit = |rate: Option<Rate>| {
            let Rate { every, burst } = rate?;
            Some(RateLimit::new((every, burst), plan.capacity, clock))
        };
        Self {
            requests_per_address: limit(plan.requests_per_address),
            requests_per_user: limit(plan.requests_per_user),
            logins_per_address: limit(plan.logins_per_address),
            hasher: RandomState::new(),
        }
    }

    /// Forgets clients that have not come for so long that they may do all again.
    pub fn tidy(&self) {
        let limits = [
            &self.requests_per_address,
            &self.requests_per_user,
            &self.logins_per_address,
        ];
        for limit in limits.into_iter().flatten() {
            limit.tidy();
        }
    }

    /// Counts a request towards its client's address.
    pub(super) fn request(&self, peer: &Peer) -> Result<(), Refusal> {
        self.count_address(self.requests_per_address.as_ref(), peer)
    }

    /// Counts a login towards its client's address.
    pub(super) fn login(&self, peer: &Peer) -> Result<(), Refusal> {
        self.count_address(self.logins_per_address.as_ref(), peer)
    }

    /// Counts a request towards its user.
    pub(super) fn user(&self, session: &Session) -> Result<(), Refusal> {
        let Some(limit) = &self.requests_per_user else {
            return Ok(());
        };
        let user = session.user();
        let key = (user.app.index, user.openid.as_bytes());
        let counted = limit.count(self.hasher.hash_one(key));
        counted.map_err(|too_often| refuse(too_often, "the user comes too often"))
    }

    fn count_address(&self, limit: Option<&RateLimit>, peer: &Peer) -> Result<(), Refusal> {
        let Some(limit) = limit else { return Ok(()) };
        let Some(address) = peer.client_address() else {
            return Ok(());
        };
        let key = self.hasher.hash_one(customer(address));
        let counted = limit.count(key);
        counted.map_err(|too_often| refuse(too_often, "the address comes too often"))
    }
}

fn refuse(TooOften(wait): TooOften, reason: &'static str) -> Refusal {
    Refusal::new(RefusalCode::RateLimited, reason).retry_after(wait)
}
