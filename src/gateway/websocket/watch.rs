//! The sessions behind open WebSockets: whether they still stand, and that they are used. Knows no bytes.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::session::Session;
use crate::domain::token::SkeyDigest;
use crate::store::{Found, Gone, Standing, Store};

/// How often sessions are looked at: one that ends ends its WebSocket within a second.
const EVERY: Duration = Duration::from_millis(500);
/// How far apart two notes of use may lie.
const NOTE_EVERY: Duration = Duration::from_mins(1);
/// Into how many such times an idle time falls at least.
const NOTES: u32 = 10;

/// One worker's look at the sessions behind its WebSockets: one timer for all of them.
#[derive(Debug)]
pub(in crate::gateway) struct Watch {
    store: Store,
    clock: Clock,
    note_every: Duration,
    watched: RefCell<Vec<Weak<Watched>>>,
    /// Whether a task looks at them.
    is_awake: Cell<bool>,
}

/// A session that is looked at for as long as its WebSocket is open.
#[derive(Debug)]
pub(super) struct Watched {
    /// What leads to it; another one if its skey was rotated.
    digest: Cell<SkeyDigest>,
    session: Arc<Session>,
    /// Whether the client has said something since this was last asked.
    pub(super) heard: Rc<Cell<bool>>,
    noted_at: Cell<Timestamp>,
    lost: Cell<Option<Lapse>>,
    told: Notify,
}

/// Why a session is believed no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    /// It has ended.
    Gone(Gone),
    /// The store has not told of it for too long.
    OutOfReach,
}

impl Watch {
    /// Looks at sessions of `store`, in which they end when they are not used for `idle`.
    pub(in crate::gateway) fn new(store: Store, clock: Clock, idle: Duration) -> Rc<Self> {
        Rc::new(Self {
            store,
            clock,
            note_every: NOTE_EVERY.min(idle / NOTES),
            watched: RefCell::default(),
            is_awake: Cell::new(false),
        })
    }

    /// Begins to look at a session that has just been used.
    pub(super) fn begin(self: &Rc<Self>, digest: SkeyDigest, session: Arc<Session>) -> Rc<Watched> {
        let watched = Rc::new(Watched {
            digest: Cell::new(digest),
            session,
            heard: Rc::default(),
            noted_at: Cell::new(self.clock.now()),
            lost: Cell::default(),
            told: Notify::new(),
        });
        self.watched.borrow_mut().push(Rc::downgrade(&watched));
        if !self.is_awake.replace(true) {
            tokio::task::spawn_local(look(Rc::downgrade(self)));
        }
        watched
    }

    /// Looks at each session once, and tells whether there is any.
    async fn round(&self) -> bool {
        let watched: Vec<_> = {
            let mut watched = self.watched.borrow_mut();
            watched.retain(|one| one.strong_count() > 0);
            watched.iter().filter_map(Weak::upgrade).collect()
        };
        for one in &watched {
            self.look_at(one).await;
        }
        !watched.is_empty()
    }

    async fn look_at(&self, one: &Watched) {
        let now = self.clock.now();
        // What cannot be asked is believed for as long as the store says.
        let lost = match self.store.holds(&one.digest.get(), &one.session, now).await {
            Ok(Standing::Stands) => None,
            Ok(Standing::Moved(digest)) => {
                one.digest.set(digest);
                None
            }
            Ok(Standing::Gone(gone)) => Some(Lapse::Gone(gone)),
            Err(_) => Some(Lapse::OutOfReach),
        };
        if lost.is_some() {
            one.lost.set(lost);
            one.told.notify_waiters();
        } else if one.heard.get() && now >= one.noted_at.get().after(self.note_every) {
            one.heard.set(false);
            one.noted_at.set(now);
            let digest = one.digest.get();
            if let Ok(Found::Session(session)) = self.store.find(&digest, now).await {
                self.store.touch(&digest, &session, now);
            }
        }
    }
}

/// Looks again and again, for as long as there is anything to look at.
async fn look(watch: Weak<Watch>) {
    loop {
        sleep(EVERY).await;
        let Some(watch) = watch.upgrade() else { return };
        if !watch.round().await {
            watch.is_awake.set(false);
            return;
        }
    }
}

impl Watched {
    /// Waits until a session has ended, and says why; for ever, where there is none.
    pub(super) async fn ended(watched: Option<&Self>) -> Lapse {
        let Some(watched) = watched else {
            return std::future::pending().await;
        };
        loop {
            let told = watched.told.notified();
            if let Some(lost) = watched.lost.get() {
                return lost;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::SessionsPlan;
    use crate::domain::identity::{Account, App, Identity, WechatId};
    use crate::domain::session::{SessionKey, SessionLimits};
    use crate::metrics::{Labels, Metrics};
    use crate::store::{Opened, Rotated};

    const IDLE: Duration = Duration::from_hours(4);
    const GRACE: Duration = Duration::from_secs(10);

    /// A store with one session, and a watch over it.
    async fn watching() -> (Rc<Watch>, Clock, Opened) {
        let plan = SessionsPlan {
            store: crate::config::plan::StorePlan::Memory,
            limits: SessionLimits {
                lifetime: Duration::from_hours(10),
                idle: IDLE,
            },
            capacity: 10,
            token: Vec::new(),
            beside: Vec::new(),
            login_replay: Duration::ZERO,
            state: None,
            encryption_keys: Vec::new(),
            max_per_user: None,
            rotation: Some(GRACE),
        };
        let clock = Clock::start();
        let metrics = Arc::new(Metrics::new(Labels::default(), 1));
        let store = Store::memory(&plan, clock.clone(), metrics);
        let app = App {
            name: "shop".to_owned(),
            appid: WechatId::parse("wx1").unwrap(),
            index: 0,
        };
        let alice = Identity {
            app: Arc::new(app),
            openid: WechatId::parse("alice").unwrap(),
            unionid: None,
            account: Account::default(),
        };
        let opened = store.open(alice, SessionKey::new("k")).await.unwrap();
        (Watch::new(store, clock.clone(), IDLE), clock, opened)
    }

    #[tokio::test]
    async fn what_a_client_says_keeps_its_session_and_silence_does_not() {
        let (watch, clock, opened) = watching().await;
        let digest = opened.skey.digest();
        tokio::task::LocalSet::new()
            .run_until(async {
                let watched = watch.begin(digest, opened.session);
                for _ in 0..3 {
                    watched.heard.set(true);
                    clock.turn(Duration::from_hours(3));
                    assert!(watch.round().await);
                    assert!(watched.lost.get().is_none());
                    assert!(!watched.heard.get());
                }
                // Its lifetime ends it all the same.
                watched.heard.set(true);
                clock.turn(Duration::from_hours(1));
                watch.round().await;
                assert_eq!(watched.lost.get(), Some(Lapse::Gone(Gone::Unknown)));
                Watched::ended(Some(&watched)).await;
                drop(watched);
                assert!(!watch.round().await);
            })
            .await;
        let (watch, clock, opened) = watching().await;
        let digest = opened.skey.digest();
        tokio::task::LocalSet::new()
            .run_until(async {
                let watched = watch.begin(digest, opened.session);
                clock.turn(Duration::from_hours(3));
                watch.round().await;
                assert!(watched.lost.get().is_none());
                clock.turn(Duration::from_hours(1));
                watch.round().await;
                assert_eq!(watched.lost.get(), Some(Lapse::Gone(Gone::Unknown)));
            })
            .await;
    }

    #[tokio::test]
    async fn a_session_is_followed_to_its_new_skey_and_stands_after_the_grace_of_the_old_one() {
        let (watch, clock, opened) = watching().await;
        let digest = opened.skey.digest();
        tokio::task::LocalSet::new()
            .run_until(async {
                let watched = watch.begin(digest, opened.session);
                let rotated = watch.store.rotate(&digest, clock.now()).await.unwrap();
                let Rotated::Anew(new) = rotated else {
                    panic!("{rotated:?}");
                };
                clock.turn(GRACE / 2);
                watch.round().await;
                clock.turn(GRACE);
                watch.round().await;
                assert_eq!(watched.lost.get(), None);
                watch.store.close(&new.skey.digest()).await.unwrap();
                watch.round().await;
                assert_eq!(watched.lost.get(), Some(Lapse::Gone(Gone::Unknown)));
            })
            .await;
    }

    #[tokio::test]
    async fn use_is_noted_now_and_then() {
        let (watch, clock, opened) = watching().await;
        let digest = opened.skey.digest();
        tokio::task::LocalSet::new()
            .run_until(async {
                let watched = watch.begin(digest, opened.session);
                watched.heard.set(true);
                clock.turn(NOTE_EVERY / 2);
                watch.round().await;
                assert!(watched.heard.get());
                clock.turn(NOTE_EVERY / 2);
                watch.round().await;
                assert!(!watched.heard.get());
            })
            .await;
    }
}
