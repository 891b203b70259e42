//! A named set of backend servers, as the config means it. Knows no routes.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::address::ServerAddress;
use super::fastcgi::FastCgiPlan;
use super::limits::CrowdPlan;
use crate::domain::path::RequestPath;

/// `[upstreams.NAME]`.
#[derive(Clone, Debug)]
pub struct UpstreamPlan {
    /// The name.
    pub name: String,
    /// The servers; at least one.
    pub servers: Vec<ServerAddress>,
    /// Which of them is next.
    pub balance: Balance,
    /// After how many requests in a row that had no answer a server is passed over.
    pub max_fails: u32,
    /// For how long a server is then passed over, or after it refused a connection.
    pub fail_timeout: Duration,
    /// How often a request that may be repeated goes to another server where one does not answer it.
    pub retries: u32,
    /// How servers are asked whether they are well, if they are.
    pub health: Option<HealthPlan>,
    /// The `Host` that they are asked for; without it, the client's.
    pub host: Option<HeaderValue>,
    /// How those of them that speak TLS are known; there if one does.
    pub tls: Option<BackendTls>,
    /// What they run; there if they speak FastCGI.
    pub fastcgi: Option<Box<FastCgiPlan>>,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until the response head.
    pub timeout: Duration,
    /// How many requests it takes at a time; none for all.
    pub crowd: Option<CrowdPlan>,
}

/// `balance = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// They take turns.
    RoundRobin,
    /// The one with the fewest requests under way.
    LeastConnections,
    /// For one user always the same, as long as it can be reached.
    OpenId,
}

/// `health = { … }`.
#[derive(Clone, Debug)]
pub struct HealthPlan {
    /// What is asked for.
    pub path: RequestPath<'static>,
    /// Between two questions.
    pub interval: Duration,
    /// Until the head of the answer.
    pub timeout: Duration,
}

/// How a server under TLS proves that it is the one that is meant.
#[derive(Clone, Debug)]
pub struct BackendTls {
    /// Whose certificates are believed.
    pub config: Arc<ClientConfig>,
    /// The name that it must have, and is asked for; without it, the host of its address.
    pub server_name: Option<ServerName<'static>>,
}
