//! The masters of a cluster: which of them has a slot, and how that is found out. Knows nothing of what is asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Value, cmd};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::connection;
use super::fault::Fault;
use super::node::{Node, Shared, Whereabouts};
use super::sentinel::text;
use crate::config::plan::RedisAddress;

/// How often the cluster is asked how it is made up, beside whenever there is a sign that it is made up otherwise.
const EVERY: Duration = Duration::from_secs(2);
/// How far apart two such questions lie at least.
const APART: Duration = Duration::from_millis(50);
/// For how long a server is kept that was only to be asked for once.
const KEPT: Duration = Duration::from_mins(1);

/// A cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    seeds: Vec<RedisAddress>,
    shared: Arc<Shared>,
    control: Handle,
    made_up: Mutex<MadeUp>,
    doubted: Notify,
    looked: Notify,
}

/// What it is made up of.
#[derive(Debug, Default)]
struct MadeUp {
    /// The first and the last slot of each range, and who has it.
    ranges: Vec<(u16, u16, RedisAddress)>,
    masters: HashMap<RedisAddress, Arc<Node>>,
    /// Servers that take over slots, and were asked for one.
    others: HashMap<RedisAddress, (Arc<Node>, Instant)>,
}

type Ranges = Vec<(u16, u16, RedisAddress)>;

impl Cluster {
    /// Looks at the cluster of which `seeds` are some servers, from now on.
    pub(super) fn start(
        seeds: Vec<RedisAddress>,
        shared: Arc<Shared>,
        control: &Handle,
    ) -> Arc<Self> {
        let cluster = Arc::new(Self {
            seeds,
            shared,
            control: control.clone(),
            made_up: Mutex::default(),
            doubted: Notify::new(),
            looked: Notify::new(),
        });
        let looking = Arc::downgrade(&cluster);
        control.spawn(async move {
            while let Some(cluster) = looking.upgrade() {
                cluster.look().await;
                cluster.looked.notify_waiters();
                sleep(APART).await;
                let _ = timeout(EVERY, cluster.doubted.notified()).await;
            }
        });
        cluster
    }

    /// The master that has a slot.
    pub(super) fn master(&self, slot: u16) -> Result<Arc<Node>, Fault> {
        let made_up = self.made_up();
        let mut ranges = made_up.ranges.iter();
        let range = ranges.find(|(first, last, _)| (*first..=*last).contains(&slot));
        let node = range.and_then(|(_, _, address)| made_up.masters.get(address));
        node.cloned()
            .ok_or_else(|| Fault::Away("no server of the cluster is known for it".to_owned()))
    }

    /// All masters.
    pub(super) fn masters(&self) -> Vec<Arc<Node>> {
        let made_up = self.made_up();
        let mut masters: Vec<_> = made_up.masters.iter().collect();
        masters.sort_by_key(|(address, _)| address.to_string());
        masters
            .into_iter()
            .map(|(_, node)| Arc::clone(node))
            .collect()
    }

    /// A server that is to be asked for one slot, although it does not have it yet.
    pub(super) fn other(&self, address: &RedisAddress) -> Arc<Node> {
        let mut made_up = self.made_up();
        if let Some(master) = made_up.masters.get(address) {
            return Arc::clone(master);
        }
        let start = || self.node(address.clone());
        let entry = made_up.others.entry(address.clone());
        let (node, asked_at) = entry.or_insert_with(|| (start(), Instant::now()));
        *asked_at = Instant::now();
        Arc::clone(node)
    }

    /// There is a sign that it is made up otherwise.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// The same, and waits until that was looked at.
    pub(super) async fn look_again(&self) {
        let looked = self.looked.notified();
        self.doubt();
        let _ = timeout(self.shared.plan.timeout, looked).await;
    }

    /// Asks one server after the other how the cluster is made up, until one answers.
    async fn look(&self) {
        let mut addresses: Vec<_> = self.made_up().masters.keys().cloned().collect();
        fastrand::shuffle(&mut addresses);
        addresses.extend(self.seeds.iter().cloned());
        let mut last = Fault::Away("there is no server".to_owned());
        for address in addresses {
            match self.ask(&address).await {
                Ok(ranges) => {
                    self.make_up(ranges);
                    return self.shared.health.is_up(CLUSTER);
                }
                Err(fault) => last = fault,
            }
        }
        self.shared.health.is_down(CLUSTER, &last);
    }

    async fn ask(&self, address: &RedisAddress) -> Result<Ranges, Fault> {
        let plan = &self.shared.plan;
        let mut question = cmd("CLUSTER");
        question.arg("SLOTS");
        let answer = connection::ask(address, plan, &plan.login, &question).await?;
        let ranges = ranges(&answer, address).ok_or(Fault::Garbage("it names no slots"))?;
        if ranges.is_empty() {
            return Err(Fault::Away("the cluster has no slots".to_owned()));
        }
        Ok(ranges)
    }

    /// Connects to the masters that are new, and lets go of those that are none any more: what they said is not believed
    /// from then on.
    fn make_up(&self, ranges: Ranges) {
        let mut made_up = self.made_up();
        for (_, _, address) in &ranges {
            if !made_up.masters.contains_key(address) {
                let other = made_up.others.remove(address);
                let node = other.map_or_else(|| self.node(address.clone()), |(node, _)| node);
                made_up.masters.insert(address.clone(), node);
            }
        }
        made_up
            .masters
            .retain(|address, _| ranges.iter().any(|(_, _, master)| master == address));
        let now = Instant::now();
        made_up
            .others
            .retain(|_, (_, asked_at)| now.duration_since(*asked_at) < KEPT);
        made_up.ranges = ranges;
    }

    fn node(&self, address: RedisAddress) -> Arc<Node> {
        let whereabouts = Whereabouts::InCluster(address);
        let shared = Arc::clone(&self.shared);
        Arc::new(Node::start(whereabouts, shared, &self.control))
    }

    fn made_up(&self) -> MutexGuard<'_, MadeUp> {
        self.made_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What operators are told that the cluster as a whole is called.
const CLUSTER: &str = "the cluster";

/// Which ranges of slots there are and whose they are, as the server at `asked` puts it.
fn ranges(answer: &Value, asked: &RedisAddress) -> Option<Ranges> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    let range = |range: &Value| {
        let Value::Array(range) = range else {
            return None;
        };
        let [first, last, master, ..] = range.as_slice() else {
            return None;
        };
        Some((slot(first)?, slot(last)?, address(master, asked)?))
    };
    ranges.iter().map(range).collect()
}

fn slot(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

fn address(server: &Value, asked: &RedisAddress) -> Option<RedisAddress> {
    let Value::Array(server) = server else {
        return None;
    };
    let [host, port, ..] = server.as_slice() else {
        return None;
    };
    let port = slot(port)?;
    let named = text(host).filter(|host| !host.is_empty() && *host != "?");
    // A server that does not know its own name is where it was asked.
    let host = match (named, asked) {
        (Some(host), _) => host.to_owned(),
        (None, RedisAddress::Tcp { host, .. }) => host.clone(),
        (None, RedisAddress::Unix(_)) => return None,
    };
    Some(RedisAddress::Tcp { host, port })
}
