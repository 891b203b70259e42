//! A named set of backend servers, as the config means it. Knows no routes.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct UpstreamPlan {
    /// The name.
    pub name: String,
    /// The servers, which take turns; at least one.
    pub servers: Vec<ServerAddress>,
    /// The `Host` that they are asked for; without it, the client's.
    pub host: Option<HeaderValue>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the response head.
    pub timeout: Duration,
}

/// `"http://host:port"`, without path, query and user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress(Authority);

impl ServerAddress {
    /// Takes an authority that has a port, or means port 80.
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        Self(authority)
    }

    /// The name or address, an IPv6 one without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
