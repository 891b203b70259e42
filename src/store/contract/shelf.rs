//! The stores of the contract, one of each kind, and what tests do with them.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use super::redis;
use super::servers::Redis;
use crate::config::plan::{RedisPlan, SessionsPlan, StatePlan, StorePlan};
use crate::domain::clock::Clock;
use crate::domain::identity::{Account, App, Identity, WechatId};
use crate::domain::session::{SessionKey, SessionLimits};
use crate::metrics::{Labels, Metrics};
use crate::store::{Cast, Condition, Found, Opened, Standing, State, Store, Whose};

/// What is done with a store before each look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Memory,
    /// It is saved, and a new one reads that back.
    MemoryReadBack,
    /// Nothing.
    Redis,
    /// Another of two gateways looks, and nothing is near there.
    RedisOfTwo,
    /// Nothing.
    RedisOfSentinels,
    /// Nothing.
    RedisCluster,
}

/// Every kind of store.
pub(super) const KINDS: [Kind; 6] = [
    Kind::Memory,
    Kind::MemoryReadBack,
    Kind::Redis,
    Kind::RedisOfTwo,
    Kind::RedisOfSentinels,
    Kind::RedisCluster,
];

/// One store of each kind, empty, each with a clock of its own.
pub(super) fn every_store(capacity: u64) -> [Shelf; KINDS.len()] {
    every_store_where(|plan| plan.capacity = capacity)
}

/// The same with what `change` makes of the plan.
pub(super) fn every_store_where(change: impl Fn(&mut SessionsPlan)) -> [Shelf; KINDS.len()] {
    KINDS.map(|kind| Shelf::new(kind, &change))
}

/// A store and what it goes by.
pub(super) struct Shelf {
    pub(super) kind: Kind,
    pub(super) store: RefCell<(Store, Arc<Metrics>)>,
    /// The store of another gateway, where there are two.
    other: RefCell<Option<(Store, Arc<Metrics>)>>,
    /// Its servers, for this test alone.
    servers: Option<MutexGuard<'static, Redis>>,
    plan: SessionsPlan,
    pub(super) clock: Clock,
    /// Where the store's file is, if it has one.
    directory: PathBuf,
}

impl Shelf {
    pub(super) fn new(kind: Kind, change: impl Fn(&mut SessionsPlan)) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(format!("wxgate-contract-{process}-{count}"));
        std::fs::create_dir_all(&directory).unwrap();
        let servers = redis::servers(kind);
        let of_redis = |(_, plan): &(_, _)| StorePlan::Redis(Box::new(RedisPlan::clone(plan)));
        let mut plan = SessionsPlan {
            store: servers.as_ref().map_or(StorePlan::Memory, of_redis),
            limits: SessionLimits {
                lifetime: Duration::from_hours(10),
                idle: Duration::from_hours(4),
            },
            capacity: 100,
            token: Vec::new(),
            beside: Vec::new(),
            login_replay: Duration::ZERO,
            state: Some(StatePlan {
                file: directory.join("sessions"),
                interval: Duration::from_mins(1),
            }),
            encryption_keys: Vec::new(),
            max_per_user: None,
            rotation: None,
        };
        change(&mut plan);
        let clock = Clock::start();
        Self {
            kind,
            store: RefCell::new(empty(&plan, &clock)),
            other: RefCell::new((kind == Kind::RedisOfTwo).then(|| empty(&plan, &clock))),
            servers: servers.map(|(servers, _)| servers),
            plan,
            clock,
            directory,
        }
    }

    /// The store, with all that it had.
    pub(super) fn store(&self) -> Store {
        if self.kind == Kind::MemoryReadBack {
            let mut store = self.store.borrow_mut();
            assert!(self.state(&store).save());
            *store = empty(&self.plan, &self.clock);
            self.state(&store).read_back();
        }
        if let Some(other) = &mut *self.other.borrow_mut() {
            std::mem::swap(other, &mut *self.store.borrow_mut());
            self.store.borrow().0.forget();
        }
        self.store.borrow().0.clone()
    }

    pub(super) fn state(&self, (store, metrics): &(Store, Arc<Metrics>)) -> State {
        let cast = Cast {
            apps: vec![app(0), app(1)],
            claims: Vec::new(),
        };
        loop {
            // A server that another test starts just now may have the lock for a moment, as it has all files.
            let state = store.state(&self.plan, cast.clone(), &self.clock, metrics);
            if let Ok(state) = state {
                return state.unwrap();
            }
            std::thread::yield_now();
        }
    }

    /// Whether its sessions are in Redis, where room ends elsewhere and nobody counts.
    pub(super) fn is_in_redis(&self) -> bool {
        self.servers.is_some()
    }

    /// Waits until the store can be asked.
    pub(super) async fn ready(&self) {
        for store in [self.store(), self.store()] {
            while store.condition() != Condition::Up {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    pub(super) async fn open(&self, app: usize, user: &str, key: &str) -> Opened {
        self.ready().await;
        let identity = identity(app, user);
        self.store()
            .open(identity, SessionKey::new(key))
            .await
            .unwrap()
    }

    pub(super) async fn find(&self, opened: &Opened) -> Found {
        let (digest, now) = (opened.skey.digest(), self.clock.now());
        self.store().find(&digest, now).await.unwrap()
    }

    pub(super) async fn has(&self, opened: &Opened) -> bool {
        self.find(opened).await.session().is_some()
    }

    /// What becomes of a WebSocket of this session.
    pub(super) async fn standing(&self, opened: &Opened) -> Standing {
        let (digest, now) = (opened.skey.digest(), self.clock.now());
        let standing = self.store().holds(&digest, &opened.session, now).await;
        standing.unwrap()
    }

    pub(super) async fn touch(&self, opened: &Opened) {
        let session = self.find(opened).await.session().unwrap();
        session.touch(self.clock.now());
        let store = self.store.borrow().0.clone();
        store.settle().await;
    }

    /// The current key of a session's user, and the one before.
    pub(super) async fn keys(&self, opened: &Opened) -> (String, Option<String>) {
        let session = self.find(opened).await.session().unwrap();
        let keys = session.user().keys.keys();
        let previous = keys.previous.map(|key| key.reveal().to_owned());
        (keys.current.reveal().to_owned(), previous)
    }

    pub(super) fn page(&self) -> String {
        self.store.borrow().1.encode()
    }

    /// Whether the metrics show so many sessions of an app, where they show all of them.
    pub(super) fn counts(&self, app: &str, sessions: usize) -> bool {
        if self.is_in_redis() {
            return true;
        }
        self.store().tidy();
        let line = format!("\nwxgate_sessions{{app=\"{app}\"}} {sessions}\n");
        self.page().contains(&line)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A store with nothing in it, and what it counts in.
pub(super) fn empty(plan: &SessionsPlan, clock: &Clock) -> (Store, Arc<Metrics>) {
    let labels = Labels {
        apps: vec!["shop".to_owned(), "game".to_owned()],
        ..Labels::default()
    };
    let metrics = Arc::new(Metrics::new(labels, 1));
    let cast = Cast {
        apps: vec![app(0), app(1)],
        claims: Vec::new(),
    };
    let store = match &plan.store {
        StorePlan::Memory => Store::memory(plan, clock.clone(), Arc::clone(&metrics)),
        StorePlan::Redis(_) => {
            let (clock, metrics) = (clock.clone(), Arc::clone(&metrics));
            Store::of(plan, cast, clock, metrics, &Handle::current())
        }
    };
    (store, metrics)
}

pub(super) fn app(index: usize) -> Arc<App> {
    let name = if index == 0 { "shop" } else { "game" };
    Arc::new(App {
        name: name.to_owned(),
        appid: WechatId::parse(&format!("wx-{name}")).unwrap(),
        index,
    })
}

pub(super) fn identity(index: usize, user: &str) -> Identity {
    Identity {
        app: app(index),
        openid: WechatId::parse(user).unwrap(),
        unionid: WechatId::parse(&format!("u-{user}")),
        account: Account::default(),
    }
}

pub(super) fn of_user(app: usize, user: &str) -> Whose {
    let openid = WechatId::parse(user).unwrap();
    Whose::User { app, openid }
}
