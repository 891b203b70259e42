//! Why one worker refused requests: for which reason, on which route, how often, and when last. Knows nothing of the
//! requests.

use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxBuildHasher;

use super::cell::Count;
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;

/// How many kinds of refusals a worker tells apart. A flood makes no more of them.
const KINDS: usize = 256;
/// How many places a kind may be at.
const TRIES: usize = 16;

/// The refusals of one worker: its thread alone writes them, without a lock.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// Found by their hash; there from the first refusal on.
    kinds: OnceLock<Box<[OnceLock<Tally>]>>,
    /// What found no place among them.
    rest: Times,
}

/// One kind, and how often it came.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) kind: Kind,
    pub(super) times: Times,
}

/// What makes refusals alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) code: RefusalCode,
    pub(super) reason: &'static str,
    /// The place of the route.
    pub(super) route: Option<usize>,
}

/// How often something happened, and when last.
#[derive(Debug, Default)]
pub(super) struct Times {
    count: Count,
    last: AtomicU64,
}

impl Refused {
    pub(super) fn add(&self, kind: Kind, now: Timestamp) {
        self.times_of(kind).unwrap_or(&self.rest).add(now);
    }

    /// What came so far.
    pub(super) fn tallies(&self) -> impl Iterator<Item = &Tally> {
        let kinds = self.kinds.get().into_iter().flatten();
        kinds.filter_map(OnceLock::get)
    }

    /// What came and is told apart no further.
    pub(super) fn rest(&self) -> &Times {
        &self.rest
    }

    fn times_of(&self, kind: Kind) -> Option<&Times> {
        let kinds = self
            .kinds
            .get_or_init(|| std::iter::repeat_with(OnceLock::new).take(KINDS).collect());
        // By where the reason is, and not by what it says: it need not be read.
        let (route, reason) = (kind.route, kind.reason.as_ptr().addr());
        let hash = FxBuildHasher.hash_one((kind.code as usize, route, reason));
        // The upper half of the number is mixed best.
        let first = usize::try_from(hash >> 32).unwrap_or_default() % KINDS;
        let mut places = kinds.iter().cycle().skip(first).take(TRIES);
        places.find_map(|place| {
            let tally = place.get_or_init(|| Tally {
                kind,
                times: Times::default(),
            });
            (tally.kind == kind).then_some(&tally.times)
        })
    }
}

impl Times {
    pub(super) fn count(&self) -> u64 {
        self.count.get()
    }

    pub(super) fn last(&self) -> Timestamp {
        Timestamp::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn add(&self, now: Timestamp) {
        self.count.add(1);
        self.last.store(now.as_millis(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(reason: &'static str, route: usize) -> Kind {
        Kind {
            code: RefusalCode::BadRequest,
            reason,
            route: Some(route),
        }
    }

    #[test]
    fn what_is_alike_is_counted_together_with_the_time_of_the_last() {
        let refused = Refused::default();
        assert_eq!(refused.tallies().count(), 0);
        for (at, kind) in [(1, kind("a", 0)), (2, kind("b", 0)), (3, kind("a", 0))] {
            refused.add(kind, Timestamp::from_millis(at));
        }
        refused.add(kind("a", 1), Timestamp::from_millis(4));
        let told = refused.tallies().map(|tally| {
            let times = &tally.times;
            let route = tally.kind.route;
            (
                tally.kind.reason,
                route,
                times.count(),
                times.last().as_millis(),
            )
        });
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        let expected = [
            ("a", Some(0), 2, 3),
            ("a", Some(1), 1, 4),
            ("b", Some(0), 1, 2),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_flood_of_kinds_takes_no_more_room_and_none_of_it_is_lost() {
        let refused = Refused::default();
        let many = 10 * KINDS;
        for route in 0..many {
            refused.add(kind("a", route), Timestamp::from_millis(1));
        }
        let told: u64 = refused.tallies().map(|tally| tally.times.count()).sum();
        assert!(refused.tallies().count() <= KINDS);
        assert!(refused.rest().count() > 0);
        assert_eq!(told + refused.rest().count(), u64::try_from(many).unwrap());
    }
}
