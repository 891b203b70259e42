//! What a run is to do. Knows nothing of how it is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the proxy listens.
    pub target: SocketAddr,
    /// With what TLS, if any.
    pub tls: Option<Arc<ClientConfig>>,
    /// What is spoken.
    pub protocol: Protocol,
    /// How many connections there are.
    pub connections: usize,
    /// Whether each request has a connection of its own, opened at its instant and closed after its answer.
    pub anew: bool,
    /// When requests go out.
    pub pace: Pace,
    /// How long it goes before the window opens.
    pub warm_up: Duration,
    /// How long the window is open.
    pub window: Duration,
    /// After so many answers in the window it closes early.
    pub most: u64,
}

/// When requests go out.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection asks again as soon as it is answered.
    Closed,
    /// One request each time this has passed, whatever the answers do.
    Open(Duration),
}

/// What is spoken, and how many requests a connection has at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// One at a time.
    Http1,
    /// So many at a time, without bodies. Each connection asks for the same, again and again.
    Http2 {
        /// How many.
        streams: usize,
    },
}

impl Plan {
    /// How many requests a connection has at a time.
    pub(super) fn streams(&self) -> usize {
        match self.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 { streams } => streams,
        }
    }
}
