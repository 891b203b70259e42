//! What `[limits]` means: how often a client may come.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// `[limits]`; what is not there is not limited.
#[derive(Clone, Debug)]
pub struct LimitsPlan {
    /// Requests that a route takes, by the address of the client.
    pub requests_per_address: Option<Rate>,
    /// Requests with a session, by its user.
    pub requests_per_user: Option<Rate>,
    /// Logins, by the address of the client.
    pub logins_per_address: Option<Rate>,
    /// How many clients are remembered for each limit.
    pub capacity: u64,
}

/// `max_requests` and `queue` of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrowdPlan {
    /// Requests at a time, over all workers.
    pub max_requests: usize,
    /// Requests that wait for their turn, as long as the upstream's `timeout` is.
    pub queue: usize,
}

/// `"20/s"`, or `"20/s burst 50"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How long one of them takes to be allowed again.
    pub every: Duration,
    /// How many may come at once.
    pub burst: NonZeroU32,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one in {:?}, {} at once", self.every, self.burst)
    }
}
