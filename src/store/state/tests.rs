//! Whole files in memory, and what becomes of them.

mod disk;
mod refused;

use std::time::Duration;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::header_text::HeaderText;
use crate::domain::identity::{Account, Identity, WechatId};
use crate::domain::session::{Session, SessionKey, SessionLimits};
use crate::domain::token::Skey;
use crate::metrics::Labels;
use crate::store::Opened;

const LIMITS: SessionLimits = SessionLimits {
    lifetime: Duration::from_hours(10),
    idle: Duration::from_hours(4),
};

/// A store with the config that it is under.
struct House {
    store: MemoryStore,
    clock: Clock,
    cast: Cast,
    metrics: Arc<Metrics>,
}

impl House {
    /// With these apps and claims; what time it is, is what `clock` says.
    fn of(apps: &[&str], claims: &[&str], clock: &Clock, plan: &SessionsPlan) -> Self {
        let labels = Labels {
            apps: apps.iter().map(|app| (*app).to_owned()).collect(),
            ..Labels::default()
        };
        let metrics = Arc::new(Metrics::new(labels, 1));
        let app = |(index, name): (usize, &&str)| {
            let appid = WechatId::parse(&format!("wx-{name}")).unwrap();
            Arc::new(App {
                name: (*name).to_owned(),
                appid,
                index,
            })
        };
        Self {
            store: MemoryStore::new(plan, clock.clone(), Arc::clone(&metrics)),
            clock: clock.clone(),
            cast: Cast {
                apps: apps.iter().enumerate().map(app).collect(),
                claims: claims.iter().map(|claim| (*claim).to_owned()).collect(),
            },
            metrics,
        }
    }

    fn new() -> Self {
        Self::of(
            &["shop", "game"],
            &["role", "level"],
            &Clock::start(),
            &plan(LIMITS, 100),
        )
    }

    fn open(&self, app: usize, user: &str, key: &str) -> Opened {
        self.open_known(app, user, key, Account::default())
    }

    fn open_known(&self, app: usize, user: &str, key: &str, account: Account) -> Opened {
        let identity = Identity {
            app: Arc::clone(&self.cast.apps[app]),
            openid: WechatId::parse(user).unwrap(),
            unionid: WechatId::parse(&format!("u-{user}")),
            account,
        };
        self.store.open(identity, SessionKey::new(key)).unwrap()
    }

    fn find(&self, skey: &Skey) -> Option<Arc<Session>> {
        self.store.find(&skey.digest(), self.clock.now()).session()
    }

    fn preface(&self) -> Preface {
        let appids = self
            .cast
            .apps
            .iter()
            .map(|app| app.appid.as_str().to_owned());
        Preface {
            appids: appids.collect(),
            claims: self.cast.claims.clone(),
        }
    }

    fn save(&self, keys: &[EncryptionKey]) -> Vec<u8> {
        let (sealing, now) = (Sealing::new(keys), self.clock.now());
        let saved = save::save(
            &self.store,
            &self.preface(),
            sealing.as_ref(),
            now,
            Vec::new(),
        );
        saved.unwrap().0
    }

    fn load(&self, keys: &[EncryptionKey], file: &[u8]) -> Result<Loaded, String> {
        let here = Here {
            apps: &self.cast.apps,
            claims: &self.cast.claims,
            now: self.clock.now(),
        };
        let sealing = Sealing::new(keys);
        let loaded = load::load(&self.store, &here, sealing.as_ref(), file);
        loaded.map_err(|error| error.to_string())
    }

    fn is_empty(&self) -> bool {
        self.store.tidy();
        let mut users = 0;
        self.store.users().each(self.clock.now(), |_, _| {
            users += 1;
            std::ops::ControlFlow::Continue(())
        });
        users == 0 && self.counts("shop", 0)
    }

    fn counts(&self, app: &str, sessions: usize) -> bool {
        self.store.tidy();
        let line = format!("\nwxgate_sessions{{app=\"{app}\"}} {sessions}\n");
        self.metrics.encode().contains(&line)
    }
}

fn plan(limits: SessionLimits, capacity: u64) -> SessionsPlan {
    SessionsPlan {
        store: crate::config::plan::StorePlan::Memory,
        limits,
        capacity,
        token: Vec::new(),
        beside: Vec::new(),
        login_replay: Duration::ZERO,
        state: None,
        encryption_keys: Vec::new(),
        max_per_user: None,
        rotation: None,
    }
}

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
}

fn text(text: &str) -> Option<HeaderText> {
    HeaderText::parse(text).ok()
}

fn same_times(one: &Session, other: &Session) {
    assert_eq!(one.expires_at(), other.expires_at());
    assert_eq!(one.last_used(), other.last_used());
}

#[test]
fn everything_of_a_session_comes_back() {
    for keys in [&[][..], &[key(1)]] {
        let before = House::new();
        let account = Account {
            user_id: text("7"),
            claims: [text("admin"), None].into(),
        };
        let known = before.open_known(0, "alice", "k1", account.clone());
        before.clock.turn(Duration::from_hours(1));
        let plain = before.open(1, "bob", "k2");
        plain.session.touch(before.clock.now());
        let file = before.save(keys);

        let after = House::of(
            &["shop", "game"],
            &["role", "level"],
            &before.clock,
            &plan(LIMITS, 100),
        );
        let loaded = after.load(keys, &file).unwrap();
        assert_eq!((loaded.sessions, loaded.users), (2, 2));
        assert!(after.counts("shop", 1) && after.counts("game", 1));
        for opened in [&known, &plain] {
            let found = after.find(&opened.skey).unwrap();
            assert_eq!(found.facts(), opened.session.facts());
            same_times(&found, &opened.session);
            assert_eq!(found.user().keys.keys(), opened.session.user().keys.keys());
        }
        assert_eq!(
            after.find(&known.skey).unwrap().facts().account,
            Some(&account)
        );
    }
}

#[test]
fn the_sessions_of_one_user_share_them_again_and_the_next_login_renews_all() {
    let before = House::new();
    let phone = before.open(0, "alice", "k1");
    let tablet = before.open(0, "alice", "k2");
    let file = before.save(&[]);
    let after = House::new();
    after.load(&[], &file).unwrap();
    let users = [&phone, &tablet].map(|opened| after.find(&opened.skey).unwrap());
    assert!(std::ptr::eq(users[0].user(), users[1].user()));
    let watch = after.open(0, "alice", "k3");
    assert!(std::ptr::eq(users[0].user(), watch.session.user()));
    let keys = users[0].user().keys.keys();
    assert_eq!(
        (keys.current.reveal(), keys.previous.unwrap().reveal()),
        ("k3", "k2")
    );
}

#[test]
fn a_user_without_a_session_comes_back_and_one_who_was_forgotten_comes_back_with_theirs() {
    let before = House::of(&["shop"], &[], &Clock::start(), &plan(LIMITS, 7));
    let gone = before.open(0, "gone", "k1");
    before.store.close(&gone.skey.digest());
    let file = before.save(&[]);
    let after = House::new();
    after.load(&[], &file).unwrap();
    let openid = |text: &str| WechatId::parse(text).unwrap();
    let keys = |house: &House, user| house.store.keys(0, &openid(user));
    assert_eq!(keys(&after, "gone").unwrap().current.reveal(), "k1");

    // A user whom newer logins crowd out, while the session lasts.
    let old = before.open(0, "old", "k2");
    for count in 0..20 {
        let crowd = before.open(0, &format!("user-{count}"), "k");
        before.store.close(&crowd.skey.digest());
    }
    assert_eq!(keys(&before, "old"), None);
    let file = before.save(&[]);
    let after = House::new();
    after.load(&[], &file).unwrap();
    let found = after.find(&old.skey).unwrap();
    assert_eq!(found.user().keys.keys().current.reveal(), "k2");
    assert_eq!(keys(&after, "old").unwrap().current.reveal(), "k2");
}

#[test]
fn what_was_used_least_recently_is_again_the_first_to_go() {
    let before = House::new();
    let opened = ["a", "b", "c", "d"].map(|user| before.open(0, user, "k"));
    for place in [2, 0, 3, 1] {
        before.clock.turn(Duration::from_secs(2));
        opened[place].session.touch(before.clock.now());
    }
    let file = before.save(&[]);
    let apps = ["shop", "game"];
    let small = House::of(&apps, &[], &before.clock, &plan(LIMITS, 2));
    small.load(&[], &file).unwrap();
    assert!(small.counts("shop", 2));
    let kept = opened
        .each_ref()
        .map(|opened| small.find(&opened.skey).is_some());
    assert_eq!(kept, [false, true, false, true]);
}

#[test]
fn what_has_ended_meanwhile_is_dropped_by_the_times_of_today() {
    let before = House::new();
    let old = before.open(0, "old", "k");
    before.clock.turn(Duration::from_hours(2));
    let new = before.open(0, "new", "k");
    let file = before.save(&[]);
    let there = |house: &House| [&old, &new].map(|opened| house.find(&opened.skey).is_some());
    let ended_with = |lifetime, idle, expected: [bool; 2]| {
        let limits = SessionLimits { lifetime, idle };
        let after = House::of(&["shop"], &[], &before.clock, &plan(limits, 100));
        let loaded = after.load(&[], &file).unwrap();
        assert_eq!(there(&after), expected, "{limits:?}");
        let sessions = expected.iter().filter(|is_there| **is_there).count();
        assert_eq!(
            (loaded.sessions, loaded.ended),
            (sessions as u64, 2 - sessions as u64)
        );
        after
    };
    let hours = Duration::from_hours;
    before.clock.turn(hours(1));
    ended_with(hours(10), hours(4), [true, true]);
    ended_with(hours(10), hours(2), [false, true]);
    // A shorter lifetime ends them that much after the start at the latest; a longer one makes none last longer.
    let short = ended_with(hours(1), hours(1), [false, false]);
    assert!(short.counts("shop", 0));
    let short = ended_with(hours(4), hours(4), [true, true]);
    assert_eq!(
        short.find(&new.skey).unwrap().expires_in(short.clock.now()),
        4 * 3600
    );
    let long = ended_with(hours(100), hours(50), [true, true]);
    same_times(&long.find(&new.skey).unwrap(), &new.session);
    before.clock.turn(hours(8));
    ended_with(hours(100), hours(50), [false, true]);
}

#[test]
fn a_file_is_sound_again_whatever_the_order_of_apps_and_claims_is_now() {
    let before = House::new();
    let account = Account {
        user_id: None,
        claims: [text("admin"), text("9")].into(),
    };
    let shopper = before.open_known(0, "alice", "k", account);
    let player = before.open(1, "alice", "k");
    let file = before.save(&[]);
    let claims = ["level", "name"];
    let after = House::of(&["new", "shop"], &claims, &before.clock, &plan(LIMITS, 100));
    let loaded = after.load(&[], &file).unwrap();
    assert_eq!(
        (loaded.sessions, loaded.users, loaded.of_other_apps),
        (1, 1, 1)
    );
    let found = after.find(&shopper.skey).unwrap();
    assert_eq!(found.facts().app.index, 1);
    assert_eq!(*found.facts().account.unwrap().claims, [text("9"), None]);
    assert!(after.find(&player.skey).is_none());
    let none = House::of(&["shop"], &[], &before.clock, &plan(LIMITS, 100));
    none.load(&[], &file).unwrap();
    assert_eq!(none.find(&shopper.skey).unwrap().facts().account, None);
}

#[test]
fn a_clock_that_was_set_back_makes_no_session_longer_than_a_login_does() {
    let ahead = House::new();
    ahead.clock.turn(Duration::from_hours(1000));
    let opened = ahead.open(0, "alice", "k");
    let file = ahead.save(&[]);
    let after = House::new();
    after.load(&[], &file).unwrap();
    let found = after.find(&opened.skey).unwrap();
    let now = after.clock.now();
    assert!(found.last_used() <= now);
    assert!(found.expires_at() <= now.after(LIMITS.lifetime));
}

/// A moment is kept, not the time that has passed since.
#[test]
fn when_a_file_was_begun_is_told() {
    let house = House::new();
    let file = house.save(&[]);
    let begun = house.clock.now();
    house.clock.turn(Duration::from_hours(1));
    let loaded = house.load(&[], &file).unwrap();
    let saved_at = loaded.saved_at.unwrap_or(Timestamp::from_millis(0));
    assert!(saved_at <= begun && saved_at.until(begun) < Duration::from_mins(1));
}
