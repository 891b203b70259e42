//! Who may enter: those with the token, and nobody from an address from which too many wrong ones came. Knows nothing of
//! what lies behind.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::answer::{Answer, locked_out, no_entry, unauthorized};
use super::bearer::Bearer;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::peer::customer;
use crate::domain::rate_limit::{RateLimit, TooOften};
use crate::domain::secret::Secret;

/// How many wrong tokens an address may try at once.
const TRIES: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// After what time it may try one more.
const ONE_MORE: Duration = Duration::from_secs(6);
/// How many addresses are remembered.
const MOST: u64 = 10_000;

/// The entrance to `/api`. Without a token it is closed.
#[derive(Debug)]
pub(super) struct Entrance {
    bearer: Option<Bearer>,
    wrong: RateLimit,
    /// Until when an address may not even try: else whoever guesses right would not be stopped by the limit.
    locked_out: Cache<u64, Timestamp>,
    hasher: RandomState,
    clock: Clock,
}

impl Entrance {
    pub(super) fn new(token: Option<&Secret>, clock: Clock) -> Self {
        Self {
            bearer: token.map(Bearer::new),
            wrong: RateLimit::new((ONE_MORE, TRIES), MOST, &clock),
            locked_out: Cache::builder()
                .max_capacity(MOST)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_live(ONE_MORE.saturating_mul(2))
                .build(),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// What those are told who may not enter; without a token nobody may, and nothing is there.
    pub(super) fn refuse(&self, headers: &HeaderMap, peer: IpAddr) -> Option<Answer> {
        let Some(bearer) = &self.bearer else {
            return Some(no_entry());
        };
        if !headers.contains_key(AUTHORIZATION) {
            // That is no guess.
            return Some(unauthorized());
        }
        let (peer, now) = (self.hasher.hash_one(customer(peer)), self.clock.now());
        let until = self.locked_out.get(&peer);
        if let Some(until) = until.filter(|until| now < *until) {
            let left = now.until(until);
            return Some(locked_out(
                left.as_secs() + u64::from(left.subsec_nanos() > 0),
            ));
        }
        if bearer.admits(headers) {
            return None;
        }
        Some(match self.wrong.count(peer) {
            Ok(()) => unauthorized(),
            Err(TooOften(wait)) => {
                self.locked_out.insert(peer, now.after(wait));
                locked_out(wait.as_secs())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn status(entrance: &Entrance, token: &str, peer: &str) -> u16 {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        headers.insert(AUTHORIZATION, value.unwrap());
        let refused = entrance.refuse(&headers, peer.parse().unwrap());
        refused.map_or(200, |answer| answer.status().as_u16())
    }

    #[test]
    fn whoever_guesses_too_often_is_locked_out_even_with_the_right_token_and_nobody_else_is() {
        let clock = Clock::start();
        let entrance = Entrance::new(Some(&Secret::new("s3cret")), clock.clone());
        let (guesser, operator) = ("192.0.2.1", "192.0.2.2");
        for _ in 0..TRIES.get() {
            assert_eq!(status(&entrance, "wrong", guesser), 401);
        }
        assert_eq!(status(&entrance, "wrong", guesser), 429);
        assert_eq!(status(&entrance, "s3cret", guesser), 429);
        assert_eq!(status(&entrance, "s3cret", operator), 200);
        assert_eq!(status(&entrance, "wrong", operator), 401);
        clock.turn(ONE_MORE);
        assert_eq!(status(&entrance, "s3cret", guesser), 200);
        assert_eq!(status(&entrance, "wrong", guesser), 401);
        assert_eq!(status(&entrance, "wrong", guesser), 429);
    }

    #[test]
    fn whoever_has_no_token_guesses_nothing_and_is_told_what_is_missing() {
        let entrance = Entrance::new(Some(&Secret::new("s3cret")), Clock::start());
        let peer = "192.0.2.1";
        for _ in 0..=TRIES.get() {
            let refused = entrance.refuse(&HeaderMap::new(), peer.parse().unwrap());
            assert_eq!(refused.unwrap().status(), 401);
        }
        assert_eq!(status(&entrance, "s3cret", peer), 200);
    }

    #[test]
    fn the_addresses_of_one_customer_are_one() {
        let entrance = Entrance::new(Some(&Secret::new("s3cret")), Clock::start());
        for count in 0..TRIES.get() {
            let peer = format!("2001:db8::{count}");
            assert_eq!(status(&entrance, "wrong", &peer), 401);
        }
        assert_eq!(status(&entrance, "wrong", "2001:db8::ffff"), 429);
        assert_eq!(status(&entrance, "s3cret", "2001:db8:0:1::1"), 200);
    }
}
