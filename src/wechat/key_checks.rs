//! Why data did not open: a key that WeChat no longer honours, or data that was never sealed for this user. WeChat is
//! asked rarely: once a minute for a key, once at a time for a user, and by so many at a time. Knows not what was wrong
//! with the data.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::client::WeChat;
use super::error::WeChatError;
use super::proofs::Unproven;
use crate::config::plan::AppPlan;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::identity::{App, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::domain::session::{SessionKey, UserKeys};
use crate::metrics::Metrics;
use crate::wire::refusal::{Refusal, with_causes};

/// How long a verdict holds.
const HOLDS: Duration = Duration::from_mins(1);
/// How many verdicts are remembered at most.
const MOST: u64 = 100_000;
/// How many users' keys are checked at a time; of those beyond nothing is known.
const MOST_AT_A_TIME: usize = 256;
/// Between two warnings that WeChat gives no verdict.
const BETWEEN_WARNINGS: Duration = Duration::from_mins(1);

/// What WeChat says of a key that opened nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the user's key of now, so the data was not sealed for them.
    Good,
    /// It is not, or no longer.
    Stale,
    /// WeChat did not say.
    Unknown,
}

impl From<Verdict> for Refusal {
    fn from(verdict: Verdict) -> Self {
        let refuse = |reason| Self::new(RefusalCode::DataUndecryptable, reason);
        match verdict {
            Verdict::Good => refuse("encryptedData does not open, though the user's key is good")
                .telling("this is not what WeChat encrypted for this user: fetch it again"),
            Verdict::Stale => refuse("encryptedData does not open: the user's key is stale"),
            Verdict::Unknown => refuse(
                "encryptedData does not open for this user; WeChat does not say whether their key is stale",
            ),
        }
    }
}

/// All that checks need, shared by the workers and the operator's listener. What waits for WeChat runs on the control
/// runtime.
pub struct KeyChecks {
    apps: Vec<AppPlan>,
    wechat: WeChat,
    clock: Clock,
    metrics: Arc<Metrics>,
    recent: Cache<[u8; 32], (Verdict, Timestamp)>,
    places: Semaphore,
    /// When to warn again, in milliseconds since the Unix epoch.
    quiet_until: AtomicU64,
    control: Handle,
}

/// So many checks are under way that this one is not made.
#[derive(Debug)]
struct Crowded;

impl KeyChecks {
    /// Checks keys of users of `apps`; verdicts grow old by `clock`.
    #[must_use]
    pub fn new(
        apps: Vec<AppPlan>,
        wechat: WeChat,
        clock: Clock,
        metrics: Arc<Metrics>,
        control: Handle,
    ) -> Self {
        let recent = Cache::builder().max_capacity(MOST).time_to_live(HOLDS);
        Self {
            apps,
            wechat,
            clock,
            metrics,
            recent: recent.build(),
            places: Semaphore::new(MOST_AT_A_TIME),
            quiet_until: AtomicU64::new(0),
            control,
        }
    }

    /// What a client is told of proofs that do not hold against a user of `app` who has these keys. If it is data that
    /// does not open, WeChat is asked of the current key, whatever is wrong with the data.
    pub async fn refuse(
        self: &Arc<Self>,
        error: Unproven,
        app: &App,
        openid: &WechatId,
        keys: &UserKeys,
    ) -> Refusal {
        match error {
            Unproven::Closed => self.verdict(app, openid, &keys.current).await.into(),
            Unproven::Signature(_) | Unproven::Half => error.into(),
        }
    }

    async fn verdict(self: &Arc<Self>, app: &App, openid: &WechatId, key: &SessionKey) -> Verdict {
        let (this, app) = (Arc::clone(self), app.index);
        let (openid, key) = (openid.clone(), key.clone());
        let check = async move { this.remembered(app, &openid, &key).await };
        let checked = self.control.spawn(check).await;
        checked.unwrap_or(Verdict::Unknown)
    }

    async fn remembered(&self, app: usize, openid: &WechatId, key: &SessionKey) -> Verdict {
        let digest = digest(app, openid, key);
        let known = self.recent.get(&digest).await;
        if known.is_some_and(|(_, until)| self.clock.now() >= until) {
            self.recent.invalidate(&digest).await;
        }
        let asking = async {
            let Ok(_place) = self.places.try_acquire() else {
                return Err(Crowded);
            };
            let verdict = self.ask(app, openid, key).await;
            Ok((verdict, self.clock.now().after(HOLDS)))
        };
        let verdict = self.recent.try_get_with(digest, asking).await;
        verdict.map_or(Verdict::Unknown, |(verdict, _)| verdict)
    }

    async fn ask(&self, app: usize, openid: &WechatId, key: &SessionKey) -> Verdict {
        let Some(app) = self.apps.get(app) else {
            return Verdict::Unknown;
        };
        let on_call = |outcome, took| self.metrics.wechat_call(app.app.index, outcome, took);
        match self.wechat.is_current(app, openid, key, on_call).await {
            Ok(true) => Verdict::Good,
            Ok(false) => Verdict::Stale,
            Err(error) => {
                self.warn(&error, &app.app);
                Verdict::Unknown
            }
        }
    }

    /// Tells that WeChat gives no verdict, but not of each one.
    fn warn(&self, error: &WeChatError, app: &App) {
        let now = self.clock.now();
        let until = now.after(BETWEEN_WARNINGS).as_millis();
        let quiet_until = self.quiet_until.load(Ordering::Relaxed);
        let swap = |old, new| {
            let swapped =
                self.quiet_until
                    .compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed);
            swapped.is_ok()
        };
        if now.as_millis() >= quiet_until && swap(quiet_until, until) {
            let (app, reason) = (app.name.as_str(), with_causes(error));
            tracing::warn!(app, %reason, "WeChat does not say which keys are stale");
        }
    }
}

impl fmt::Debug for KeyChecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyChecks")
            .field("recent", &self.recent.entry_count())
            .finish_non_exhaustive()
    }
}

/// What stands for a user's key: neither openids nor keys are kept for it. No openid has the byte between them.
fn digest(app: usize, openid: &WechatId, key: &SessionKey) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update(app.to_be_bytes())
        .chain_update(openid.as_str())
        .chain_update([0])
        .chain_update(key.reveal());
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
