//! Where a connection stands between its requests, and how long it may stand there. Knows no bytes.

use std::cell::Cell;

use tokio::time::Instant;

use super::ConnectionLimits;

/// The state of one connection, shared by its two ends: the bytes below and the requests above.
#[derive(Debug)]
pub(super) struct Pulse {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    is_first: Cell<bool>,
    /// Whether the last request had a body, which the library may still be reading away.
    had_body: Cell<bool>,
    blocked_since: Cell<Option<Instant>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Every answer is out, and nothing of the next request is there.
    Quiet,
    /// A part of a request head is there.
    Head,
    /// A request is being answered.
    Asked,
    /// The answer is made, but not all of it is out.
    Answered,
}

/// Why a connection is ended from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It brought no request.
    Idle,
    /// It brought a part of a request head.
    SlowHead,
    /// It takes nothing of its answer.
    Blocked,
    /// It brought what is no request, and the library found no words for it.
    Unreadable,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Cell::new(Phase::Quiet),
            since: Cell::new(now),
            is_first: Cell::new(true),
            had_body: Cell::new(false),
            blocked_since: Cell::new(None),
        }
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        if self.phase.get() == Phase::Quiet {
            self.enter(Phase::Head);
        }
    }

    /// A request was understood.
    pub(super) fn asked(&self, is_bodiless: bool) {
        self.is_first.set(false);
        self.had_body.set(!is_bodiless);
        self.phase.set(Phase::Asked);
    }

    /// The last of an answer was handed over.
    pub(super) fn answered(&self) {
        self.phase.set(Phase::Answered);
    }

    /// All that was handed over is out.
    pub(super) fn flushed(&self) {
        self.blocked_since.set(None);
        if self.phase.get() == Phase::Answered {
            self.enter(Phase::Quiet);
        }
    }

    /// Bytes went out, or could not.
    pub(super) fn sent(&self, went: bool) {
        if went {
            self.blocked_since.set(None);
        } else if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(Instant::now()));
        }
    }

    /// Whether no request is being answered: what goes out now is no answer of the handler's.
    pub(super) fn is_between_requests(&self) -> bool {
        matches!(self.phase.get(), Phase::Quiet | Phase::Head)
    }

    /// Whether nothing of a request is there.
    pub(super) fn is_quiet(&self) -> bool {
        self.phase.get() == Phase::Quiet
    }

    /// Whether nothing has happened for so long that nothing is expected soon, and nothing of a request can be pending.
    pub(super) fn rests(&self, limits: &ConnectionLimits, now: Instant) -> bool {
        let is_clear = self.is_quiet() && self.blocked_since.get().is_none();
        is_clear && !self.had_body.get() && now >= self.since.get() + limits.rest
    }

    /// Why the connection is to be cut at `now`, or when to ask again.
    pub(super) fn due(&self, limits: &ConnectionLimits, now: Instant) -> Result<Cut, Instant> {
        let (since, allowed, cut) = match (self.phase.get(), self.blocked_since.get()) {
            (_, Some(since)) => (since, limits.idle_timeout, Cut::Blocked),
            (Phase::Quiet, None) if self.is_first.get() => {
                (self.since.get(), limits.header_timeout, Cut::Idle)
            }
            (Phase::Quiet, None) => (self.since.get(), limits.idle_timeout, Cut::Idle),
            (Phase::Head, None) => (self.since.get(), limits.header_timeout, Cut::SlowHead),
            (Phase::Asked | Phase::Answered, None) => (now, limits.idle_timeout, Cut::Blocked),
        };
        let deadline = since + allowed;
        if now >= deadline {
            return Ok(cut);
        }
        // The phase may change without a word, but no phase is shorter than this.
        Err(deadline.min(now + limits.header_timeout.min(limits.idle_timeout)))
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{advance, pause};

    const LIMITS: ConnectionLimits = ConnectionLimits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
        rest: Duration::from_secs(1),
        max_header_bytes: 0,
    };

    async fn after(pulse: &Pulse, seconds: u64) -> Option<Cut> {
        advance(Duration::from_secs(seconds)).await;
        pulse.due(&LIMITS, Instant::now()).ok()
    }

    #[tokio::test]
    async fn a_connection_without_a_request_is_cut_after_the_header_timeout() {
        pause();
        let pulse = Pulse::new(Instant::now());
        assert_eq!(after(&pulse, 9).await, None);
        assert_eq!(after(&pulse, 1).await, Some(Cut::Idle));
    }

    #[tokio::test]
    async fn a_head_has_its_own_time_and_a_request_has_none() {
        pause();
        let pulse = Pulse::new(Instant::now());
        assert_eq!(after(&pulse, 9).await, None);
        pulse.received();
        assert_eq!(after(&pulse, 9).await, None);
        pulse.received();
        assert_eq!(after(&pulse, 1).await, Some(Cut::SlowHead));
        pulse.asked(true);
        assert_eq!(after(&pulse, 1000).await, None);
    }

    #[tokio::test]
    async fn between_requests_the_idle_timeout_holds() {
        pause();
        let pulse = Pulse::new(Instant::now());
        pulse.received();
        pulse.asked(true);
        pulse.answered();
        assert!(!pulse.is_between_requests());
        pulse.flushed();
        assert!(pulse.is_between_requests());
        assert_eq!(after(&pulse, 59).await, None);
        assert_eq!(after(&pulse, 1).await, Some(Cut::Idle));
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_of_its_answer_is_cut() {
        pause();
        let pulse = Pulse::new(Instant::now());
        pulse.asked(true);
        pulse.sent(false);
        assert_eq!(after(&pulse, 59).await, None);
        pulse.sent(false);
        assert_eq!(after(&pulse, 1).await, Some(Cut::Blocked));
        pulse.sent(true);
        assert_eq!(after(&pulse, 1).await, None);
    }
}
