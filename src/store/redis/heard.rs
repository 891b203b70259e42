//! When a server of Redis was heard last: for how long what it said is believed. Knows nothing of what it said.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::clock::{Timestamp, millis};

/// One connection's news: for as long as it is heard, whatever changes is told.
#[derive(Debug)]
pub(super) struct Heard {
    at: AtomicU64,
    /// In milliseconds.
    belief: u64,
    has_ended: AtomicBool,
}

impl Heard {
    /// Heard first at `now`; and believed for `belief` after it was heard last.
    pub(super) fn new(now: Timestamp, belief: Duration) -> Self {
        Self {
            at: AtomicU64::new(now.as_millis()),
            belief: millis(belief),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Not heard, and not to be believed.
    pub(super) fn never() -> Self {
        let heard = Self::new(Timestamp::from_millis(0), Duration::ZERO);
        heard.end();
        heard
    }

    /// It was heard at `now`.
    pub(super) fn hear(&self, now: Timestamp) {
        self.at.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// It is not believed any more: another one has taken its place, and what changed between the two nobody was told.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Whether what it said is believed at `now`.
    pub(super) fn is_believed(&self, now: Timestamp) -> bool {
        let until = self.at.load(Ordering::Relaxed).saturating_add(self.belief);
        now.as_millis() < until && !self.has_ended.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_believed_for_so_long_after_it_was_heard_and_never_beyond_the_end() {
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let heard = Heard::new(at(100), Duration::from_secs(10));
        assert!(heard.is_believed(at(109)) && !heard.is_believed(at(110)));
        heard.hear(at(105));
        heard.hear(at(103));
        assert!(heard.is_believed(at(114)) && !heard.is_believed(at(115)));
        heard.end();
        heard.hear(at(106));
        assert!(!heard.is_believed(at(106)));
    }
}
