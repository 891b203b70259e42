//! What codes were exchanged for, for a while: a code works once, but clients send it again. Requests with one code
//! share one call and one session. Knows nothing of how a code is exchanged.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use moka::Entry;
use moka::future::Cache;
use moka::ops::compute::Op;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::login_code::LoginCode;
use crate::store::Opened;
use crate::wechat::{Exchange, WeChatError};

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
    /// The session, once somebody has proven all that came with the code.
    pub(super) opened: OnceCell<Opened>,
    made_at: Timestamp,
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
                opened: OnceCell::new(),
                made_at,
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

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grants")
            .field("recent", &self.recent.entry_count())
            .finish_non_exhaustive()
    }
}
