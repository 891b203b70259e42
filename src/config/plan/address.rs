//! Where a backend server is, and how it is spoken to, as the config writes both. Knows no connections.

use std::fmt;
use std::path::{Path, PathBuf};

use http::uri::Authority;

use crate::domain::peer::Scheme;

/// One of `servers`: `"http://host:port"`, `"https://host:port"`, `"unix:/path"`, `"fcgi://host:port"` or
/// `"fcgi+unix:/path"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    tongue: Tongue,
    written: Written,
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tongue {
    Http,
    Https,
    FastCgi,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Written {
    Tcp(Authority),
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
        let tongue = match scheme {
            Scheme::Http => Tongue::Http,
            Scheme::Https => Tongue::Https,
        };
        let written = Written::Tcp(authority);
        Self { tongue, written }
    }

    /// Takes the path of a socket, behind which HTTP is spoken in clear.
    #[must_use]
    pub fn unix(path: PathBuf) -> Self {
        let (tongue, written) = (Tongue::Http, Written::Unix(path));
        Self { tongue, written }
    }

    /// The same place, where FastCGI is spoken. Its port must be there: there is no usual one.
    #[must_use]
    pub fn with_fast_cgi(self) -> Self {
        let tongue = Tongue::FastCgi;
        Self { tongue, ..self }
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.tongue == Tongue::Https
    }

    /// Whether it speaks FastCGI.
    #[must_use]
    pub fn is_fast_cgi(&self) -> bool {
        self.tongue == Tongue::FastCgi
    }

    /// What it calls itself, where nobody asks for another: host and port as they are written.
    #[must_use]
    pub fn authority(&self) -> &str {
        match &self.written {
            Written::Tcp(authority) => authority.as_str(),
            Written::Unix(_) => LOCAL,
        }
    }

    /// What to connect to.
    #[must_use]
    pub fn spot(&self) -> Spot<'_> {
        match &self.written {
            Written::Tcp(authority) => Spot::Tcp {
                host: bare(authority.host()),
                port: authority.port_u16().unwrap_or(match self.tongue {
                    Tongue::Http | Tongue::FastCgi => 80,
                    Tongue::Https => 443,
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
        let (tcp, unix) = match self.tongue {
            Tongue::Http => ("", ""),
            Tongue::Https => ("https://", ""),
            Tongue::FastCgi => ("fcgi://", "fcgi+"),
        };
        match &self.written {
            Written::Tcp(authority) => write!(f, "{tcp}{authority}"),
            Written::Unix(path) => write!(f, "{unix}unix:{}", path.display()),
        }
    }
}
