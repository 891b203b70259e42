//! What `[server]` and `[admin]` mean: where to listen, and within which bounds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

use crate::config::certificates::Certificates;
use crate::domain::peer::ProxyHeaders;
use crate::domain::secret::Secret;

/// `[server]`.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Where to listen; at least one.
    pub listen: Vec<ListenPlan>,
    /// How many worker threads; at least one.
    pub workers: usize,
    /// The peers whose `X-Request-Id` is believed, and what they tell of a client.
    pub trusted_proxies: Vec<IpNet>,
    /// In which headers they tell it.
    pub proxy_headers: ProxyHeaders,
    /// Connections at a time, over all workers.
    pub max_connections: usize,
    /// Connections of one address at a time, over all workers; none for as many as it wants.
    pub max_connections_per_address: Option<usize>,
    /// Until a request head is whole.
    pub header_timeout: Duration,
    /// Between two requests, and between two pieces of a body.
    pub idle_timeout: Duration,
    /// Bytes of a request head.
    pub max_header_bytes: usize,
    /// Bytes of a request body, where a route does not say otherwise.
    pub max_body: u64,
    /// Until connections are cut off at a stop.
    pub drain_timeout: Duration,
    /// `tls = { cert, key }`, or a list of them, read and found to fit.
    pub tls: Option<TlsPlan>,
    /// For how long browsers are told to come under TLS only, as `Strict-Transport-Security` has it.
    pub hsts: Option<HeaderValue>,
    /// Where to listen in the clear, only to send clients to where TLS is.
    pub redirect: Vec<ListenPlan>,
    /// Whether HTTP/2 is spoken in the clear as well, with clients that begin with it.
    pub h2c: bool,
}

/// How clients are served under TLS.
#[derive(Clone, Debug)]
pub struct TlsPlan {
    /// What the library needs to know.
    pub config: Arc<rustls::ServerConfig>,
    /// The certificates that it shows.
    pub certificates: Arc<Certificates>,
}

/// A place to listen, and who comes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenPlan {
    /// The place.
    pub place: ListenPlace,
    /// Whether only proxies come there, that say in the PROXY protocol whose connection it is.
    pub proxy_protocol: bool,
}

/// A place to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenPlace {
    /// `"127.0.0.1:8080"`.
    Tcp(SocketAddr),
    /// `"unix:/run/wxgate/http.sock"`.
    Unix(PathBuf),
    /// `"systemd"`: the sockets that systemd passes.
    Systemd,
}

/// `[admin]`.
#[derive(Clone, Debug)]
pub struct AdminPlan {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What `/api/*` asks for; without it there is no `/api/*`.
    pub token: Option<Secret>,
}
