//! What codes were exchanged for, for a while: a code works once, but clients send it again. Requests with one code
//! share one call and one session. Knows nothing of how a code is exchanged.

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::Entry;
use moka::future::Cache;
use moka::ops::compute::Op;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::login_code::LoginCode;
use crate::store::Opened;
use crate::wechat::{Exchange, WeChatError};
use crate::wire::refusal::Refusal;

/// How many codes are remembered at most.
const MOST: u64 = 100_000;

/// An app's place and a code's digest.
type Key = (usize, [u8; 32]);

/// The codes that were exchanged within the last seconds, and those that are being exchanged now.
pub(super) struct Grants {
    recent: Cache<Key, Arc<Grant>>,
    replay: Duration,
    clock: Clock,
}

/// What came of a code.
#[derive(Debug)]
pub(super) struct Grant {
    /// The user.
    pub(super) exchange: Exchange,
    made_at: Timestamp,
    /// The try that is under way, or the one that opened a session.
    opening: Mutex<Arc<OnceCell<Result<LoggedIn, Refusal>>>>,
}

/// A session that was opened, and what else there is to tell of it.
#[derive(Clone, Debug)]
pub(super) struct LoggedIn {
    pub(super) opened: Opened,
    /// What the backend adds to the answer; null if nothing.
    pub(super) data: Value,
}

impl Grants {
    pub(super) fn new(replay: Duration, clock: Clock) -> Self {
        // Our own clock says when a grant is too old; the cache only has to forget it some time after.
        let kept = replay.max(Duration::from_secs(1));
        let recent = Cache::builder()
            .max_capacity(MOST)
            .time_to_live(kept)
            .build();
        Self {
            recent,
            replay,
            clock,
        }
    }

    /// What came of `code`: of its own `exchange`, or of one that is under way or recent. Failures are shared by those
    /// who wait for them, and not remembered.
    pub(super) async fn grant<F>(
        &self,
        app: usize,
        code: &LoginCode,
        exchange: impl FnOnce() -> F,
    ) -> Result<Arc<Grant>, Arc<WeChatError>>
    where
        F: Future<Output = Result<Exchange, WeChatError>>,
    {
        let key = (app, Sha256::digest(code.reveal()).into());
        self.forget_if_too_old(&key).await;
        let granting = async {
            let exchange = exchange().await?;
            let made_at = self.clock.now();
            Ok(Arc::new(Grant {
                exchange,
                made_at,
                opening: Mutex::default(),
            }))
        };
        self.recent.try_get_with(key, granting).await
    }

    /// Forgets what is too old for good: a grant holds a skey and a key.
    pub(super) async fn tidy(&self) {
        self.recent.run_pending_tasks().await;
    }

    async fn forget_if_too_old(&self, key: &Key) {
        let is_too_old = |grant: Option<&Arc<Grant>>| grant.is_some_and(|g| self.is_too_old(g));
        if !is_too_old(self.recent.get(key).await.as_ref()) {
            return;
        }
        // Somebody else may have got a new one since: what is looked at here is what is removed.
        let forgetting = self.recent.entry_by_ref(key).and_compute_with(|entry| {
            let is_too_old = is_too_old(entry.as_ref().map(Entry::value));
            ready(if is_too_old { Op::Remove } else { Op::Nop })
        });
        forgetting.await;
    }

    fn is_too_old(&self, grant: &Grant) -> bool {
        self.clock.now() >= grant.made_at.after(self.replay)
    }
}

impl Grant {
    /// The session of this code: that of its own `open`, or of one that is under way or came to one. A failure is shared
    /// by those who wait for it, and not remembered.
    pub(super) async fn open<F>(&self, open: impl FnOnce() -> F) -> Result<LoggedIn, Refusal>
    where
        F: Future<Output = Result<LoggedIn, Refusal>>,
    {
        let opening = Arc::clone(&self.opening());
        let opened = opening.get_or_init(open).await.clone();
        if opened.is_err() {
            let mut current = self.opening();
            // Somebody else may have begun anew since.
            if Arc::ptr_eq(&current, &opening) {
                *current = Arc::default();
            }
        }
        opened
    }

    fn opening(&self) -> MutexGuard<'_, Arc<OnceCell<Result<LoggedIn, Refusal>>>> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("recent", &self.recent.entry_count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::WechatId;
    use crate::domain::refusal::RefusalCode;
    use crate::domain::session::SessionKey;
    use futures_util::future::join_all;
    use std::cell::Cell;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_failure_to_open_is_shared_by_those_who_wait_and_not_remembered() {
        let grant = Grant {
            exchange: Exchange {
                openid: WechatId::parse("oAlice").unwrap(),
                unionid: None,
                session_key: SessionKey::new("k"),
            },
            made_at: Timestamp::from_millis(0),
            opening: Mutex::default(),
        };
        let (tries, answer) = (Cell::new(0), Notify::new());
        let open = || async {
            tries.set(tries.get() + 1);
            answer.notified().await;
            Err(Refusal::new(RefusalCode::UpstreamFailed, "x"))
        };
        for round in 1..=2 {
            let all = join_all((0..20).map(|_| grant.open(open)));
            let answering = async { answer.notify_one() };
            let (all, ()) = tokio::join!(all, answering);
            assert_eq!(tries.get(), round);
            let code = |result: &Result<LoggedIn, Refusal>| result.as_ref().unwrap_err().code;
            let codes: Vec<_> = all.iter().map(code).collect();
            assert_eq!(codes, [RefusalCode::UpstreamFailed; 20]);
        }
    }
}
