//! Where a connection stands between its requests, and how long it may stand there. Knows no bytes and reads no clock.

use tokio::time::Instant;

use super::ConnectionLimits;

/// The state of one connection, as far as time is concerned.
#[derive(Debug)]
pub(super) struct Pulse {
    phase: Phase,
    since: Instant,
    is_first: bool,
    blocked_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Every answer is out, and nothing of the next request is there.
    Quiet,
    /// A part of a request head is there.
    Head,
    /// A request is being answered.
    Asked,
    /// The answer is out, and what is left of the request's body is read away.
    Leftover,
}

/// Why a connection is ended from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It brought no request, or not what was left of one.
    Idle,
    /// It brought a part of a request head.
    SlowHead,
    /// It takes nothing of its answer.
    Blocked,
}

impl Pulse {
    /// A connection that came just now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Quiet,
            since: now,
            is_first: true,
            blocked_since: None,
        }
    }

    /// A part of a head is there, and the rest of it has to be waited for.
    pub(super) fn began(&mut self, now: Instant) {
        if self.phase != Phase::Head {
            (self.phase, self.since) = (Phase::Head, now);
        }
    }

    /// A request was understood.
    pub(super) fn asked(&mut self) {
        self.is_first = false;
        self.phase = Phase::Asked;
    }

    /// All of an answer is out, but the request's body is not all there.
    pub(super) fn cleans_up(&mut self, now: Instant) {
        (self.phase, self.since) = (Phase::Leftover, now);
    }

    /// All of an answer is out, and nothing is left of its request.
    pub(super) fn answered(&mut self, now: Instant) {
        (self.phase, self.since) = (Phase::Quiet, now);
    }

    /// Bytes went out.
    pub(super) fn went(&mut self) {
        self.blocked_since = None;
    }

    /// Bytes could not go out.
    pub(super) fn blocked(&mut self, now: Instant) {
        self.blocked_since.get_or_insert(now);
    }

    /// Whether nothing of a request is there.
    pub(super) fn is_quiet(&self) -> bool {
        self.phase == Phase::Quiet
    }

    /// Whether nothing has happened for so long that nothing is expected soon.
    pub(super) fn rests(&self, limits: &ConnectionLimits, now: Instant) -> bool {
        self.is_quiet() && now >= self.since + limits.rest
    }

    /// Why the connection is to be cut at `now`, or when to ask again.
    pub(super) fn due(&self, limits: &ConnectionLimits, now: Instant) -> Result<Cut, Instant> {
        let (since, allowed, cut) = match (self.phase, self.blocked_since) {
            (_, Some(since)) => (since, limits.idle_timeout, Cut::Blocked),
            (Phase::Quiet, None) if self.is_first => (self.since, limits.header_timeout, Cut::Idle),
            (Phase::Quiet, None) => (self.since, limits.idle_timeout, Cut::Idle),
            (Phase::Head, None) => (self.since, limits.header_timeout, Cut::SlowHead),
            (Phase::Leftover, None) => (self.since, limits.header_timeout, Cut::Idle),
            (Phase::Asked, None) => (now, limits.idle_timeout, Cut::Blocked),
        };
        let deadline = since + allowed;
        if now >= deadline {
            return Ok(cut);
        }
        // The phase may change without a word, but no phase is shorter than this.
        Err(deadline.min(now + limits.header_timeout.min(limits.idle_timeout)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
        rest: Duration::from_secs(1),
        max_header_bytes: 0,
    };

    /// A connection, and a time that is turned.
    struct Turned {
        pulse: Pulse,
        now: Instant,
    }

    impl Turned {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                pulse: Pulse::new(now),
                now,
            }
        }

        fn after(&mut self, seconds: u64) -> Option<Cut> {
            self.now += Duration::from_secs(seconds);
            self.pulse.due(&LIMITS, self.now).ok()
        }
    }

    #[test]
    fn a_connection_without_a_request_is_cut_after_the_header_timeout() {
        let mut turned = Turned::new();
        assert_eq!(turned.after(9), None);
        assert_eq!(turned.after(1), Some(Cut::Idle));
    }

    #[test]
    fn a_head_has_its_own_time_and_a_request_has_none() {
        let mut turned = Turned::new();
        assert_eq!(turned.after(9), None);
        turned.pulse.began(turned.now);
        assert_eq!(turned.after(9), None);
        turned.pulse.began(turned.now);
        assert_eq!(turned.after(1), Some(Cut::SlowHead));
        turned.pulse.asked();
        assert_eq!(turned.after(1000), None);
    }

    #[test]
    fn between_requests_the_idle_timeout_holds_and_a_connection_rests_before() {
        let mut turned = Turned::new();
        turned.pulse.asked();
        assert!(!turned.pulse.is_quiet());
        turned.pulse.answered(turned.now);
        assert!(turned.pulse.is_quiet());
        assert!(!turned.pulse.rests(&LIMITS, turned.now));
        assert_eq!(turned.after(59), None);
        assert!(turned.pulse.rests(&LIMITS, turned.now));
        assert_eq!(turned.after(1), Some(Cut::Idle));
    }

    #[test]
    fn what_is_left_of_a_body_has_the_time_of_a_head() {
        let mut turned = Turned::new();
        turned.pulse.asked();
        turned.pulse.cleans_up(turned.now);
        assert_eq!(turned.after(9), None);
        assert!(!turned.pulse.rests(&LIMITS, turned.now));
        assert_eq!(turned.after(1), Some(Cut::Idle));
    }

    #[test]
    fn a_client_that_takes_nothing_of_its_answer_is_cut() {
        let mut turned = Turned::new();
        turned.pulse.asked();
        turned.pulse.blocked(turned.now);
        assert_eq!(turned.after(59), None);
        turned.pulse.blocked(turned.now);
        assert_eq!(turned.after(1), Some(Cut::Blocked));
        turned.pulse.went();
        assert_eq!(turned.after(1), None);
    }
}
