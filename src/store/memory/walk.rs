//! All sessions of a store in memory, looked at one after the other: what an operator asks for is rare, and is worth no
//! index. To walk past a million takes its time, so no thread that has something else to do may do it.
//!
//! A walk meets every session that was there before it began and has not ended meanwhile; of those that are opened during
//! it, it may meet some. So of a revocation holds: what a login had opened before it began has ended when it is done, and
//! what a login opens after it is done stays.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::MemoryStore;
use crate::domain::session::Session;
use crate::domain::session_id::SessionId;
use crate::domain::token::SkeyDigest;
use crate::store::Trouble;
use crate::store::ledger::{ListError, Listing, Page, Revoked, Row, Whose};

/// Lets one walk go at a time, so that however much an operator asks for, one thread is busy with it.
pub(super) type Turnstile = Mutex<()>;

impl MemoryStore {
    /// Walks where nobody waits for the thread, once it is this walk's turn.
    pub(in crate::store) async fn walk<T: Send + 'static>(
        &self,
        walk: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let (store, turn) = (self.clone(), Arc::clone(&self.turnstile));
        let turn = turn.lock_owned().await;
        let walked = spawn_blocking(move || {
            let walked = walk(&store);
            drop(turn);
            walked
        });
        // It is not cancelled, and does not panic.
        walked
            .await
            .map_err(|error| Trouble::new(error.to_string()))
    }

    /// Ends these sessions, and tells how many there were.
    pub(in crate::store) fn revoke(&self, revoked: &Revoked) -> u64 {
        let whose = match revoked {
            Revoked::Session(id) => return self.revoke_one(*id),
            Revoked::App(app) => Whose::App(*app),
            Revoked::User { app, openid } => Whose::User {
                app: *app,
                openid: openid.clone(),
            },
        };
        if let Some(ended) = self.revoke_known(&whose) {
            return ended;
        }
        self.watch_moves(true);
        let mut count = 0;
        self.each_standing(|digest, session| {
            if whose.includes(session) {
                count += u64::from(self.close(digest));
            }
            ControlFlow::Continue(())
        });
        count + self.end_moved(&whose)
    }

    /// Ends those that have moved during the walk: it may have passed where one went to before it came, and where it came
    /// from when it had gone.
    fn end_moved(&self, whose: &Whose) -> u64 {
        let moved = self.watch_moves(false).into_iter().filter(|digest| {
            let session = self.sessions.get(digest);
            session.is_some_and(|session| whose.includes(&session))
        });
        moved.map(|digest| u64::from(self.close(&digest))).sum()
    }

    /// Ends the sessions of one user without a walk, where these are known.
    fn revoke_known(&self, whose: &Whose) -> Option<u64> {
        let Whose::User { app, openid } = whose else {
            return None;
        };
        let moving = self.succession.as_ref()?.lock();
        let devices = moving.devices.as_ref()?.of_user(*app, openid);
        let now = self.clock.now();
        let standing = devices
            .iter()
            .filter(|(_, session)| !session.has_ended(now));
        // Nobody moves them meanwhile.
        let ended = standing.filter(|(digest, _)| self.sessions.remove(digest).is_some());
        Some(ended.count() as u64)
    }

    /// Begins or ends to take note of what moves, and gives what was noted.
    fn watch_moves(&self, begin: bool) -> Vec<SkeyDigest> {
        let noted = self.succession.as_ref().and_then(|succession| {
            let watch = begin.then(Vec::new);
            std::mem::replace(&mut succession.lock().moved, watch)
        });
        noted.unwrap_or_default()
    }

    /// The sessions with the least ids behind the cursor.
    pub(in crate::store) fn list(&self, listing: &Listing) -> Result<Page, ListError> {
        let behind = match &listing.cursor {
            None => None,
            Some(cursor) => Some(SessionId::parse(cursor).ok_or(ListError::Cursor)?),
        };
        let mut rows = BTreeMap::new();
        self.each_standing(|digest, session| {
            if listing.whose.includes(session) {
                let id = digest.session_id();
                if behind.is_none_or(|behind| id > behind) {
                    keep_least(&mut rows, listing.limit.saturating_add(1), id, || {
                        Row::of(id, session)
                    });
                }
            }
            ControlFlow::Continue(())
        });
        // One more than was asked for tells that there is one.
        let are_more = rows.len() > listing.limit;
        if are_more {
            rows.pop_last();
        }
        let last = rows.last_key_value().map(|(id, _)| id.to_string());
        Ok(Page {
            rows: rows.into_values().collect(),
            next: last.filter(|_| are_more),
        })
    }

    /// The session of this name.
    pub(in crate::store) fn show(&self, id: SessionId) -> Option<Row> {
        self.of_id(id, |_, session| Row::of(id, session))
    }

    fn revoke_one(&self, id: SessionId) -> u64 {
        self.of_id(id, |digest, _| self.close(digest))
            .map_or(0, u64::from)
    }

    fn of_id<T>(&self, id: SessionId, see: impl Fn(&SkeyDigest, &Session) -> T) -> Option<T> {
        let mut seen = None;
        self.each_standing(|digest, session| {
            if digest.session_id() == id {
                seen = Some(see(digest, session));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        seen
    }

    fn each_standing(&self, mut visit: impl FnMut(&SkeyDigest, &Session) -> ControlFlow<()>) {
        let now = self.clock.now();
        self.each_session(|digest, session| {
            if session.has_ended(now) {
                ControlFlow::Continue(())
            } else {
                visit(digest, session)
            }
        });
    }
}

/// Keeps a row, unless there are `most` with lesser ids.
fn keep_least(
    rows: &mut BTreeMap<SessionId, Row>,
    most: usize,
    id: SessionId,
    row: impl FnOnce() -> Row,
) {
    if rows.len() >= most {
        match rows.last_entry() {
            Some(last) if *last.key() > id => drop(last.remove()),
            Some(_) | None => return,
        }
    }
    rows.insert(id, row());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::plan::{SessionsPlan, StorePlan};
    use crate::domain::clock::Clock;
    use crate::domain::identity::{Account, App, Identity, WechatId};
    use crate::domain::session::{SessionKey, SessionLimits};
    use crate::metrics::{Labels, Metrics};
    use crate::store::Rotated;

    #[test]
    fn what_moves_while_a_walk_goes_on_is_ended_behind_it() {
        let limits = SessionLimits {
            lifetime: Duration::from_hours(1),
            idle: Duration::from_hours(1),
        };
        let plan = SessionsPlan {
            store: StorePlan::Memory,
            limits,
            capacity: 10,
            token: Vec::new(),
            beside: Vec::new(),
            login_replay: Duration::ZERO,
            state: None,
            encryption_keys: Vec::new(),
            max_per_user: None,
            rotation: Some(Duration::from_secs(10)),
        };
        let (clock, metrics) = (Clock::start(), Metrics::new(Labels::default(), 1));
        let store = MemoryStore::new(&plan, clock.clone(), Arc::new(metrics));
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
        let opened = store.open(alice, SessionKey::new("k")).unwrap();
        store.watch_moves(true);
        let rotated = store.rotate(&opened.skey.digest(), clock.now()).unwrap();
        let Rotated::Anew(new) = rotated else {
            panic!("{rotated:?}");
        };
        assert_eq!(store.end_moved(&Whose::App(0)), 1);
        let found = store.find(&new.skey.digest(), clock.now());
        assert!(found.session().is_none());
        assert_eq!(store.end_moved(&Whose::App(0)), 0);
    }
}
