//! How often a client may come: by its address, or as the user that it is. Knows no routes.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rustc_hash::FxBuildHasher;

use crate::config::plan::{LimitsPlan, Rate};
use crate::domain::clock::Clock;
use crate::domain::peer::{Peer, customer};
use crate::domain::refusal::RefusalCode;
use crate::domain::session::Session;
use crate::wire::refusal::Refusal;

/// How much longer than needed a client is remembered.
const MARGIN: Duration = Duration::from_secs(1);

/// The limits of `[limits]`, shared by all workers. One that is not configured costs a branch.
#[derive(Debug)]
pub struct Limits {
    requests_per_address: Option<Limit>,
    requests_per_user: Option<Limit>,
    logins_per_address: Option<Limit>,
    hasher: RandomState,
}

impl Limits {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(plan: &LimitsPlan, clock: &Clock) -> Self {
        let limit = |rate: Option<Rate>| Some(Limit::new(rate?, plan.capacity, clock));
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
        let reason = "the user comes too often";
        limit.count(self.hasher.hash_one(key), reason)
    }

    fn count_address(&self, limit: Option<&Limit>, peer: &Peer) -> Result<(), Refusal> {
        let Some(limit) = limit else { return Ok(()) };
        let Some(address) = peer.client_address() else {
            return Ok(());
        };
        let key = self.hasher.hash_one(customer(address));
        limit.count(key, "the address comes too often")
    }
}

/// One limit over all clients. Each is known by a keyed hash of 64 bits: two that have the same would share their limit,
/// but nobody can look for such.
#[derive(Debug)]
struct Limit {
    limiter: RateLimiter<u64, Clients, Ticks, NoOpMiddleware<Duration>>,
    clients: Clients,
    clock: Ticks,
}

impl Limit {
    fn new(rate: Rate, capacity: u64, clock: &Clock) -> Self {
        let clock = Ticks(clock.clone());
        let clients = Clients::new(rate, capacity);
        Self {
            limiter: RateLimiter::new(quota(rate), clients.clone(), clock.clone()),
            clients,
            clock,
        }
    }

    fn count(&self, client: u64, reason: &'static str) -> Result<(), Refusal> {
        self.limiter.check_key(&client).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            // Whoever comes back within the second that is cut off would be refused again.
            let cut = u64::from(wait.subsec_nanos() > 0);
            let wait = Duration::from_secs(wait.as_secs().saturating_add(cut));
            Refusal::new(RefusalCode::RateLimited, reason).retry_after(wait)
        })
    }

    fn tidy(&self) {
        self.clients.0.run_pending_tasks();
    }
}

/// When each client may come again. To find one takes no lock; to count is a compare-and-swap on that client's own word.
/// At capacity the one that came least recently goes, and may do all again: whoever has that many addresses is not
/// stopped by a limit to one.
#[derive(Clone, Debug)]
struct Clients(Cache<u64, Arc<InMemoryState>, FxBuildHasher>);

impl Clients {
    fn new(rate: Rate, capacity: u64) -> Self {
        let recovered = rate.every.saturating_mul(rate.burst.get());
        let clients = Cache::builder()
            .max_capacity(capacity)
            // A policy that weighs frequency would not remember who comes for the first time.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(recovered.saturating_add(MARGIN))
            .build_with_hasher(FxBuildHasher);
        Self(clients)
    }
}

impl StateStore for Clients {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, client: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let state = self.0.get_with(*client, Arc::default);
        state.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

/// Our clock, as the limiter reads it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now().as_millis())
    }
}

fn quota(rate: Rate) -> Quota {
    match Quota::with_period(rate.every) {
        Some(quota) => quota.allow_burst(rate.burst),
        // The config allows no rate without a time.
        None => Quota::per_second(rate.burst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: u64 = 50;

    fn limit(every: Duration, burst: u32, clock: &Clock) -> Limit {
        let burst = burst.try_into().unwrap();
        Limit::new(Rate { every, burst }, CAPACITY, clock)
    }

    #[test]
    fn so_many_may_come_at_once_and_one_more_after_each_time() {
        let clock = Clock::start();
        let limit = limit(Duration::from_mins(1), 3, &clock);
        let count = |client| limit.count(client, "");
        for _ in 0..3 {
            assert!(count(1).is_ok());
        }
        let refusal = count(1).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::RateLimited);
        let wait = refusal.retry_after.unwrap().as_secs();
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(count(2).is_ok());
        clock.turn(Duration::from_secs(wait));
        assert!(count(1).is_ok());
        assert!(count(1).is_err());
        clock.turn(Duration::from_hours(1));
        for _ in 0..3 {
            assert!(count(1).is_ok());
        }
        assert!(count(1).is_err());
    }

    #[test]
    fn no_more_clients_are_remembered_than_there_is_room_for() {
        let clock = Clock::start();
        let limit = limit(Duration::from_hours(1), 1, &clock);
        for client in 0..CAPACITY * 20 {
            assert!(limit.count(client, "").is_ok());
        }
        limit.tidy();
        assert_eq!(limit.clients.0.entry_count(), CAPACITY);
        // Who came last is remembered, and who came first is not.
        assert!(limit.count(CAPACITY * 20 - 1, "").is_err());
        assert!(limit.count(0, "").is_ok());
    }
}
