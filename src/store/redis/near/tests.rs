//! What is near, and that it is never what was before a change that was told.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::domain::identity::{Account, App, WechatId};
use crate::domain::session::{SessionKey, UserKeys};
use crate::metrics::Labels;

const BELIEF: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_hours(4);

fn near(capacity: u64) -> Near {
    Near::new(capacity, IDLE, Arc::new(Metrics::new(Labels::default(), 1)))
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000_000 + seconds * 1000)
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn hash(number: u8) -> UserHash {
    let Some(Named::Keys(hash)) =
        Named::of(format!("wxgate:1:keys:{{wx1:{}}}", id(number)).as_bytes())
    else {
        panic!("this names a user's keys")
    };
    hash
}

fn user(heard: &Arc<Heard>) -> Arc<NearUser> {
    let app = App {
        name: "shop".to_owned(),
        appid: WechatId::parse("wx1").unwrap(),
        index: 0,
    };
    let keys = UserKeys {
        current: SessionKey::new("k"),
        previous: None,
    };
    let openid = WechatId::parse("oAlice").unwrap();
    let user = User::new(Arc::new(app), openid, keys);
    NearUser::new(Arc::new(user), Arc::clone(heard))
}

/// A session that expires at a time of its own, so that it can be told from others.
fn session(number: u8, expires: u64, user: &Arc<NearUser>, heard: &Arc<Heard>) -> Arc<NearSession> {
    let times = (at(1_000_000 + expires), at(0));
    let whose = Arc::clone(&user.user);
    let session = Session::kept(whose, None, Account::default(), times, IDLE);
    let known = NearSession::new(
        id(number),
        Arc::new(session),
        Arc::clone(user),
        Arc::clone(heard),
    );
    Arc::new(known)
}

fn heard() -> Arc<Heard> {
    Arc::new(Heard::new(at(0), BELIEF))
}

fn keep(near: &Near, number: u8, user: &Arc<NearUser>, heard: &Arc<Heard>) {
    let ticket = near.ticket(Subject::Session(id(number)));
    near.keep(ticket, session(number, 0, user, heard));
}

fn has(near: &Near, number: u8, now: Timestamp) -> bool {
    matches!(near.find(id(number), now), Some(Found::Session(_)))
}

#[test]
fn a_session_is_near_for_as_long_as_its_connection_is_heard_and_until_it_changes() {
    let (near, heard) = (near(100), heard());
    let alice = user(&heard);
    for number in [1, 2] {
        keep(&near, number, &alice, &heard);
    }
    assert!(has(&near, 1, at(9)) && !has(&near, 1, at(10)));
    heard.hear(at(10));
    assert!(has(&near, 1, at(19)));
    near.change(Subject::Session(id(1)));
    assert!(!has(&near, 1, at(11)) && has(&near, 2, at(11)));
    heard.end();
    assert!(!has(&near, 2, at(11)));
}

#[test]
fn when_the_keys_of_a_user_change_all_of_their_sessions_are_asked_for_anew() {
    let (near, heard) = (near(100), heard());
    let (alice, bob) = (user(&heard), user(&heard));
    for (number, whose) in [(1, &alice), (2, &bob)] {
        let ticket = near.ticket(Subject::User(hash(number)));
        near.keep_user(ticket, hash(number), whose);
        keep(&near, number, whose, &heard);
        assert!(near.user(hash(number), at(1)).is_some());
    }
    near.change(Subject::User(hash(1)));
    assert!(!has(&near, 1, at(1)) && has(&near, 2, at(1)));
    assert!(near.user(hash(1), at(1)).is_none());
    // Whoever was asked for before the change, and comes behind it.
    let ticket = near.ticket(Subject::User(hash(1)));
    near.change(Subject::User(hash(1)));
    let late = user(&heard);
    near.keep_user(ticket, hash(1), &late);
    keep(&near, 1, &late, &heard);
    assert!(!has(&near, 1, at(1)));
}

#[test]
fn a_user_who_is_forgotten_takes_their_sessions_along() {
    let (near, heard) = (near(1), heard());
    let (alice, bob) = (user(&heard), user(&heard));
    near.keep_user(near.ticket(Subject::User(hash(1))), hash(1), &alice);
    keep(&near, 1, &alice, &heard);
    near.keep_user(near.ticket(Subject::User(hash(2))), hash(2), &bob);
    near.tidy();
    // Nobody could tell of a change of the keys of one of them.
    let known = [(1, &alice), (2, &bob)].map(|(number, user)| {
        let is_known = near.user(hash(number), at(1)).is_some();
        assert_eq!(user.is_believed(at(1)), is_known);
        is_known
    });
    assert_eq!(known.iter().filter(|is_known| **is_known).count(), 1);
}

#[test]
fn everything_is_asked_for_anew_once_all_was_flushed() {
    let (near, heard) = (near(100), heard());
    let alice = user(&heard);
    keep(&near, 1, &alice, &heard);
    let ticket = near.ticket(Subject::Session(id(2)));
    near.change_all();
    near.keep(ticket, session(2, 0, &alice, &heard));
    assert!(!has(&near, 1, at(1)) && !has(&near, 2, at(1)));
}

#[test]
fn an_id_that_leads_nowhere_is_known_for_a_moment() {
    let near = near(100);
    let ticket = near.ticket(Subject::Session(id(1)));
    near.keep_gone(ticket, id(1), Gone::Replaced, at(0));
    let gone = |seconds| near.find(id(1), at(seconds));
    assert!(matches!(gone(1), Some(Found::Gone(Gone::Replaced))));
    assert!(gone(2).is_none());
    near.keep_gone(
        near.ticket(Subject::Session(id(1))),
        id(1),
        Gone::Unknown,
        at(2),
    );
    near.change(Subject::Session(id(1)));
    assert!(gone(2).is_none());
}

#[test]
fn uses_are_told_once_each_and_not_lost_when_a_session_goes() {
    let (near, heard) = (near(100), heard());
    let alice = user(&heard);
    for number in [1, 2, 3] {
        keep(&near, number, &alice, &heard);
    }
    assert_eq!(near.unwritten().len(), 0);
    for number in [1, 2] {
        let Some(Found::Session(session)) = near.find(id(number), at(1)) else {
            panic!("it is near")
        };
        session.touch(at(5));
    }
    near.change(Subject::Session(id(2)));
    near.tidy();
    let mut unwritten = near.unwritten();
    unwritten.sort_by_key(|(near, _)| near.id);
    let told: Vec<_> = unwritten.iter().map(|(near, at)| (near.id, *at)).collect();
    assert_eq!(told, [(id(1), at(5)), (id(2), at(5))]);
    assert_eq!(near.unwritten().len(), 0);
    unwritten[0].0.was_not_written();
    assert_eq!(near.unwritten().len(), 1);
    // What is asked for anew goes on where it was.
    keep(&near, 1, &alice, &heard);
    assert_eq!(near.last_used(id(1)), Some(at(5)));
}

/// What happens between a gateway and Redis.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Somebody asks, and Redis answers as it is then.
    Asked,
    /// An answer comes in, the one that was asked for first.
    Answered,
    /// The session changes in Redis; that is told later.
    Changed,
    /// The session goes in Redis; that is told later.
    Ended,
    /// A change is told, the first one first.
    Told,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop::sample::select(vec![
        Event::Asked,
        Event::Answered,
        Event::Changed,
        Event::Ended,
        Event::Told,
    ]);
    prop::collection::vec(event, 0..40)
}

proptest! {
    #[test]
    fn what_is_near_once_all_was_told_is_what_redis_has(events in events()) {
        let (near, heard) = (near(100), heard());
        let alice = user(&heard);
        let mut version = Some(0);
        let (mut asked, mut untold) = (VecDeque::new(), 0);
        let rest = [Event::Told; 40].into_iter().chain([Event::Answered; 40]);
        for event in events.into_iter().chain(rest) {
            match event {
                Event::Asked => {
                    let ticket = near.ticket(Subject::Session(id(1)));
                    asked.push_back((ticket, version));
                }
                Event::Answered => match asked.pop_front() {
                    Some((ticket, Some(version))) => near.keep(ticket, session(1, version, &alice, &heard)),
                    Some((ticket, None)) => near.keep_gone(ticket, id(1), Gone::Unknown, at(1)),
                    None => {}
                },
                Event::Changed => {
                    version = Some(version.unwrap_or(0) + 1);
                    untold += 1;
                }
                Event::Ended => {
                    version = None;
                    untold += 1;
                }
                Event::Told if untold > 0 => {
                    untold -= 1;
                    near.change(Subject::Session(id(1)));
                }
                Event::Told => {}
            }
            if untold == 0 {
                match near.find(id(1), at(1)) {
                    Some(Found::Session(session)) => {
                        let expires = session.expires_at();
                        prop_assert_eq!(version.map(|version| at(1_000_000 + version)), Some(expires));
                    }
                    Some(Found::Gone(_)) => prop_assert_eq!(version, None),
                    None => {}
                }
            }
        }
    }
}
