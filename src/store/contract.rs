//! What every store promises, whatever keeps its sessions.

mod ledger;
mod lifecycle;
mod redis;
#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "the integration tests say more of its verbs"
)]
#[path = "../../tests/gateway/harness/redis/mod.rs"]
mod servers;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tokio::runtime::Handle;

use self::servers::Redis;
use super::{Cast, Condition, Found, Opened, Standing, State, Store, Whose};
use crate::config::plan::{RedisPlan, SessionsPlan, StatePlan, StorePlan};
use crate::domain::clock::Clock;
use crate::domain::identity::{Account, App, Identity, WechatId};
use crate::domain::session::{SessionKey, SessionLimits};
use crate::domain::token::Skey;
use crate::metrics::{Labels, Metrics};

/// What is done with a store before each look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
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
const KINDS: [Kind; 6] = [
    Kind::Memory,
    Kind::MemoryReadBack,
    Kind::Redis,
    Kind::RedisOfTwo,
    Kind::RedisOfSentinels,
    Kind::RedisCluster,
];

/// One store of each kind, empty, each with a clock of its own.
fn every_store(capacity: u64) -> [Shelf; KINDS.len()] {
    every_store_where(|plan| plan.capacity = capacity)
}

/// The same with what `change` makes of the plan.
fn every_store_where(change: impl Fn(&mut SessionsPlan)) -> [Shelf; KINDS.len()] {
    KINDS.map(|kind| Shelf::new(kind, &change))
}

/// A store and what it goes by.
struct Shelf {
    kind: Kind,
    store: RefCell<(Store, Arc<Metrics>)>,
    /// The store of another gateway, where there are two.
    other: RefCell<Option<(Store, Arc<Metrics>)>>,
    /// Its servers, for this test alone.
    servers: Option<MutexGuard<'static, Redis>>,
    plan: SessionsPlan,
    clock: Clock,
    /// Where the store's file is, if it has one.
    directory: PathBuf,
}

impl Shelf {
    fn new(kind: Kind, change: impl Fn(&mut SessionsPlan)) -> Self {
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
    fn store(&self) -> Store {
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

    fn state(&self, (store, metrics): &(Store, Arc<Metrics>)) -> State {
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
    fn is_in_redis(&self) -> bool {
        self.servers.is_some()
    }

    /// Waits until the store can be asked.
    async fn ready(&self) {
        for store in [self.store(), self.store()] {
            while store.condition() != Condition::Up {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    async fn open(&self, app: usize, user: &str, key: &str) -> Opened {
        self.ready().await;
        let identity = identity(app, user);
        self.store()
            .open(identity, SessionKey::new(key))
            .await
            .unwrap()
    }

    async fn find(&self, opened: &Opened) -> Found {
        let (digest, now) = (opened.skey.digest(), self.clock.now());
        self.store().find(&digest, now).await.unwrap()
    }

    async fn has(&self, opened: &Opened) -> bool {
        self.find(opened).await.session().is_some()
    }

    /// What becomes of a WebSocket of this session.
    async fn standing(&self, opened: &Opened) -> Standing {
        let (digest, now) = (opened.skey.digest(), self.clock.now());
        let standing = self.store().holds(&digest, &opened.session, now).await;
        standing.unwrap()
    }

    async fn touch(&self, opened: &Opened) {
        let session = self.find(opened).await.session().unwrap();
        session.touch(self.clock.now());
        let store = self.store.borrow().0.clone();
        store.settle().await;
    }

    /// The current key of a session's user, and the one before.
    async fn keys(&self, opened: &Opened) -> (String, Option<String>) {
        let session = self.find(opened).await.session().unwrap();
        let keys = session.user().keys.keys();
        let previous = keys.previous.map(|key| key.reveal().to_owned());
        (keys.current.reveal().to_owned(), previous)
    }

    fn page(&self) -> String {
        self.store.borrow().1.encode()
    }

    /// Whether the metrics show so many sessions of an app, where they show all of them.
    fn counts(&self, app: &str, sessions: usize) -> bool {
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
fn empty(plan: &SessionsPlan, clock: &Clock) -> (Store, Arc<Metrics>) {
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

fn app(index: usize) -> Arc<App> {
    let name = if index == 0 { "shop" } else { "game" };
    Arc::new(App {
        name: name.to_owned(),
        appid: WechatId::parse(&format!("wx-{name}")).unwrap(),
        index,
    })
}

fn identity(index: usize, user: &str) -> Identity {
    Identity {
        app: app(index),
        openid: WechatId::parse(user).unwrap(),
        unionid: WechatId::parse(&format!("u-{user}")),
        account: Account::default(),
    }
}

fn of_user(app: usize, user: &str) -> Whose {
    let openid = WechatId::parse(user).unwrap();
    Whose::User { app, openid }
}

#[tokio::test]
async fn what_was_opened_is_found_by_its_digest_alone_and_in_every_clone() {
    for shelf in every_store(100) {
        let alice = shelf.open(0, "alice", "k1").await;
        let bob = shelf.open(1, "bob", "k2").await;
        assert_ne!(alice.skey, bob.skey, "{:?}", shelf.kind);
        let found = |skey: &Skey| {
            let (store, digest) = (shelf.store(), skey.digest());
            let now = shelf.clock.now();
            async move { store.find(&digest, now).await.unwrap().session() }
        };
        let of_alice = found(&alice.skey).await.unwrap();
        assert_eq!(of_alice.facts(), identity(0, "alice").facts());
        assert_eq!(shelf.keys(&alice).await, ("k1".to_owned(), None));
        let of_bob = found(&bob.skey).await.unwrap();
        assert_eq!(of_bob.facts(), identity(1, "bob").facts());
        let stranger = Skey::generate().unwrap();
        assert!(found(&stranger).await.is_none(), "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_closed_session_is_gone_and_the_others_stay() {
    for shelf in every_store(100) {
        let phone = shelf.open(0, "alice", "k").await;
        let tablet = shelf.open(0, "alice", "k").await;
        for _ in 0..2 {
            shelf.store().close(&phone.skey.digest()).await.unwrap();
            assert!(!shelf.has(&phone).await, "{:?}", shelf.kind);
            assert!(shelf.has(&tablet).await, "{:?}", shelf.kind);
        }
    }
}

#[tokio::test]
async fn a_session_ends_at_its_lifetime_however_much_it_is_used() {
    for shelf in every_store(100) {
        let alice = shelf.open(0, "alice", "k").await;
        for _ in 0..3 {
            shelf.clock.turn(Duration::from_hours(3));
            shelf.touch(&alice).await;
        }
        shelf.clock.turn(Duration::from_hours(1));
        assert!(!shelf.has(&alice).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_finding_is_not_using() {
    for shelf in every_store(100) {
        let used = shelf.open(0, "alice", "k").await;
        let found = shelf.open(0, "bob", "k").await;
        shelf.clock.turn(Duration::from_hours(3));
        shelf.touch(&used).await;
        assert!(shelf.has(&found).await, "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_hours(1));
        assert!(shelf.has(&used).await, "{:?}", shelf.kind);
        assert!(!shelf.has(&found).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_newer_login_renews_the_key_of_all_devices_of_that_user_in_that_app() {
    for shelf in every_store(100) {
        let phone = shelf.open(0, "alice", "k1").await;
        let bob = shelf.open(0, "bob", "k2").await;
        let player = shelf.open(1, "alice", "k3").await;
        let tablet = shelf.open(0, "alice", "k4").await;
        let renewed = ("k4".to_owned(), Some("k1".to_owned()));
        assert_eq!(shelf.keys(&phone).await, renewed, "{:?}", shelf.kind);
        assert_eq!(shelf.keys(&tablet).await, renewed, "{:?}", shelf.kind);
        assert_eq!(shelf.keys(&bob).await, ("k2".to_owned(), None));
        assert_eq!(shelf.keys(&player).await, ("k3".to_owned(), None));
        shelf.open(0, "alice", "k4").await;
        assert_eq!(shelf.keys(&phone).await, renewed, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn the_keys_of_a_user_are_had_by_app_and_openid_even_without_a_session() {
    for shelf in every_store(100) {
        let keys = |app, user: &'static str| {
            let store = shelf.store();
            async move {
                let openid = WechatId::parse(user).unwrap();
                store.keys(app, &openid).await.unwrap()
            }
        };
        let alice = shelf.open(0, "alice", "k1").await;
        shelf.open(1, "alice", "k2").await;
        shelf.open(0, "alice", "k3").await;
        shelf.store().close(&alice.skey.digest()).await.unwrap();
        let in_shop = keys(0, "alice").await.unwrap();
        let previous = in_shop.previous.unwrap();
        let revealed = (in_shop.current.reveal(), previous.reveal());
        assert_eq!(revealed, ("k3", "k1"), "{:?}", shelf.kind);
        let in_game = keys(1, "alice").await.unwrap();
        assert_eq!(in_game.current.reveal(), "k2", "{:?}", shelf.kind);
        assert_eq!(in_game.previous, None, "{:?}", shelf.kind);
        for (app, user) in [(0, "bob"), (2, "alice")] {
            assert_eq!(keys(app, user).await, None, "{:?}", shelf.kind);
        }
    }
}

#[tokio::test]
async fn at_capacity_what_was_used_least_recently_goes_and_not_what_is_fresh() {
    for shelf in every_store(2) {
        if shelf.is_in_redis() {
            continue;
        }
        let alice = shelf.open(0, "alice", "k").await;
        let bob = shelf.open(0, "bob", "k").await;
        shelf.store().tidy();
        // However often it was used: only how long ago counts.
        for _ in 0..10 {
            shelf.touch(&bob).await;
        }
        // Uses may be told apart by no more than the second.
        shelf.clock.turn(Duration::from_secs(2));
        shelf.touch(&alice).await;
        shelf.store().tidy();
        shelf.clock.turn(Duration::from_secs(2));
        let carol = shelf.open(0, "carol", "k").await;
        assert!(shelf.counts("shop", 2), "{:?}", shelf.kind);
        assert!(shelf.has(&carol).await, "{:?}", shelf.kind);
        assert!(shelf.has(&alice).await, "{:?}", shelf.kind);
        assert!(!shelf.has(&bob).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_session_is_held_until_it_ends_however_it_does_and_to_ask_is_no_use() {
    for shelf in every_store(2) {
        let held = async |opened: &Opened| shelf.standing(opened).await == Standing::Stands;
        let alice = shelf.open(0, "alice", "k").await;
        assert!(held(&alice).await, "{:?}", shelf.kind);
        shelf.store().close(&alice.skey.digest()).await.unwrap();
        assert!(!held(&alice).await, "{:?}", shelf.kind);

        let bob = shelf.open(0, "bob", "k").await;
        shelf.clock.turn(Duration::from_hours(3));
        assert!(held(&bob).await, "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_hours(1));
        assert!(!held(&bob).await, "{:?}", shelf.kind);

        if shelf.is_in_redis() {
            continue;
        }
        let carol = shelf.open(0, "carol", "k").await;
        shelf.store().tidy();
        // Uses may be told apart by no more than the second.
        shelf.clock.turn(Duration::from_secs(2));
        let dave = shelf.open(0, "dave", "k").await;
        shelf.store().tidy();
        // What is only asked about goes before what came later.
        assert!(held(&carol).await && held(&dave).await, "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_secs(2));
        shelf.open(0, "erin", "k").await;
        shelf.store().tidy();
        assert!(!held(&carol).await && held(&dave).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn sessions_are_counted_in_and_out_once_each_for_their_app() {
    for shelf in every_store(100) {
        if shelf.is_in_redis() {
            continue;
        }
        assert!(shelf.counts("shop", 0) && shelf.counts("game", 0));
        let closed = shelf.open(0, "alice", "k").await;
        let ended = shelf.open(0, "bob", "k").await;
        shelf.open(1, "alice", "k").await;
        assert!(shelf.counts("shop", 2) && shelf.counts("game", 1));
        shelf.store().close(&closed.skey.digest()).await.unwrap();
        shelf.store().close(&closed.skey.digest()).await.unwrap();
        assert!(shelf.counts("shop", 1), "{}", shelf.page());
        shelf.clock.turn(Duration::from_hours(4));
        assert!(!shelf.has(&ended).await && !shelf.has(&ended).await);
        assert!(shelf.counts("shop", 0), "{}", shelf.page());
    }
}
