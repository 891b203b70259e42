//! What every store promises to operators.

use std::time::Duration;

use super::shelf::{Shelf, every_store, of_user};
use crate::domain::identity::WechatId;
use crate::domain::session_id::SessionId;
use crate::store::{ListError, Listing, Opened, Revoked, Row, Whose};

/// The ids of all pages of three rows.
async fn listed(shelf: &Shelf, whose: Whose) -> Vec<SessionId> {
    let mut listing = Listing {
        whose,
        limit: 3,
        cursor: None,
    };
    let mut listed = Vec::new();
    loop {
        let page = shelf.store().list(listing.clone()).await.unwrap();
        assert!(page.rows.len() <= 3, "{:?}", shelf.kind);
        listed.extend(page.rows.iter().map(|row| row.id));
        if page.next.is_none() {
            return listed;
        }
        listing.cursor = page.next;
    }
}

#[tokio::test]
async fn what_is_revoked_ends_and_nothing_else_does() {
    for shelf in every_store(100) {
        let ids = |opened: &Opened| opened.skey.digest().session_id();
        let user = |app, user| Revoked::User {
            app,
            openid: WechatId::parse(user).unwrap(),
        };
        let phone = shelf.open(0, "alice", "k").await;
        let tablet = shelf.open(0, "alice", "k").await;
        let bob = shelf.open(0, "bob", "k").await;
        let player = shelf.open(1, "alice", "k").await;
        let revoke = async |revoked| shelf.store().revoke(revoked).await.unwrap();
        for (revoked, count) in [(Revoked::Session(ids(&phone)), 1), (user(1, "bob"), 0)] {
            assert_eq!(revoke(revoked).await, count, "{:?}", shelf.kind);
        }
        assert!(!shelf.has(&phone).await && shelf.has(&tablet).await);
        assert_eq!(revoke(Revoked::Session(ids(&phone))).await, 0);
        let phone = shelf.open(0, "alice", "k").await;
        assert_eq!(revoke(user(0, "alice")).await, 2, "{:?}", shelf.kind);
        assert!(!shelf.has(&phone).await && !shelf.has(&tablet).await);
        assert!(shelf.has(&bob).await && shelf.has(&player).await);
        assert!(shelf.counts("shop", 1), "{}", shelf.page());
        let again = shelf.open(0, "alice", "k").await;
        assert_eq!(revoke(Revoked::App(0)).await, 2, "{:?}", shelf.kind);
        assert!(!shelf.has(&bob).await && !shelf.has(&again).await);
        assert!(shelf.has(&player).await, "{:?}", shelf.kind);
        assert_eq!(revoke(Revoked::App(0)).await, 0, "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn all_sessions_are_listed_once_page_by_page() {
    for shelf in every_store(100) {
        let mut ids = Vec::new();
        for count in 0..7 {
            let opened = shelf.open(0, &format!("user-{count}"), "k").await;
            ids.push(opened.skey.digest().session_id());
        }
        let player = shelf.open(1, "alice", "k").await;
        let of_game = player.skey.digest().session_id();
        for (whose, mut expected) in [
            (Whose::Anyone, [ids.as_slice(), &[of_game]].concat()),
            (Whose::App(0), ids.clone()),
            (Whose::App(2), Vec::new()),
            (of_user(0, "user-3"), vec![ids[3]]),
            (of_user(1, "user-3"), Vec::new()),
        ] {
            let mut listed = listed(&shelf, whose).await;
            listed.sort();
            expected.sort();
            assert_eq!(listed, expected, "{:?}", shelf.kind);
        }
        let listing = Listing {
            whose: Whose::Anyone,
            limit: 3,
            cursor: Some("no cursor".to_owned()),
        };
        let listed = shelf.store().list(listing).await;
        assert_eq!(listed, Err(ListError::Cursor), "{:?}", shelf.kind);
    }
}

#[tokio::test]
async fn a_session_is_shown_under_its_id_for_as_long_as_it_stands() {
    for shelf in every_store(100) {
        let alice = shelf.open(0, "alice", "k").await;
        let bob = shelf.open(1, "bob", "k").await;
        let opened_at = alice.session.last_used();
        shelf.clock.turn(Duration::from_hours(3));
        shelf.touch(&bob).await;
        let show = async |opened: &Opened| {
            let id = opened.skey.digest().session_id();
            shelf.store().show(id).await.unwrap()
        };
        let row = Row {
            id: alice.skey.digest().session_id(),
            app: 0,
            openid: WechatId::parse("alice").unwrap(),
            unionid: WechatId::parse("u-alice"),
            last_used: opened_at,
            expires_at: opened_at.after(Duration::from_hours(10)),
        };
        assert_eq!(show(&alice).await, Some(row), "{:?}", shelf.kind);
        shelf.clock.turn(Duration::from_hours(1));
        assert_eq!(show(&alice).await, None, "{:?}", shelf.kind);
        assert_eq!(show(&bob).await.unwrap().app, 1, "{:?}", shelf.kind);
        shelf.store().close(&bob.skey.digest()).await.unwrap();
        assert_eq!(show(&bob).await, None, "{:?}", shelf.kind);
    }
}
