//! Users who are visited, carried elsewhere, and known there.

use std::collections::BTreeMap;

use super::*;
use crate::domain::session::SessionKey;

const LIFETIME: Duration = Duration::from_hours(7);

fn app() -> Arc<App> {
    Arc::new(App {
        name: "shop".to_owned(),
        appid: WechatId::parse("wx1").unwrap(),
        index: 0,
    })
}

fn id(text: &str) -> WechatId {
    WechatId::parse(text).unwrap()
}

fn hours(count: u64) -> Timestamp {
    // Not at the beginning of a generation.
    Timestamp::from_millis(1_234_567).after(Duration::from_hours(count))
}

fn log_in(users: &Users, user: &str, key: &str, now: Timestamp) -> Arc<User> {
    users.log_in(app(), id(user), SessionKey::new(key), now)
}

/// All users, each with their key and the last moment at which they can have logged in.
fn all(users: &Users, now: Timestamp) -> BTreeMap<String, (String, Timestamp)> {
    let mut all = BTreeMap::new();
    users.each(now, |user, until| {
        let key = user.keys.keys().current.reveal().to_owned();
        all.insert(user.openid.as_str().to_owned(), (key, until));
        ControlFlow::Continue(())
    });
    all
}

/// The same users in another place, as a file carries them there.
fn moved(users: &Users, now: Timestamp, lifetime: Duration, later: Timestamp) -> Users {
    let there = Users::new(1000, lifetime, later);
    users.each(now, |user, until| {
        let keys = user.keys.keys();
        there.restore(app(), user.openid.clone(), keys, until);
        ControlFlow::Continue(())
    });
    there
}

fn knows(users: &Users, user: &str) -> bool {
    users.keys(0, &id(user)).is_some()
}

#[test]
fn all_who_are_known_are_visited_with_a_moment_after_their_login() {
    let users = Users::new(200_000, LIFETIME, hours(0));
    let mut logins = BTreeMap::new();
    for hour in 0..7 {
        users.tidy(hours(hour));
        for count in 0..500 {
            let name = format!("user-{}", hour * 300 + count);
            log_in(&users, &name, &format!("k{hour}"), hours(hour));
            logins.insert(name, hour);
        }
    }
    let all = all(&users, hours(6));
    assert_eq!(all.len(), logins.len());
    for (name, hour) in logins {
        let (key, until) = &all[&name];
        assert_eq!(*key, format!("k{hour}"), "{name}");
        assert!(*until >= hours(hour), "{name}");
        assert!(*until < hours(hour + 1), "{name}");
    }
}

#[test]
fn who_logs_in_while_all_are_visited_is_not_passed_by() {
    let users = Users::new(100_000, LIFETIME, hours(0));
    let before: Vec<_> = (0..1000).map(|count| format!("user-{count}")).collect();
    for name in &before[..900] {
        log_in(&users, name, "k", hours(0));
    }
    users.tidy(hours(1));
    for name in &before[900..] {
        log_in(&users, name, "k", hours(1));
    }
    let (mut visited, mut visits) = (BTreeMap::<String, usize>::new(), 0);
    users.each(hours(1), |user, _| {
        // Some move on, a generation ends, and the youngest one grows.
        log_in(&users, &before[visits * 7 % 1000], "k2", hours(1));
        log_in(&users, &format!("new-{visits}"), "k", hours(1));
        if visits == 500 {
            users.tidy(hours(2));
        }
        visits += 1;
        *visited.entry(user.openid.as_str().to_owned()).or_default() += 1;
        if visits > 100_000 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    assert!(visits < 100_000);
    let missed: Vec<_> = before
        .iter()
        .filter(|name| !visited.contains_key(*name))
        .collect();
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn a_visit_that_breaks_off_is_the_last() {
    let users = Users::new(1000, LIFETIME, hours(0));
    for count in 0..100 {
        log_in(&users, &format!("user-{count}"), "k", hours(0));
    }
    let mut visits = 0;
    users.each(hours(0), |_, _| {
        visits += 1;
        ControlFlow::Break(())
    });
    assert_eq!(visits, 1);
}

#[test]
fn whoever_is_moved_is_known_for_a_lifetime_from_the_login_on_however_often_that_is() {
    let mut users = Users::new(1000, LIFETIME, hours(0));
    log_in(&users, "alice", "k", hours(0));
    for hour in 1..=7 {
        users = moved(&users, hours(hour), LIFETIME, hours(hour));
        assert!(knows(&users, "alice"), "after {hour} hours");
        log_in(&users, "bob", "k", hours(hour));
    }
    for hour in 8..=9 {
        users = moved(&users, hours(hour), LIFETIME, hours(hour));
    }
    assert!(!knows(&users, "alice"));
    assert!(knows(&users, "bob"));
}

#[test]
fn the_lifetime_that_counts_is_that_of_the_place_where_they_come() {
    let users = Users::new(1000, LIFETIME, hours(0));
    log_in(&users, "old", "k", hours(0));
    (1..=3).for_each(|hour| users.tidy(hours(hour)));
    log_in(&users, "new", "k", hours(3));
    let short = moved(&users, hours(3), Duration::from_hours(2), hours(4));
    assert!(!knows(&short, "old") && knows(&short, "new"));
    let long = moved(&users, hours(3), Duration::from_hours(70), hours(30));
    assert!(knows(&long, "old") && knows(&long, "new"));
    let late = moved(&users, hours(3), LIFETIME, hours(30));
    assert!(!knows(&late, "old") && !knows(&late, "new"));
}

#[test]
fn whoever_comes_twice_is_one_and_has_the_keys_of_the_second_time() {
    let users = Users::new(1000, LIFETIME, hours(0));
    let first = log_in(&users, "alice", "k1", hours(0));
    let keys = UserKeys {
        current: SessionKey::new("k2"),
        previous: Some(SessionKey::new("k1")),
    };
    let again = users
        .restore(app(), id("alice"), keys.clone(), hours(0))
        .unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(first.keys.keys(), keys);
    assert_eq!(all(&users, hours(0)).len(), 1);
    // A session that knows them too changes nothing.
    let older = UserKeys {
        current: SessionKey::new("k0"),
        previous: None,
    };
    let same = users.known_or(app(), id("alice"), older.clone(), hours(0));
    assert!(Arc::ptr_eq(&first, &same));
    assert_eq!(first.keys.keys(), keys);
    let other = users.known_or(app(), id("bob"), older, hours(0));
    assert!(Arc::ptr_eq(
        &other,
        &users.known_or(app(), id("bob"), keys, hours(0))
    ));
    assert_eq!(all(&users, hours(0)).len(), 2);
    users.forget_all();
    assert!(all(&users, hours(0)).is_empty());
}
