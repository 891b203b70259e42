//! The one source of time for everything that expires. Knows nothing of what it is asked for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, PrimitiveDateTime};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment and `span` later, or the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// How long it is from this moment until `later`; nothing if that is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

impl fmt::Display for Timestamp {
    /// As RFC 3339 has it, in UTC and to the second; the last year that this can say is 9999.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1000).unwrap_or(i64::MAX);
        let last = PrimitiveDateTime::MAX.assume_utc();
        let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(last);
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        let (hour, minute, second) = at.to_hms();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// A clock that starts at the wall clock's time and then runs evenly, whatever is done to the wall clock.
///
/// Clones show the same time; a test may turn them all forward.
#[derive(Clone, Debug)]
pub struct Clock {
    started_at: Timestamp,
    started: Instant,
    turned: Arc<AtomicU64>,
}

impl Clock {
    /// Starts a clock at the wall clock's time.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's clocks"
    )]
    pub fn start() -> Self {
        Self {
            started_at: Timestamp(millis(wall_time())),
            started: Instant::now(),
            turned: Arc::new(AtomicU64::new(0)),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let turned = Duration::from_millis(self.turned.load(Ordering::Relaxed));
        self.started_at.after(self.started.elapsed()).after(turned)
    }

    /// Turns this clock and its clones forward.
    pub fn turn(&self, span: Duration) {
        self.turned.fetch_add(millis(span), Ordering::Relaxed);
    }
}

/// What the wall clock shows now, since the Unix epoch: for the log, whose readers have a wall clock too. Nothing expires
/// by it.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system's clocks"
)]
pub fn wall_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A span in milliseconds, or the longest there is.
#[must_use]
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_turns_its_clones() {
        let clock = Clock::start();
        let clone = clock.clone();
        let before = clone.now();
        clock.turn(Duration::from_hours(1));
        assert!(before.until(clone.now()) >= Duration::from_hours(1));
    }

    #[test]
    fn a_moment_is_written_as_rfc_3339_has_it() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn what_is_past_is_no_time_away() {
        let late = Timestamp::from_millis(10);
        assert_eq!(late.until(Timestamp::from_millis(4)), Duration::ZERO);
        assert_eq!(
            Timestamp::from_millis(4).until(late),
            Duration::from_millis(6)
        );
    }
}
