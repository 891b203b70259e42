//! Ports that nobody else has.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Where they are sought: below those that the system gives to whoever asks for any, so that a server which is started
/// anew finds its port free.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// The port of a server, and the one where a cluster's nodes talk among themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    port: u16,
    bus: u16,
}

impl Ports {
    /// Two that are free now; a server may still find one taken.
    pub(super) fn choose() -> Self {
        Self {
            port: free(),
            bus: free(),
        }
    }

    pub(super) fn port(self) -> u16 {
        self.port
    }

    pub(super) fn bus(self) -> u16 {
        self.bus
    }
}

/// A port that is free now and was not given before by this process.
pub(super) fn free() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Each process begins elsewhere.
    let begin = std::process::id().wrapping_mul(7919);
    for _ in 0..COUNT {
        let step = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed).into());
        let port = FIRST + u16::try_from(step % u32::from(COUNT)).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
