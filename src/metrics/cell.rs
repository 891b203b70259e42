//! Numbers that one thread writes and any thread reads, without a lock. Knows nothing of what they count.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

/// Up to which duration each bucket of a histogram counts; one more counts what is longer.
pub(super) const BOUNDS: [Duration; 14] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// What only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    /// Adds to it; a plain load and store, because no other thread writes here.
    pub(super) fn add(&self, more: u64) {
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(more);
        self.0.store(sum, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What rises and falls.
#[derive(Debug, Default)]
pub(super) struct Level(AtomicI64);

impl Level {
    pub(super) fn rise(&self) {
        self.step(1);
    }

    pub(super) fn fall(&self) {
        self.step(-1);
    }

    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn step(&self, by: i64) {
        let level = self.0.load(Ordering::Relaxed).wrapping_add(by);
        self.0.store(level, Ordering::Relaxed);
    }
}

/// How often each HTTP status came; a class of statuses costs memory from its first one on.
#[derive(Debug, Default)]
pub(super) struct Statuses([OnceLock<Box<StatusClass>>; 9]);

/// Aligned so that no cache line holds numbers of two workers.
#[derive(Debug)]
#[repr(align(64))]
struct StatusClass([Count; 100]);

impl Statuses {
    pub(super) fn add(&self, status: StatusCode) {
        let code = usize::from(status.as_u16());
        // http has statuses from 100 to 999.
        let Some(class) = self.0.get((code / 100).saturating_sub(1)) else {
            return;
        };
        let class = class.get_or_init(|| Box::new(StatusClass::new()));
        if let Some(count) = class.0.get(code % 100) {
            count.add(1);
        }
    }

    /// The statuses that came, each with how often.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u16, u64)> {
        let classes = (100..).step_by(100).zip(&self.0);
        classes
            .filter_map(|(first, class)| Some((first, class.get()?)))
            .flat_map(|(first, class)| (first..).zip(class.0.iter().map(Count::get)))
            .filter(|(_, count)| *count > 0)
    }
}

impl StatusClass {
    fn new() -> Self {
        Self(std::array::from_fn(|_| Count::default()))
    }
}

/// How long things took.
#[derive(Debug, Default)]
pub(super) struct Durations {
    buckets: [Count; BOUNDS.len() + 1],
    nanos: Count,
}

impl Durations {
    pub(super) fn add(&self, took: Duration) {
        let place = BOUNDS.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.add(1);
        }
        self.nanos
            .add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }
}

/// Durations of several workers, added up.
#[derive(Debug)]
pub(super) struct DurationSum {
    /// Upper bounds in seconds, each with what lies between it and the one before.
    pub(super) buckets: [(f64, u64); BOUNDS.len() + 1],
    pub(super) total: Duration,
}

impl DurationSum {
    pub(super) fn new() -> Self {
        let mut bounds = BOUNDS.iter().map(Duration::as_secs_f64);
        Self {
            buckets: std::array::from_fn(|_| (bounds.next().unwrap_or(f64::INFINITY), 0)),
            total: Duration::ZERO,
        }
    }

    pub(super) fn add(&mut self, durations: &Durations) {
        for ((_, sum), bucket) in self.buckets.iter_mut().zip(&durations.buckets) {
            *sum += bucket.get();
        }
        let nanos = Duration::from_nanos(durations.nanos.get());
        self.total = self.total.saturating_add(nanos);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_statuses_costs_memory_from_its_first_one_on() {
        let statuses = Statuses::default();
        assert!(statuses.0.iter().all(|class| class.get().is_none()));
        statuses.add(StatusCode::NOT_FOUND);
        let filled: Vec<_> = statuses.0.iter().map(|c| c.get().is_some()).collect();
        assert_eq!(filled.iter().filter(|is_filled| **is_filled).count(), 1);
        assert!(filled[3]);
    }

    #[test]
    fn every_status_that_http_can_have_is_counted_as_itself() {
        let statuses = Statuses::default();
        for code in 100..=999 {
            statuses.add(StatusCode::from_u16(code).unwrap());
        }
        let expected: Vec<_> = (100..=999).map(|code| (code, 1)).collect();
        assert_eq!(statuses.counts().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_duration_at_a_bound_counts_below_it() {
        let durations = Durations::default();
        durations.add(Duration::from_millis(1));
        durations.add(Duration::from_millis(1) + Duration::from_nanos(1));
        durations.add(Duration::MAX);
        let mut sum = DurationSum::new();
        sum.add(&durations);
        assert_eq!(sum.buckets[1], (0.001, 1));
        assert_eq!(sum.buckets[2], (0.0025, 1));
        assert_eq!(sum.buckets[14], (f64::INFINITY, 1));
        assert_eq!(sum.count(), 3);
    }
}
