//! What a run found, as it is written to the JSON. Knows nothing of how it was found.

use serde::{Deserialize, Serialize};

use crate::stage::{Machine, Spread};

/// Everything that a run found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// On what machine.
    pub(super) machine: Machine,
    /// Where WeChat answers, if that was measured.
    pub(super) speed: Option<Speed>,
    /// Where it hangs.
    pub(super) hang: Hang,
}

/// Logins while WeChat answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Speed {
    pub(super) windows: u64,
    pub(super) logins_in_window: u64,
    pub(super) codes_in_window: u64,
    /// Logins a second.
    pub(super) rate: Spread,
    /// The CPU time of each process for a login.
    pub(super) gateway_us: Spread,
    pub(super) simulator_us: Spread,
    pub(super) generator_us: Spread,
    pub(super) p50_us: Spread,
    pub(super) p99_us: Spread,
    /// How many connections the gateway opened to WeChat in all.
    pub(super) wechat_connections: u64,
    /// How many sessions there are at the end.
    pub(super) sessions: u64,
    pub(super) memory_kib: Memory,
}

/// Logins while WeChat hangs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hang {
    pub(super) seconds: u64,
    pub(super) asked_rate: u64,
    /// Logins that waited for WeChat in vain.
    pub(super) given_up: u64,
    /// Logins that were refused at once, since too many waited.
    pub(super) overloaded: u64,
    /// How many connections the gateway opened to WeChat meanwhile.
    pub(super) wechat_connections: u64,
    /// Logins that went well as soon as WeChat answered again: all.
    pub(super) logins_afterwards: u64,
    pub(super) memory_kib: Memory,
}

/// The gateway's resident memory, in KiB.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) before: u64,
    /// Just at the end of the logins.
    pub(super) during: u64,
    /// The most that it ever was.
    pub(super) most: u64,
    /// When codes are forgotten; sessions are not.
    pub(super) after: u64,
}
