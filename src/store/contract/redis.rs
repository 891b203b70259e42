//! The Redis servers behind the stores of the contract: each kind is started once, and emptied for each test.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::servers::{MASTER, Redis};
use super::shelf::Kind;
use crate::config::plan::{RedisAddress, RedisLogin, RedisPlan, RedisServers};

static ONE: LazyLock<Mutex<Redis>> = LazyLock::new(|| Mutex::new(Redis::single()));
static SHARED: LazyLock<Mutex<Redis>> = LazyLock::new(|| Mutex::new(Redis::single()));
static WATCHED: LazyLock<Mutex<Redis>> = LazyLock::new(|| Mutex::new(Redis::sentinel()));
static CLUSTER: LazyLock<Mutex<Redis>> = LazyLock::new(|| Mutex::new(Redis::cluster()));

/// The servers of a kind of store, empty, and for one test alone; none if it has none.
pub(super) fn servers(kind: Kind) -> Option<(MutexGuard<'static, Redis>, RedisPlan)> {
    let servers = match kind {
        Kind::Memory | Kind::MemoryReadBack => return None,
        Kind::Redis => &ONE,
        Kind::RedisOfTwo => &SHARED,
        Kind::RedisOfSentinels => &WATCHED,
        Kind::RedisCluster => &CLUSTER,
    };
    let redis = servers.lock().unwrap_or_else(PoisonError::into_inner);
    empty(&redis, kind);
    let plan = plan(&redis, kind);
    Some((redis, plan))
}

fn empty(redis: &Redis, kind: Kind) {
    if kind == Kind::RedisCluster {
        for node in 0..3 {
            redis.cli_at(node, &["FLUSHALL"]);
        }
    } else {
        redis.cli(&["FLUSHALL"]);
    }
}

fn plan(redis: &Redis, kind: Kind) -> RedisPlan {
    let urls = redis.urls();
    let addresses = urls.iter().map(|url| {
        let (host, port) = url.trim_start_matches("redis://").split_once(':').unwrap();
        RedisAddress::Tcp {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }
    });
    let addresses: Vec<_> = addresses.collect();
    RedisPlan {
        servers: match kind {
            Kind::RedisOfSentinels => RedisServers::Sentinel {
                sentinels: addresses,
                master: MASTER.to_owned(),
                login: RedisLogin::default(),
            },
            Kind::RedisCluster => RedisServers::Cluster(addresses),
            _ => RedisServers::One(addresses[0].clone()),
        },
        database: 0,
        login: RedisLogin::default(),
        tls: None,
        timeout: std::time::Duration::from_secs(5),
        near_belief: std::time::Duration::from_secs(10),
    }
}
