//! What every store promises of sessions that make way, and of skeys that are rotated.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::shelf::{KINDS, Kind, Shelf, every_store, every_store_where, identity, of_user};
use crate::domain::identity::WechatId;
use crate::domain::session::SessionKey;
use crate::domain::token::SkeyDigest;
use crate::store::{Found, Gone, Listing, Opened, Revoked, Rotated, Standing, Whose};

const GRACE: Duration = Duration::from_secs(10);

fn every_store_with(most: usize) -> [Shelf; KINDS.len()] {
    every_store_where(|plan| plan.max_per_user = NonZeroUsize::new(most))
}

/// Redis rotates no skeys yet.
fn every_store_that_rotates() -> [Shelf; 2] {
    [Kind::Memory, Kind::MemoryReadBack]
        .map(|kind| Shelf::new(kind, |plan| plan.rotation = Some(GRACE)))
}

impl Shelf {
    async fn is_replaced(&self, opened: &Opened) -> bool {
        matches!(self.find(opened).await, Found::Gone(Gone::Replaced))
    }

    async fn rotate(&self, opened: &Opened) -> Rotated {
        let (digest, now) = (opened.skey.digest(), self.clock.now());
        self.store().rotate(&digest, now).await.unwrap()
    }

    async fn anew(&self, opened: &Opened) -> Opened {
        match self.rotate(opened).await {
            Rotated::Anew(opened) => opened,
            Rotated::Gone(gone) => panic!("{:?}: {gone:?}", self.kind),
        }
    }
}

#[tokio::test]
async fn where_any_number_of_sessions_may_stand_no_login_ends_another() {
    for shelf in every_store(100) {
        let mut all = Vec::new();
        for _ in 0..50 {
            all.push(shelf.open(0, "alice", "k").await);
        }
        for opened in &all {
            assert!(shelf.has(opened).await, "{:?}", shelf.kind);
        }
    }
}

#[tokio::test]
async fn where_one_session_may_stand_a_login_ends_the_one_before_and_says_so() {
    for shelf in every_store_with(1) {
        let phone = shelf.open(0, "alice", "k1").await;
        let bob = shelf.open(0, "bob", "k").await;
        let player = shelf.open(1, "alice", "k").await;
        let tablet = shelf.open(0, "alice", "k2").await;
        assert!(shelf.is_replaced(&phone).await, "{:?}", shelf.kind);
        let replaced = Standing::Gone(Gone::Replaced);
        assert_eq!(shelf.standing(&phone).await, replaced, "{:?}", shelf.kind);
        for stays in [&tablet, &bob, &player] {
            assert!(shelf.has(stays).await, "{:?}", shelf.kind);
        }
        assert!(shelf.counts("shop", 2), "{}", shelf.page());
        let keys = ("k2".to_owned(), Some("k1".to_owned()));
        assert_eq!(shelf.keys(&tablet).await, keys, "{:?}", shelf.kind);
        let laptop = shelf.open(0, "alice", "k").await;
        for gone in [&phone, &tablet] {
            assert!(shelf.is_replaced(gone).await, "{:?}", shelf.kind);
        }
        assert!(shelf.has(&laptop).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn the_oldest_sessions_make_way_however_much_they_are_used() {
    for shelf in every_store_with(3) {
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(shelf.open(0, "alice", "k").await);
            shelf.clock.turn(Duration::from_mins(10));
        }
        shelf.touch(&all[0]).await;
        let fourth = shelf.open(0, "alice", "k").await;
        assert!(shelf.is_replaced(&all[0]).await, "{:?}", shelf.kind);
        assert!(shelf.has(&all[1]).await && shelf.has(&all[2]).await);
        // One that has ended makes room itself.
        let store = shelf.store();
        store.close(&fourth.skey.digest()).await.unwrap();
        shelf.open(0, "alice", "k").await;
        assert!(shelf.has(&all[1]).await && shelf.has(&all[2]).await);
        assert!(!shelf.is_replaced(&fourth).await, "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_hours(4));
        let stays = shelf.open(0, "alice", "k").await;
        assert!(shelf.has(&stays).await, "{:?}", shelf.kind);
        // Those had ended before, by disuse.
        assert!(!shelf.is_replaced(&all[1]).await, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn it_is_told_that_a_session_made_way_for_as_long_as_it_would_have_lived_or_a_day() {
    let day = Duration::from_hours(24);
    for (lifetime, told) in [
        (Duration::from_hours(10), Duration::from_hours(10)),
        (Duration::from_hours(100), day),
    ] {
        let every = every_store_where(|plan| {
            plan.max_per_user = NonZeroUsize::new(1);
            plan.limits.lifetime = lifetime;
        });
        for shelf in every {
            let phone = shelf.open(0, "alice", "k").await;
            shelf.open(0, "alice", "k").await;
            shelf
                .clock
                .turn(told.checked_sub(Duration::from_secs(9)).unwrap());
            assert!(shelf.is_replaced(&phone).await, "{:?}", shelf.kind);
            shelf.clock.turn(Duration::from_secs(9));
            let found = shelf.find(&phone).await;
            assert!(matches!(found, Found::Gone(Gone::Unknown)), "{found:?}");
        }
    }
}

#[tokio::test]
async fn what_is_revoked_where_only_so_many_may_stand_is_not_said_to_have_made_way() {
    for shelf in every_store_with(2) {
        let gone = shelf.open(0, "alice", "k").await;
        let phone = shelf.open(0, "alice", "k").await;
        let tablet = shelf.open(0, "alice", "k").await;
        let bob = shelf.open(0, "bob", "k").await;
        let openid = WechatId::parse("alice").unwrap();
        let alice = Revoked::User { app: 0, openid };
        let store = shelf.store();
        assert_eq!(store.revoke(alice.clone()).await, Ok(2), "{:?}", shelf.kind);
        assert_eq!(store.revoke(alice).await, Ok(0), "{:?}", shelf.kind);
        for revoked in [&phone, &tablet] {
            let found = shelf.find(revoked).await;
            assert!(matches!(found, Found::Gone(Gone::Unknown)), "{found:?}");
        }
        assert!(shelf.has(&bob).await && shelf.is_replaced(&gone).await);
        let again = shelf.open(0, "alice", "k").await;
        assert_eq!(shelf.store().revoke(Revoked::App(0)).await, Ok(2));
        assert!(!shelf.has(&bob).await && !shelf.has(&again).await);
        assert!(shelf.counts("shop", 0), "{}", shelf.page());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_logins_at_the_same_time_as_many_stand_as_may_and_each_other_made_way() {
    for shelf in every_store_with(2) {
        shelf.ready().await;
        let store = shelf.store();
        let logins: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let key = SessionKey::new("k");
                    store.open(identity(0, "alice"), key).await.unwrap()
                })
            })
            .collect();
        let mut all = Vec::new();
        for login in logins {
            all.push(login.await.unwrap());
        }
        let mut standing = 0;
        for opened in all {
            let found = store.find(&opened.skey.digest(), shelf.clock.now()).await;
            match found.unwrap() {
                Found::Session(_) => standing += 1,
                Found::Gone(gone) => assert_eq!(gone, Gone::Replaced, "{:?}", shelf.kind),
            }
        }
        assert_eq!(standing, 2, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_rotated_session_is_the_same_under_another_skey_and_is_counted_once() {
    for shelf in every_store_that_rotates() {
        let old = shelf.open(0, "alice", "k").await;
        shelf.clock.turn(Duration::from_hours(3));
        let new = shelf.anew(&old).await;
        assert_ne!(old.skey, new.skey, "{:?}", shelf.kind);
        assert_eq!(new.session.expires_at(), old.session.expires_at());
        assert_eq!(new.session.facts(), old.session.facts());
        assert_eq!(shelf.keys(&new).await, ("k".to_owned(), None));
        assert!(shelf.counts("shop", 1), "{}", shelf.page());
        shelf.clock.turn(GRACE);
        assert!(shelf.has(&new).await && !shelf.has(&old).await);
        assert!(shelf.counts("shop", 1), "{}", shelf.page());
        let unknown = shelf.rotate(&old).await;
        assert!(matches!(unknown, Rotated::Gone(Gone::Unknown)));
    }
}

#[tokio::test]
async fn a_rotated_skey_holds_for_its_grace_and_leads_to_the_one_session() {
    // A state file does not carry it over: a restart takes longer.
    let [shelf, _] = every_store_that_rotates();
    let old = shelf.open(0, "alice", "k").await;
    let new = shelf.anew(&old).await;
    shelf
        .clock
        .turn(GRACE.checked_sub(Duration::from_secs(1)).unwrap());
    assert!(shelf.has(&old).await);
    assert_eq!(
        shelf.standing(&old).await,
        Standing::Moved(new.skey.digest())
    );
    // An answer that was lost costs nothing: the old skey is rotated once more, and what came of it before is old too.
    let newest = shelf.anew(&old).await;
    shelf.clock.turn(Duration::from_secs(1));
    assert!(!shelf.has(&old).await);
    assert!(shelf.has(&new).await && shelf.has(&newest).await);
    assert!(shelf.counts("shop", 1), "{}", shelf.page());
    shelf.clock.turn(GRACE);
    assert!(!shelf.has(&new).await && shelf.has(&newest).await);
    let last = shelf.anew(&newest).await;
    // To log out with either ends it.
    let store = shelf.store();
    store.close(&newest.skey.digest()).await.unwrap();
    assert!(!shelf.has(&last).await && !shelf.has(&newest).await);
    assert!(shelf.counts("shop", 0), "{}", shelf.page());
    assert!(matches!(shelf.rotate(&last).await, Rotated::Gone(_)));
}

#[tokio::test]
async fn a_rotated_session_is_revoked_and_makes_way_like_any_other() {
    for shelf in every_store_where(|plan| {
        plan.rotation = Some(GRACE);
        plan.max_per_user = NonZeroUsize::new(2);
    }) {
        if shelf.is_in_redis() {
            continue;
        }
        let first = shelf.open(0, "alice", "k").await;
        shelf.clock.turn(Duration::from_secs(1));
        let second = shelf.open(0, "alice", "k").await;
        let first = shelf.anew(&first).await;
        assert!(shelf.has(&second).await, "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_secs(1));
        let third = shelf.open(0, "alice", "k").await;
        assert!(shelf.is_replaced(&first).await, "{:?}", shelf.kind);
        assert!(shelf.has(&second).await && shelf.has(&third).await);
        assert!(matches!(
            shelf.rotate(&first).await,
            Rotated::Gone(Gone::Replaced)
        ));
        let third = shelf.anew(&third).await;
        let listing = Listing {
            whose: of_user(0, "alice"),
            limit: 10,
            cursor: None,
        };
        let listed = shelf.store().list(listing).await.unwrap().rows;
        let mut ids = [&second, &third].map(|opened| opened.skey.digest().session_id());
        ids.sort();
        let listed: Vec<_> = listed.iter().map(|row| row.id).collect();
        assert_eq!(listed, ids, "{:?}", shelf.kind);
        let openid = WechatId::parse("alice").unwrap();
        let alice = Revoked::User { app: 0, openid };
        assert_eq!(shelf.store().revoke(alice).await, Ok(2), "{:?}", shelf.kind);
        assert!(!shelf.has(&second).await && !shelf.has(&third).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_that_is_rotated_meanwhile_is_missed_by_a_request_or_a_revocation() {
    for shelf in every_store_that_rotates() {
        let opened = shelf.open(0, "alice", "k").await;
        let (store, clock) = (shelf.store(), shelf.clock.clone());
        for count in 0..500 {
            let user = identity(0, &format!("user-{count}"));
            let key = SessionKey::new("k");
            store.open(user, key).await.unwrap();
        }
        let mut digest = opened.skey.digest();
        let rotating = tokio::spawn(async move {
            loop {
                match store.rotate(&digest, clock.now()).await.unwrap() {
                    Rotated::Anew(opened) => digest = opened.skey.digest(),
                    Rotated::Gone(_) => return digest,
                }
                tokio::task::yield_now().await;
            }
        });
        let store = shelf.store.borrow().0.clone();
        for _ in 0..20 {
            let listing = Listing {
                whose: Whose::App(0),
                limit: 1000,
                cursor: None,
            };
            store.list(listing).await.unwrap();
        }
        store.revoke(Revoked::App(0)).await.unwrap();
        let last: SkeyDigest = rotating.await.unwrap();
        let found = store.find(&last, shelf.clock.now()).await.unwrap();
        assert!(found.session().is_none(), "{:?}", shelf.kind);
    }
}
