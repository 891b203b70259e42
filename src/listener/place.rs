//! What a conversation with a client takes place in, and how it ends. Knows no protocol.

use std::cell::Cell;

use tokio::time::Instant;

use super::dates::Dates;
use super::pulse::Cut;
use super::{ConnectionLimits, Stop, Unread};
use crate::domain::peer::Peer;

/// What a conversation takes place in.
pub(super) struct Place<'a, H> {
    pub(super) handler: &'a H,
    pub(super) peer: &'a Peer,
    pub(super) limits: &'a ConnectionLimits,
    pub(super) stop: &'a Stop,
    pub(super) dates: &'a Dates,
    pub(super) rounds: &'a Rounds,
    /// Whether HTTP/2 is spoken in the clear as well, with whom begins with it.
    pub(super) h2c: bool,
}

/// When the connections of a worker look at their pulses: all at the same time, so that the worker is woken once for all
/// of them. It belongs to one thread.
#[derive(Debug, Default)]
pub(super) struct Rounds(Cell<Option<Instant>>);

impl Rounds {
    /// When the next look is, at most `limits` allow after `now`.
    pub(super) fn next(&self, limits: &ConnectionLimits, now: Instant) -> Instant {
        let set = self.0.get().filter(|next| *next > now);
        let next = set.unwrap_or_else(|| now + limits.shortest());
        self.0.set(Some(next));
        next
    }
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It rests; nothing was begun.
    Rest,
    /// The last answer was given, or what of it could be.
    Over,
    /// What came is no request.
    Refused(Unread),
    /// It is cut here.
    Cut(Cut),
    /// Nobody is there any more.
    Gone,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_look_at_the_same_time_and_none_later_than_it_must() {
        let limits = ConnectionLimits {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(1),
            rest: Duration::from_millis(200),
            max_header_bytes: 0,
        };
        let (rounds, now) = (Rounds::default(), Instant::now());
        let next = |after: u64| rounds.next(&limits, now + Duration::from_millis(after));
        let at = |millis: u64| now + Duration::from_millis(millis);
        assert_eq!([0, 7, 199].map(next), [at(200); 3]);
        assert_eq!([200, 350].map(next), [at(400); 2]);
    }
}
