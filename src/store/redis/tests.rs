//! What holds of Redis alone, with a real server.

use std::num::NonZeroUsize;

use super::*;
use crate::config::plan::{RedisAddress, RedisLogin, RedisServers, StorePlan};
use crate::domain::encryption_key::EncryptionKey;
use crate::domain::header_text::HeaderText;
use crate::domain::identity::{Account, App, Identity, WechatId};
use crate::domain::session::SessionKey;
use crate::domain::session_id::SessionId;
use crate::metrics::Labels;
use crate::store::contract::servers::Redis;
use crate::store::{Gone, OpenError, Opened, Revoked};

/// One of the gateways that share a Redis.
struct Gateway {
    store: RedisStore,
    clock: Clock,
    apps: Vec<Arc<App>>,
}

fn app(name: &str, index: usize) -> Arc<App> {
    Arc::new(App {
        name: name.to_owned(),
        appid: WechatId::parse(&format!("wx-{name}")).unwrap(),
        index,
    })
}

impl Gateway {
    /// With these keys, apps and claims.
    async fn start(redis: &Redis, keys: &[u8], apps: &[&str], claims: &[&str]) -> Self {
        let (host, port) = redis
            .address(0)
            .split_once(':')
            .map(|(host, port)| (host.to_owned(), port.parse().unwrap()))
            .unwrap();
        let key = |byte: &u8| EncryptionKey::parse(&format!("{byte:02x}").repeat(32)).unwrap();
        let redis = RedisPlan {
            servers: RedisServers::One(RedisAddress::Tcp { host, port }),
            database: 0,
            login: RedisLogin::default(),
            tls: None,
            timeout: Duration::from_secs(5),
            near_belief: Duration::from_secs(10),
        };
        let plan = SessionsPlan {
            store: StorePlan::Memory,
            limits: SessionLimits {
                lifetime: Duration::from_hours(10),
                idle: Duration::from_hours(4),
            },
            capacity: 100,
            max_per_user: NonZeroUsize::new(3),
            rotation: None,
            token: Vec::new(),
            beside: Vec::new(),
            login_replay: Duration::ZERO,
            state: None,
            encryption_keys: keys.iter().map(key).collect(),
        };
        let apps: Vec<_> = apps
            .iter()
            .enumerate()
            .map(|(index, name)| app(name, index))
            .collect();
        let cast = Cast {
            apps: apps.clone(),
            claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
        };
        let clock = Clock::start();
        let metrics = Arc::new(Metrics::new(Labels::default(), 1));
        let store = RedisStore::start(
            (&plan, &redis),
            cast,
            clock.clone(),
            metrics,
            &Handle::current(),
        );
        while store.condition() != Condition::Up {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { store, clock, apps }
    }

    fn identity(&self, claims: &[Option<&str>]) -> Identity {
        let text = |text: &&str| HeaderText::parse(text).unwrap();
        let claims: Vec<_> = claims
            .iter()
            .map(|claim| claim.as_ref().map(text))
            .collect();
        Identity {
            app: Arc::clone(&self.apps[0]),
            openid: WechatId::parse("alice").unwrap(),
            unionid: None,
            account: Account {
                user_id: (!claims.is_empty()).then(|| HeaderText::parse("7").unwrap()),
                claims: claims.into(),
            },
        }
    }

    async fn open(&self, key: &str) -> Opened {
        self.store
            .open(self.identity(&[]), SessionKey::new(key))
            .await
            .unwrap()
    }

    async fn find(&self, opened: &Opened) -> Found {
        self.store
            .find(&opened.skey.digest(), self.clock.now())
            .await
            .unwrap()
    }

    async fn keys(&self) -> (String, Option<String>) {
        let openid = WechatId::parse("alice").unwrap();
        let keys = self.store.keys(0, &openid).await.unwrap().unwrap();
        let previous = keys.previous.map(|key| key.reveal().to_owned());
        (keys.current.reveal().to_owned(), previous)
    }
}

#[tokio::test]
async fn while_the_encryption_key_is_replaced_sessions_and_keys_go_on() {
    let redis = Redis::single();
    let old = Gateway::start(&redis, &[1], &["shop"], &[]).await;
    let before = old.open("k1").await;
    let both = Gateway::start(&redis, &[2, 1], &["shop"], &[]).await;
    assert!(both.find(&before).await.session().is_some());
    assert_eq!(both.keys().await, ("k1".to_owned(), None));
    let during = both.open("k1").await;
    assert_eq!(both.keys().await, ("k1".to_owned(), None));
    both.open("k2").await;
    assert_eq!(both.keys().await, ("k2".to_owned(), Some("k1".to_owned())));
    let new = Gateway::start(&redis, &[2], &["shop"], &[]).await;
    assert!(new.find(&during).await.session().is_some());
    assert_eq!(new.keys().await, ("k2".to_owned(), Some("k1".to_owned())));
    // It is of a key that is not believed any more, and so is what is in clear.
    for gateway in [new, Gateway::start(&redis, &[], &["shop"], &[]).await] {
        let found = gateway.find(&before).await;
        assert!(matches!(found, Found::Gone(Gone::Unknown)), "{found:?}");
    }
    let openid = WechatId::parse("alice").unwrap();
    let alice = Revoked::User { app: 0, openid };
    assert_eq!(both.store.revoke(alice).await, Ok(3));
}

#[tokio::test]
async fn gateways_with_other_configs_read_what_is_theirs() {
    let redis = Redis::single();
    let one = Gateway::start(&redis, &[], &["shop", "game"], &["level", "role"]).await;
    let identity = one.identity(&[Some("gold"), Some("admin")]);
    let opened = one
        .store
        .open(identity, SessionKey::new("k"))
        .await
        .unwrap();
    let other = Gateway::start(&redis, &[], &["game", "shop"], &["role", "team"]).await;
    let session = other.find(&opened).await.session().unwrap();
    let facts = session.facts();
    assert_eq!((facts.app.name.as_str(), facts.app.index), ("shop", 1));
    let claims: Vec<_> = facts
        .account
        .unwrap()
        .claims
        .iter()
        .map(|claim| claim.as_ref().map(HeaderText::as_str))
        .collect();
    assert_eq!(claims, [Some("admin"), None]);
    let third = Gateway::start(&redis, &[], &["game"], &[]).await;
    assert!(third.find(&opened).await.session().is_none());
}

#[tokio::test]
async fn a_login_that_is_revoked_while_it_is_under_way_comes_to_nothing() {
    let redis = Redis::single();
    let gateway = Gateway::start(&redis, &[], &["shop"], &[]).await;
    let opened = gateway.open("k").await;
    let id = SessionId::from_bytes([7; 16]);
    let until = gateway.clock.now().after(Duration::from_hours(1));
    // The revocation has found the id in the list, where the login has put it.
    gateway.store.mark(id, Gone::Unknown, until).await.unwrap();
    let put = gateway.store.put(id, &opened.session).await;
    assert_eq!(put, Err(Fault::Revoked));
    // One that has made way meanwhile says so to who comes with it.
    let id = SessionId::from_bytes([8; 16]);
    gateway.store.mark(id, Gone::Replaced, until).await.unwrap();
    assert_eq!(gateway.store.put(id, &opened.session).await, Ok(()));
    let found = gateway.store.fetch(id, gateway.clock.now()).await.unwrap();
    assert!(matches!(found, Found::Gone(Gone::Replaced)));
}

#[tokio::test]
async fn a_session_that_is_damaged_is_trouble_and_stays_as_it_is() {
    let redis = Redis::single();
    let gateway = Gateway::start(&redis, &[], &["shop"], &[]).await;
    let opened = gateway.open("k").await;
    let name = keys::session(opened.skey.digest().session_id());
    for damage in ["", "garbage", "\u{1}\u{1}"] {
        redis.cli(&["SET", &name, damage]);
        gateway.store.forget();
        let found = gateway
            .store
            .find(&opened.skey.digest(), gateway.clock.now())
            .await;
        assert!(
            found.unwrap_err().to_string().contains("makes no sense"),
            "{damage}"
        );
        assert_eq!(redis.cli(&["EXISTS", &name]), "1");
    }
    redis.cli(&["DEL", &name]);
    redis.cli(&["LPUSH", &name, "x"]);
    gateway.store.forget();
    let found = gateway
        .store
        .find(&opened.skey.digest(), gateway.clock.now())
        .await;
    assert!(found.unwrap_err().to_string().contains("WRONGTYPE"));
}

#[tokio::test]
async fn a_use_keeps_a_session_and_brings_none_back() {
    let redis = Redis::single();
    let gateway = Gateway::start(&redis, &[], &["shop"], &[]).await;
    let opened = gateway.open("k").await;
    let session = gateway.find(&opened).await.session().unwrap();
    let id = opened.skey.digest().session_id();
    gateway.clock.turn(Duration::from_hours(3));
    session.touch(gateway.clock.now());
    gateway.store.settle().await;
    let left: i64 = redis.cli(&["PTTL", &keys::session(id)]).parse().unwrap();
    assert!(left > 4 * 3_600_000, "{left}");
    assert_eq!(
        redis.cli(&["GET", &keys::used(id)]),
        session.last_used().as_millis().to_string()
    );
    session.touch(gateway.clock.now().after(Duration::from_mins(1)));
    redis.cli(&["DEL", &keys::session(id), &keys::used(id)]);
    gateway.store.settle().await;
    assert_eq!(
        redis.cli(&["EXISTS", &keys::session(id), &keys::used(id)]),
        "0"
    );
}

#[tokio::test]
async fn what_comes_beyond_the_bound_is_refused_and_not_kept_waiting() {
    let redis = Redis::single();
    let gateway = Gateway::start(&redis, &[], &["shop"], &[]).await;
    let all = Arc::clone(&gateway.store.0.waiting);
    let all = all
        .acquire_many(u32::try_from(MOST_WAITING).unwrap())
        .await
        .unwrap();
    let opened = gateway
        .store
        .open(gateway.identity(&[]), SessionKey::new("k"))
        .await;
    let Err(OpenError::Trouble(trouble)) = opened else {
        panic!("there was a place")
    };
    assert!(trouble.to_string().contains("too many"), "{trouble}");
    drop(all);
    gateway.open("k").await;
}
