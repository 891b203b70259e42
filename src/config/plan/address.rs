//! Where a backend server is, and how it is spoken to, as the config writes both. Knows no connections.

use std::fmt;
use std::path::{Path, PathBuf};

use http::uri::Authority;

use crate::domain::peer::Scheme;

/// One of `servers`: `"http://host:port"`, `"https://host:port"` or `"unix:/path"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress(Written);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    Tcp(Scheme, Authority),
    Unix(PathBuf),
}

/// What to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot<'a> {
    /// A port of a host.
    Tcp {
        /// The name or address, an IPv6 one without its brackets.
        host: &'a str,
        /// The port.
        port: u16,
    },
    /// A socket of this machine.
    Unix(&'a Path),
}

/// The `Host` of whoever is asked for over a unix socket.
const LOCAL: &str = "localhost";

impl ServerAddress {
    /// Takes an authority that has a port, or means the usual one of the scheme.
    #[must_use]
    pub fn new(scheme: Scheme, authority: Authority) -> Self {
        Self(Written::Tcp(scheme, authority))
    }

    /// Takes the path of a socket, behind which HTTP is spoken in clear.
    #[must_use]
    pub fn unix(path: PathBuf) -> Self {
        Self(Written::Unix(path))
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.0, Written::Tcp(Scheme::Https, _))
    }

    /// What it calls itself, where nobody asks for another: host and port as they are written.
    #[must_use]
    pub fn authority(&self) -> &str {
        match &self.0 {
            Written::Tcp(_, authority) => authority.as_str(),
            Written::Unix(_) => LOCAL,
        }
    }

    /// What to connect to.
    #[must_use]
    pub fn spot(&self) -> Spot<'_> {
        match &self.0 {
            Written::Tcp(scheme, authority) => Spot::Tcp {
                host: bare(authority.host()),
                port: authority.port_u16().unwrap_or(match scheme {
                    Scheme::Http => 80,
                    Scheme::Https => 443,
                }),
            },
            Written::Unix(path) => Spot::Unix(path),
        }
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Written::Tcp(Scheme::Http, authority) => authority.fmt(f),
            Written::Tcp(Scheme::Https, authority) => write!(f, "https://{authority}"),
            Written::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
