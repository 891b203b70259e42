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
pub(super) mod servers;
mod shelf;

use std::time::Duration;

use super::{Opened, Standing};
use crate::domain::identity::WechatId;
use crate::domain::token::Skey;

use shelf::{every_store, identity};

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
