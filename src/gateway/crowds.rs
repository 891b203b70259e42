//! How many requests each upstream has at a time, and how many wait for a place. Knows no connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::config::plan::UpstreamPlan;
use crate::domain::refusal::RefusalCode;
use crate::wire::refusal::Refusal;

/// When a client may come again whom nobody had a place for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A place at an upstream, until it is dropped; none where there is room for everyone.
pub(super) type Seat = Option<OwnedSemaphorePermit>;

/// The crowds at all upstreams, over all workers. Without a limit an upstream has none, which costs a branch; with one,
/// a free place costs an atomic word, and only who must wait takes a lock.
#[derive(Debug)]
pub struct Crowds(Vec<Option<Crowd>>);

#[derive(Debug)]
struct Crowd {
    seats: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    patience: Duration,
}

impl Crowds {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(upstreams: &[UpstreamPlan]) -> Self {
        let crowd = |upstream: &UpstreamPlan| {
            let plan = upstream.crowd?;
            Some(Crowd {
                seats: Arc::new(Semaphore::new(plan.max_requests)),
                waiting: AtomicUsize::new(0),
                queue: plan.queue,
                patience: upstream.timeout,
            })
        };
        Self(upstreams.iter().map(crowd).collect())
    }

    /// Takes a place at the upstream at `index`, in turn with those who wait for one.
    pub(super) async fn enter(&self, index: usize) -> Result<Seat, Refusal> {
        let Some(Some(crowd)) = self.0.get(index) else {
            return Ok(None);
        };
        match Arc::clone(&crowd.seats).try_acquire_owned() {
            Ok(seat) => Ok(Some(seat)),
            Err(_) => Box::pin(crowd.wait()).await.map(Some),
        }
    }
}

impl Crowd {
    async fn wait(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let Some(_waiting) = Waiting::begin(self) else {
            return Err(overloaded("the upstream's queue is full"));
        };
        let seat = Arc::clone(&self.seats).acquire_owned();
        match timeout(self.patience, seat).await {
            Ok(Ok(seat)) => Ok(seat),
            Ok(Err(_)) | Err(_) => Err(overloaded("no place at the upstream came free in time")),
        }
    }
}

/// One who waits, also if it goes away meanwhile.
struct Waiting<'a>(&'a Crowd);

impl<'a> Waiting<'a> {
    fn begin(crowd: &'a Crowd) -> Option<Self> {
        let this = Self(crowd);
        let before = crowd.waiting.fetch_add(1, Ordering::Relaxed);
        (before < crowd.queue).then_some(this)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn overloaded(reason: &'static str) -> Refusal {
    Refusal::new(RefusalCode::Overloaded, reason).retry_after(RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(seats: usize, queue: usize) -> Crowds {
        Crowds(vec![
            None,
            Some(Crowd {
                seats: Arc::new(Semaphore::new(seats)),
                waiting: AtomicUsize::new(0),
                queue,
                patience: Duration::from_mins(1),
            }),
        ])
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_waits_in_turn_and_no_longer_than_the_upstream_may_take() {
        let crowds = crowd(1, 1);
        let first = crowds.enter(1).await.unwrap();
        assert!(first.is_some());
        let second = crowds.enter(1);
        let third = crowds.enter(1);
        tokio::pin!(second, third);
        assert!(futures_util::poll!(&mut second).is_pending());
        let refusal = third.await.unwrap_err();
        assert_eq!(refusal.code, RefusalCode::Overloaded);
        assert_eq!(refusal.reason, "the upstream's queue is full");
        drop(first);
        assert!(second.await.unwrap().is_some());
        let _held = crowds.enter(1).await.unwrap();
        let refusal = crowds.enter(1).await.unwrap_err();
        assert_eq!(refusal.reason, "no place at the upstream came free in time");
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_while_it_waits_leaves_its_place_in_the_queue() {
        let crowds = crowd(1, 1);
        let _held = crowds.enter(1).await.unwrap();
        for _ in 0..3 {
            let waiting = crowds.enter(1);
            tokio::pin!(waiting);
            assert!(futures_util::poll!(&mut waiting).is_pending());
        }
    }

    #[tokio::test]
    async fn without_a_limit_there_is_room_for_everyone() {
        assert!(crowd(1, 0).enter(0).await.unwrap().is_none());
        assert!(crowd(1, 0).enter(7).await.unwrap().is_none());
    }
}
