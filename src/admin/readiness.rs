//! Whether the gateway takes requests. Knows nothing of who asks.

use std::sync::Arc;

use tokio::sync::watch;

/// Where the gateway is in its life; clones are one and the same.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<Phase>>);

/// A part of the gateway's life. They follow each other; none comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not all listeners are open yet.
    Starting,
    /// Requests are taken.
    Ready,
    /// No new connections; what has begun is brought to its end.
    Draining,
}

impl Readiness {
    /// A gateway that starts.
    #[must_use]
    pub fn starting() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }

    /// Goes on to `phase`; a gateway that drains does not become ready again.
    pub fn reach(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Where it is now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clones_see_the_phase_that_one_reached() {
        let readiness = Readiness::starting();
        let clone = readiness.clone();
        assert_eq!(clone.phase(), Phase::Starting);
        readiness.reach(Phase::Ready);
        assert_eq!(clone.phase(), Phase::Ready);
    }

    #[test]
    fn a_gateway_that_drains_does_not_become_ready_again() {
        let readiness = Readiness::starting();
        readiness.reach(Phase::Draining);
        readiness.reach(Phase::Ready);
        assert_eq!(readiness.phase(), Phase::Draining);
    }
}
