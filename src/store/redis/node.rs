//! One server of Redis, connected for as long as it is wanted: again whenever the connection breaks. Knows nothing of what
//! is asked.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::connection::{self, Driver};
use super::fault::Fault;
use super::health::Health;
use super::heard::Heard;
use super::near::Near;
use super::sentinel::Sentinels;
use crate::config::plan::{RedisAddress, RedisPlan};
use crate::domain::clock::Clock;

/// How often a server is asked whether it is there, at the least.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How often that is within the time that it is believed without being heard.
const PINGS: u32 = 4;
/// How long to wait before the first new try to connect, and before any.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All that servers have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: RedisPlan,
    pub(super) near: Arc<Near>,
    pub(super) health: Health,
    pub(super) clock: Clock,
}

/// Where a server is.
#[derive(Debug)]
pub(super) enum Whereabouts {
    /// Always here.
    Here(RedisAddress),
    /// Here, and part of a cluster.
    InCluster(RedisAddress),
    /// Where sentinels say.
    Told(Sentinels),
}

/// A server. It is let go of with this.
#[derive(Debug)]
pub(super) struct Node {
    links: watch::Receiver<Option<Link>>,
    suspected: Arc<Notify>,
    task: AbortHandle,
    name: String,
    shared: Arc<Shared>,
}

/// A connection to a server that can be asked.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    pub(super) heard: Arc<Heard>,
}

impl Node {
    /// Connects to a server from now on.
    pub(super) fn start(whereabouts: Whereabouts, shared: Arc<Shared>, control: &Handle) -> Self {
        let (sender, links) = watch::channel(None);
        let suspected = Arc::new(Notify::new());
        let name = whereabouts.name();
        shared.health.begin(&name);
        let keeper = Keeper {
            whereabouts,
            shared: Arc::clone(&shared),
            suspected: Arc::clone(&suspected),
            name: name.clone(),
            links: sender,
        };
        let task = control.spawn(keeper.keep()).abort_handle();
        Self {
            links,
            suspected,
            task,
            name,
            shared,
        }
    }

    /// The connection, if there is one.
    pub(super) fn link(&self) -> Result<Link, Fault> {
        let link = self.links.borrow().clone();
        link.ok_or_else(|| Fault::Away("it is not connected".to_owned()))
    }

    /// The same, once there is one, for a server that was met just now.
    pub(super) async fn first_link(&self) -> Result<Link, Fault> {
        let mut links = self.links.clone();
        let waiting = links.wait_for(Option::is_some);
        let _ = timeout(self.shared.plan.timeout, waiting).await;
        self.link()
    }

    /// It says that it is not what it should be: it is connected to anew.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(link) = self.links.borrow().as_ref() {
            link.heard.end();
        }
        self.shared.health.is_gone(&self.name);
    }
}

impl Whereabouts {
    fn name(&self) -> String {
        match self {
            Self::Here(address) | Self::InCluster(address) => address.to_string(),
            Self::Told(sentinels) => sentinels.master().to_owned(),
        }
    }
}

/// Who keeps a server connected.
struct Keeper {
    whereabouts: Whereabouts,
    shared: Arc<Shared>,
    suspected: Arc<Notify>,
    name: String,
    links: watch::Sender<Option<Link>>,
}

impl Keeper {
    async fn keep(self) {
        let mut before: Option<Arc<Heard>> = None;
        let mut pause = PAUSE;
        loop {
            let fault = match self.connect().await {
                Ok((address, connection, driver)) => {
                    let (now, belief) = (self.shared.clock.now(), self.shared.plan.near_belief);
                    let heard = Arc::new(Heard::new(now, belief));
                    let link = Link {
                        connection,
                        heard: Arc::clone(&heard),
                    };
                    let fault = self.stay(&address, link, driver, before.as_deref()).await;
                    if self.links.send_replace(None).is_some() {
                        // It could be asked for a while.
                        before = Some(heard);
                        pause = PAUSE;
                    }
                    fault
                }
                Err(fault) => fault,
            };
            self.shared.health.is_down(&self.name, &fault);
            sleep(pause.mul_f32(0.5 + fastrand::f32() / 2.0)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn connect(&self) -> Result<(RedisAddress, MultiplexedConnection, Driver), Fault> {
        let shared = &self.shared;
        let address = match &self.whereabouts {
            Whereabouts::Here(address) | Whereabouts::InCluster(address) => address.clone(),
            Whereabouts::Told(sentinels) => sentinels.ask(&shared.plan).await?,
        };
        let near = Arc::clone(&shared.near);
        let (connection, driver) = connection::connect(&address, &shared.plan, near).await?;
        Ok((address, connection, driver))
    }

    /// Holds a connection until it breaks, or is not what it should be, and tells why. What was heard over the one `before`
    /// is believed until this one can be asked.
    async fn stay(
        &self,
        address: &RedisAddress,
        link: Link,
        mut driver: Driver,
        before: Option<&Heard>,
    ) -> Fault {
        let every = PING_EVERY.min(self.shared.plan.near_belief / PINGS);
        let mut ticks = interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was suspected was the connection before.
        let _ = self.suspected.notified().now_or_never();
        let checking = async {
            loop {
                ticks.tick().await;
                let asked_at = self.shared.clock.now();
                if let Err(fault) = self.check(address, link.connection.clone()).await {
                    return fault;
                }
                link.heard.hear(asked_at);
                self.shared.health.is_up(&self.name);
                if self.links.borrow().is_none() {
                    if let Some(before) = before {
                        // What changed between the two, nobody was told.
                        before.end();
                    }
                    self.links.send_replace(Some(link.clone()));
                }
            }
        };
        tokio::select! {
            fault = checking => fault,
            () = &mut driver => Fault::Away("the connection broke".to_owned()),
            () = self.suspected.notified(), if self.may_be_another() => Fault::Away("it is not the master any more".to_owned()),
        }
    }

    /// Whether there may be another server that is meant. Elsewhere one that takes no writes is still the one.
    fn may_be_another(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Told(_))
    }

    /// Asks a server whether it can be asked.
    async fn check(
        &self,
        address: &RedisAddress,
        mut connection: MultiplexedConnection,
    ) -> Result<(), Fault> {
        match &self.whereabouts {
            Whereabouts::Here(_) => {
                cmd("PING").query_async::<Value>(&mut connection).await?;
            }
            Whereabouts::InCluster(_) => {
                let mut question = cmd("CLUSTER");
                let asking = question.arg("INFO").query_async::<String>(&mut connection);
                if !asking.await?.contains("cluster_state:ok") {
                    return Err(Fault::Away("the cluster is down".to_owned()));
                }
            }
            Whereabouts::Told(sentinels) => {
                let role = cmd("ROLE").query_async::<Value>(&mut connection).await?;
                if !sentinels.agree(&role, address, &self.shared.plan).await {
                    return Err(Fault::Away("it is not the master any more".to_owned()));
                }
            }
        }
        Ok(())
    }
}
