//! How often somebody may come. Knows nothing of who it is and of what comes of it.

use std::num::NonZeroU32;
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

use super::clock::Clock;

/// How much longer than needed a client is remembered.
const MARGIN: Duration = Duration::from_secs(1);

/// One limit over all clients. Each is known by a keyed hash of 64 bits: two that have the same would share their limit,
/// but nobody can look for such.
#[derive(Debug)]
pub struct RateLimit {
    limiter: RateLimiter<u64, Clients, Ticks, NoOpMiddleware<Duration>>,
    clients: Clients,
    clock: Ticks,
}

/// A client comes too often: another try makes sense after this time, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften(pub Duration);

impl RateLimit {
    /// Lets each client come `burst` times at once, and once more after each `every`. At most `capacity` of them are
    /// remembered.
    #[must_use]
    pub fn new((every, burst): (Duration, NonZeroU32), capacity: u64, clock: &Clock) -> Self {
        let clock = Ticks(clock.clone());
        let clients = Clients::new(every.saturating_mul(burst.get()), capacity);
        Self {
            limiter: RateLimiter::new(quota(every, burst), clients.clone(), clock.clone()),
            clients,
            clock,
        }
    }

    /// Counts that a client comes.
    ///
    /// # Errors
    ///
    /// It comes too often, which does not count.
    pub fn count(&self, client: u64) -> Result<(), TooOften> {
        self.limiter.check_key(&client).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            // Whoever comes back within the second that is cut off would be refused again.
            let cut = u64::from(wait.subsec_nanos() > 0);
            TooOften(Duration::from_secs(wait.as_secs().saturating_add(cut)))
        })
    }

    /// Forgets clients that have not come for so long that they may do all again.
    pub fn tidy(&self) {
        self.clients.0.run_pending_tasks();
    }
}

/// When each client may come again. To find one takes no lock; to count is a compare-and-swap on that client's own word.
/// At capacity the one that came least recently goes, and may do all again: whoever has that many addresses is not
/// stopped by a limit to one.
#[derive(Clone, Debug)]
struct Clients(Cache<u64, Arc<InMemoryState>, FxBuildHasher>);

impl Clients {
    fn new(recovered: Duration, capacity: u64) -> Self {
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

fn quota(every: Duration, burst: NonZeroU32) -> Quota {
    match Quota::with_period(every) {
        Some(quota) => quota.allow_burst(burst),
        // No limit has no time.
        None => Quota::per_second(burst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: u64 = 50;

    fn limit(every: Duration, burst: u32, clock: &Clock) -> RateLimit {
        let burst = burst.try_into().unwrap();
        RateLimit::new((every, burst), CAPACITY, clock)
    }

    #[test]
    fn so_many_may_come_at_once_and_one_more_after_each_time() {
        let clock = Clock::start();
        let limit = limit(Duration::from_mins(1), 3, &clock);
        let count = |client| limit.count(client);
        for _ in 0..3 {
            assert!(count(1).is_ok());
        }
        let TooOften(wait) = count(1).unwrap_err();
        assert!((1..=60).contains(&wait.as_secs()), "{wait:?}");
        assert!(count(2).is_ok());
        clock.turn(wait);
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
            assert!(limit.count(client).is_ok());
        }
        limit.tidy();
        assert_eq!(limit.clients.0.entry_count(), CAPACITY);
        // Who came last is remembered, and who came first is not.
        assert!(limit.count(CAPACITY * 20 - 1).is_err());
        assert!(limit.count(0).is_ok());
    }
}
