//! How one worker finds the servers of an upstream. Knows nothing of how it finds out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::clock::millis;

/// The servers of one upstream, from when the worker knows them on: its thread alone writes them.
#[derive(Debug, Default)]
pub(super) struct Servers(OnceLock<Box<[ServerCells]>>);

/// What is known of one server. It is written when that changes, which no request waits for.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct ServerCells {
    is_ill: AtomicBool,
    fails: AtomicU32,
    /// Milliseconds after the beginning of the count; 0 if it does not rest.
    rests_until: AtomicU64,
}

/// How a server is, as one worker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// It says itself that it is not well.
    pub is_ill: bool,
    /// How many requests in a row it left without an answer.
    pub fails: u32,
    /// For how long it is passed over yet, because it refused or failed.
    pub rests: Option<Duration>,
}

impl Servers {
    /// There are so many.
    pub(super) fn meet(&self, count: usize) {
        let cells = std::iter::repeat_with(ServerCells::default).take(count);
        self.0.get_or_init(|| cells.collect());
    }

    pub(super) fn get(&self, place: usize) -> Option<&ServerCells> {
        self.0.get()?.get(place)
    }
}

impl ServerCells {
    pub(super) fn set_ill(&self, is_ill: bool) {
        self.is_ill.store(is_ill, Ordering::Relaxed);
    }

    pub(super) fn set_fails(&self, fails: u32) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// It rests until then, on a scale that began at `begin`; none if it does no more.
    pub(super) fn set_rest(&self, until: Option<Instant>, begin: Instant) {
        let after = until.map_or(0, |until| {
            millis(until.saturating_duration_since(begin)).max(1)
        });
        self.rests_until.store(after, Ordering::Relaxed);
    }

    pub(super) fn condition(&self, begin: Instant) -> Condition {
        let until = Duration::from_millis(self.rests_until.load(Ordering::Relaxed));
        let left = until.saturating_sub(begin.elapsed());
        Condition {
            is_ill: self.is_ill.load(Ordering::Relaxed),
            fails: self.fails.load(Ordering::Relaxed),
            rests: (!left.is_zero()).then_some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_rests_until_its_time_is_over_or_it_is_back() {
        let servers = Servers::default();
        servers.meet(1);
        let (cells, begin) = (servers.get(0).unwrap(), Instant::now());
        assert!(servers.get(1).is_none());
        let span = Duration::from_secs(10);
        cells.set_rest(Some(begin + span), begin);
        assert_eq!(cells.condition(begin).rests, Some(span));
        tokio::time::advance(span).await;
        assert_eq!(cells.condition(begin).rests, None);
        cells.set_rest(Some(Instant::now() + span), begin);
        assert_eq!(cells.condition(begin).rests, Some(span));
        cells.set_rest(None, begin);
        assert_eq!(cells.condition(begin).rests, None);
    }
}
