//! Where sessions are kept, as the config means it. Knows no connections.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::BackendTls;
use crate::domain::secret::Secret;

/// `store` of `[sessions]`.
#[derive(Clone, Debug, Default)]
pub enum StorePlan {
    /// In the process alone.
    #[default]
    Memory,
    /// In Redis, which several gateways share.
    Redis(Box<RedisPlan>),
}

/// How sessions are kept in Redis.
#[derive(Clone, Debug)]
pub struct RedisPlan {
    /// Where it is.
    pub servers: RedisServers,
    /// The number of the database; 0 in a cluster.
    pub database: i64,
    /// Who the gateway is to it.
    pub login: RedisLogin,
    /// How its servers, and its sentinels, are known under TLS; none where they speak in the clear.
    pub tls: Option<BackendTls>,
    /// Until a command is answered, or a connection is there.
    pub timeout: Duration,
    /// How long after Redis was last heard what is known of its sessions is still believed.
    pub near_belief: Duration,
}

/// The servers of a Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServers {
    /// One.
    One(RedisAddress),
    /// The master that sentinels name.
    Sentinel {
        /// The sentinels, of which any is asked.
        sentinels: Vec<RedisAddress>,
        /// What they call the master.
        master: String,
        /// Who the gateway is to them.
        login: RedisLogin,
    },
    /// The masters of a cluster, some of whose servers these are.
    Cluster(Vec<RedisAddress>),
}

/// A user of Redis; its default user without a name, and nobody to ask without a password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisLogin {
    /// Its name.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RedisAddress {
    /// A port of a host.
    Tcp {
        /// The name or address, an IPv6 one without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket of this machine.
    Unix(PathBuf),
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
