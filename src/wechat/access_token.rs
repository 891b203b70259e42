//! `stable_token`: the access token that some of WeChat's APIs ask for, one per app. It is fetched once however many wait
//! for it, renewed before it ends, and dropped when WeChat does not take it. Knows nothing of the calls it is for.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::future::Cache;
use serde_json::{Value, json};

use super::client::WeChat;
use super::errcode;
use super::error::{Unavailable, WeChatError};
use super::object::Object;
use crate::config::plan::AppPlan;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::identity::App;
use crate::domain::secret::Secret;
use crate::wire::refusal::with_causes;

/// The longest token that is believed, in characters: for so many WeChat asks to have room.
const MAX_LEN: usize = 512;
/// The longest life that is believed. WeChat's tokens have two hours.
const MAX_LIFE: Duration = Duration::from_hours(24);
/// How long before its end a token is renewed: then WeChat gives a new one, and takes the old one as well.
const EARLY: Duration = Duration::from_mins(5);
/// After a renewal that failed while the old token is good: until the next one.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two tokens that are forced: WeChat lets that happen 20 times a day.
const BETWEEN_FORCED: Duration = Duration::from_mins(75);
/// How long one who was late finds the token that others waited for.
const LATE: Duration = Duration::from_mins(1);
/// How many apps' tokens are on their way at most.
const MOST: u64 = 10_000;

/// An access token: 1 to 512 visible ASCII characters. It masks itself in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccessToken(Secret);

/// A token and how long WeChat takes it.
#[derive(Debug)]
pub(super) struct Issued {
    token: AccessToken,
    life: Duration,
}

/// The tokens of all apps. Clones share them.
#[derive(Clone)]
pub(super) struct AccessTokens {
    kept: Arc<Mutex<HashMap<usize, Kept>>>,
    /// Those that are being fetched, or were just now: an app's place, and which of its tokens it is.
    coming: Cache<(usize, u64), AccessToken>,
    clock: Clock,
}

/// What is known of one app's tokens.
#[derive(Default)]
struct Kept {
    /// How many there were.
    serial: u64,
    current: Option<Current>,
    /// The last one that WeChat did not take.
    spoiled: Option<AccessToken>,
    may_force_at: Option<Timestamp>,
}

#[derive(Clone)]
struct Current {
    token: AccessToken,
    renew_at: Timestamp,
    expires_at: Timestamp,
}

impl AccessToken {
    /// The token itself, for WeChat alone.
    pub(super) fn reveal(&self) -> &str {
        self.0.reveal()
    }

    fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LEN).contains(&text.len());
        let is_visible = text.bytes().all(|b| b.is_ascii_graphic());
        (fits && is_visible).then(|| Self(Secret::new(text)))
    }
}

impl AccessTokens {
    pub(super) fn new(clock: Clock) -> Self {
        let coming = Cache::builder().max_capacity(MOST).time_to_live(LATE);
        Self {
            kept: Arc::default(),
            coming: coming.build(),
            clock,
        }
    }

    /// The token of `app`: the one that is kept, or else what `fetch` gets, told whether to force a new one. Failures are
    /// shared by those who wait, and not remembered. While the old token is good, a renewal that fails is none.
    pub(super) async fn get<F>(
        &self,
        app: &App,
        fetch: impl Fn(bool) -> F,
    ) -> Result<AccessToken, Arc<WeChatError>>
    where
        F: Future<Output = Result<Issued, WeChatError>>,
    {
        let now = self.clock.now();
        let (serial, current) = {
            let mut kept = self.kept();
            let kept = kept.entry(app.index).or_default();
            (kept.serial, kept.current.clone())
        };
        match current.filter(|current| now < current.expires_at) {
            Some(current) if now < current.renew_at => Ok(current.token),
            Some(current) => match self.next(app.index, serial, fetch).await {
                Ok(token) => Ok(token),
                Err(error) => {
                    self.put_off(app, serial, &error);
                    Ok(current.token)
                }
            },
            None => self.next(app.index, serial, fetch).await,
        }
    }

    /// Drops a token that WeChat did not take, unless another one is kept by now.
    pub(super) fn forget(&self, app: &App, spoiled: &AccessToken) {
        let mut kept = self.kept();
        let kept = kept.entry(app.index).or_default();
        if kept.current.as_ref().is_some_and(|c| c.token == *spoiled) {
            kept.current = None;
            kept.spoiled = Some(spoiled.clone());
        }
    }

    /// The token after the one that was the app's `serial`th.
    async fn next<F>(
        &self,
        app: usize,
        serial: u64,
        fetch: impl Fn(bool) -> F,
    ) -> Result<AccessToken, Arc<WeChatError>>
    where
        F: Future<Output = Result<Issued, WeChatError>>,
    {
        let serial = serial.saturating_add(1);
        let fetching = async {
            let mut issued = fetch(false).await?;
            if self.must_be_forced(app, &issued.token) {
                issued = fetch(true).await?;
            }
            Ok(self.keep(app, serial, issued))
        };
        self.coming.try_get_with((app, serial), fetching).await
    }

    fn keep(&self, app: usize, serial: u64, issued: Issued) -> AccessToken {
        let Issued { token, life } = issued;
        let early = EARLY.min(life / 2);
        let now = self.clock.now();
        let mut kept = self.kept();
        let kept = kept.entry(app).or_default();
        kept.serial = serial;
        kept.current = Some(Current {
            token: token.clone(),
            renew_at: now.after(life.saturating_sub(early)),
            expires_at: now.after(life),
        });
        token
    }

    /// Whether WeChat gave the very token that it does not take, and may be forced to give another.
    fn must_be_forced(&self, app: usize, token: &AccessToken) -> bool {
        let now = self.clock.now();
        let mut kept = self.kept();
        let kept = kept.entry(app).or_default();
        let must = kept.spoiled.as_ref() == Some(token)
            && kept
                .may_force_at
                .is_none_or(|may_force_at| now >= may_force_at);
        if must {
            kept.may_force_at = Some(now.after(BETWEEN_FORCED));
        }
        must
    }

    /// Keeps the old token for a while longer, and tells so once.
    fn put_off(&self, app: &App, serial: u64, error: &WeChatError) {
        let now = self.clock.now();
        let mut kept = self.kept();
        let kept = kept.entry(app.index).or_default();
        let due = kept.current.as_mut();
        let due = due.filter(|current| kept.serial == serial && current.renew_at <= now);
        if let Some(current) = due {
            current.renew_at = now.after(PAUSE);
            let (app, reason) = (app.name.as_str(), with_causes(error));
            tracing::warn!(app, %reason, "the access token could not be renewed; the old one is still good");
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<usize, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessTokens(***)")
    }
}

impl WeChat {
    /// Asks for the app's token, or for a new one even if the old one has not ended.
    pub(super) async fn fetch_token(
        &self,
        app: &AppPlan,
        force: bool,
        time_left: Duration,
    ) -> Result<Issued, WeChatError> {
        let (appid, secret) = (app.app.appid.as_str(), app.secret.reveal());
        let asked = json!({
            "grant_type": "client_credential",
            "appid": appid,
            "secret": secret,
            "force_refresh": force,
        });
        let url = self.endpoints.access_token.clone();
        read(&self.post(url, &asked, time_left).await?, &[secret])
    }
}

fn read(body: &[u8], secrets: &[&str]) -> Result<Issued, WeChatError> {
    let reply = Object::read(body)?;
    if let Some(errcode) = reply.failure() {
        let errmsg = reply.errmsg(secrets);
        return Err(errcode::of_access_token(errcode, errmsg));
    }
    let token = reply.text("access_token").and_then(AccessToken::parse);
    let seconds = reply.get("expires_in").and_then(Value::as_u64);
    let life = seconds.filter(|seconds| *seconds > 0);
    Ok(Issued {
        token: token.ok_or(Unavailable::BadField("access_token"))?,
        life: Duration::from_secs(life.ok_or(Unavailable::BadField("expires_in"))?).min(MAX_LIFE),
    })
}

#[cfg(test)]
mod tests;
