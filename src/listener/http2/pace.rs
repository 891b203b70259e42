//! How long a connection of HTTP/2 may stand where it stands: without a request, or in the middle of a head. Knows no bytes
//! and reads no clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::listener::ConnectionLimits;
use crate::listener::pulse::Cut;

/// How long a connection that was told to end may stand without a request.
const LEAVE: Duration = Duration::from_secs(10);

/// The state of a connection, as far as time is concerned.
#[derive(Debug)]
pub(super) struct Pace {
    /// Since when no request is being answered; none while one is.
    quiet_since: Option<Instant>,
    is_first: bool,
    /// Which head is there in part, and since when.
    unfinished: Option<(u64, Instant)>,
    is_leaving: bool,
}

impl Pace {
    /// A connection that came just now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            quiet_since: Some(now),
            is_first: true,
            unfinished: None,
            is_leaving: false,
        }
    }

    /// A request was understood.
    pub(super) fn asked(&mut self) {
        self.is_first = false;
        self.quiet_since = None;
    }

    /// So many requests are being answered, and this head is there in part.
    pub(super) fn stands(&mut self, open: usize, unfinished: Option<u64>, now: Instant) {
        if open == 0 {
            self.quiet_since.get_or_insert(now);
        }
        if self.unfinished.map(|(number, _)| number) != unfinished {
            self.unfinished = unfinished.map(|number| (number, now));
        }
    }

    /// The connection was told to end.
    pub(super) fn leaves(&mut self, now: Instant) {
        self.is_leaving = true;
        self.quiet_since = self.quiet_since.map(|_| now);
    }

    /// When it is to be cut, and why, unless something happens.
    pub(super) fn due(&self, limits: &ConnectionLimits) -> Option<(Instant, Cut)> {
        let allowed = if self.is_leaving {
            LEAVE
        } else if self.is_first {
            limits.header_timeout
        } else {
            limits.idle_timeout
        };
        let quiet = self.quiet_since.map(|since| (since + allowed, Cut::Idle));
        let head = self.unfinished;
        let head = head.map(|(_, since)| (since + limits.header_timeout, Cut::SlowHead));
        [head, quiet].into_iter().flatten().min_by_key(|due| due.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_mins(1),
        rest: Duration::from_secs(1),
        max_header_bytes: 0,
    };

    /// After how many seconds a connection that comes to stand so is cut.
    fn due(pace: &Pace, came: Instant) -> Option<(u64, Cut)> {
        let (at, cut) = pace.due(&LIMITS)?;
        Some((at.duration_since(came).as_secs(), cut))
    }

    #[test]
    fn the_first_request_has_the_time_of_a_head_and_a_later_one_that_of_rest() {
        let came = Instant::now();
        let at = |seconds| came + Duration::from_secs(seconds);
        let mut pace = Pace::new(came);
        pace.stands(0, None, at(3));
        assert_eq!(due(&pace, came), Some((10, Cut::Idle)));
        pace.asked();
        pace.stands(1, None, at(4));
        assert_eq!(due(&pace, came), None);
        pace.stands(0, None, at(100));
        pace.stands(0, None, at(120));
        assert_eq!(due(&pace, came), Some((160, Cut::Idle)));
    }

    #[test]
    fn a_head_has_its_own_time_beside_whatever_is_answered() {
        let came = Instant::now();
        let at = |seconds| came + Duration::from_secs(seconds);
        let mut pace = Pace::new(came);
        pace.asked();
        pace.stands(2, Some(7), at(5));
        pace.stands(2, Some(7), at(9));
        assert_eq!(due(&pace, came), Some((15, Cut::SlowHead)));
        pace.stands(2, Some(8), at(14));
        assert_eq!(due(&pace, came), Some((24, Cut::SlowHead)));
        pace.stands(2, None, at(15));
        assert_eq!(due(&pace, came), None);
    }

    #[test]
    fn what_is_no_request_does_not_prolong_the_time_without_one() {
        let came = Instant::now();
        let at = |seconds| came + Duration::from_secs(seconds);
        let mut pace = Pace::new(came);
        pace.asked();
        pace.stands(0, None, came);
        for seconds in (1..59).step_by(2) {
            pace.stands(0, Some(seconds), at(seconds));
            pace.stands(0, None, at(seconds + 1));
        }
        assert_eq!(due(&pace, came), Some((60, Cut::Idle)));
    }

    #[test]
    fn a_connection_that_is_told_to_end_has_little_time_once_nothing_is_asked() {
        let came = Instant::now();
        let at = |seconds| came + Duration::from_secs(seconds);
        let mut pace = Pace::new(came);
        pace.asked();
        pace.leaves(at(5));
        assert_eq!(due(&pace, came), None);
        pace.stands(0, None, at(50));
        assert_eq!(due(&pace, came), Some((60, Cut::Idle)));
    }
}
