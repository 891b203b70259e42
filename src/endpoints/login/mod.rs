//! A login: code → WeChat → the backend's word, if it is asked → session → skey. Knows no routes.

mod announce;
mod grants;
mod request;
mod said;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::plan::AppPlan;
use crate::domain::clock::Clock;
use crate::domain::identity::{Account, App, Identity, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::domain::session::UserKeys;
use crate::domain::template::{Placeholder, Template};
use crate::metrics::Metrics;
use crate::store::{Opened, Standing, Store};
use crate::wechat::{Exchange, Proven, Prover, WeChat, WeChatError};
use crate::wire::refusal::{Refusal, json_answer, with_causes};

pub use announce::Announcer;
pub use request::LoginRequest;

use super::{RATE_LIMIT, RETRY_AFTER, value_of};
use announce::News;
use grants::{Grant, Grants, LoggedIn};
use said::Said;

/// How many logins wait for WeChat at a time; those beyond are told to come again.
const MOST_AT_A_TIME: usize = 4096;

/// All that logins need, shared by the workers. What waits for WeChat or a backend runs on the control runtime, so that
/// no worker does, and goes on when its client has gone: the code is spent by then.
#[derive(Debug)]
pub struct Logins {
    apps: Vec<AppPlan>,
    wechat: WeChat,
    store: Store,
    clock: Clock,
    prover: Prover,
    metrics: Arc<Metrics>,
    grants: Grants,
    places: Semaphore,
    control: Handle,
}

impl Logins {
    /// Logins to `apps`, whose proofs `prover` holds by the one clock. The same code gets the same skey for `replay`
    /// after its exchange.
    #[must_use]
    pub fn new(
        apps: Vec<AppPlan>,
        wechat: WeChat,
        store: Store,
        prover: Prover,
        replay: Duration,
        metrics: Arc<Metrics>,
        control: Handle,
    ) -> Self {
        let clock = prover.clock().clone();
        let places = Semaphore::new(MOST_AT_A_TIME);
        let grants = Grants::new(replay, clock.clone());
        Self {
            apps,
            wechat,
            store,
            clock,
            prover,
            metrics,
            grants,
            places,
            control,
        }
    }

    /// Logs a user in to `app`, once the backend was told if there is an `announcer`, and answers with the skey, in the
    /// shape of `response` if there is one.
    ///
    /// # Errors
    ///
    /// WeChat or the backend refuses or does not answer, a proof does not hold, or too many logins are under way.
    pub async fn answer(
        self: &Arc<Self>,
        app: &App,
        request: LoginRequest,
        announcer: Option<Announcer>,
        response: Option<&Template>,
    ) -> Result<Response<Bytes>, Refusal> {
        let index = app.index;
        let this = Arc::clone(self);
        let login = self.control.spawn(async move {
            let result = this.log_in(index, request, announcer).await;
            let refused = result.as_ref().err();
            let outcome = refused.map_or("ok", |refusal| refusal.code.as_str());
            this.metrics.login(index, outcome);
            result
        });
        let result = login.await.unwrap_or_else(|error| {
            let reason = format!("the login broke off: {error}");
            Err(Refusal::new(RefusalCode::WechatUnavailable, reason).retry_after(RETRY_AFTER))
        });
        let (logged_in, user_info) = result?;
        Ok(self.tell(&logged_in, &user_info, response))
    }

    /// Forgets what is too old. It is enough to do so now and then.
    pub async fn tidy(&self) {
        self.grants.tidy().await;
    }

    async fn log_in(
        &self,
        app: usize,
        request: LoginRequest,
        announcer: Option<Announcer>,
    ) -> Result<(LoggedIn, Map<String, Value>), Refusal> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(overloaded("too many logins are under way"));
        };
        let Some(app) = self.apps.get(app) else {
            return Err(Refusal::new(
                RefusalCode::GatewayMisconfigured,
                "no such app",
            ));
        };
        let exchange = || async {
            let on_call = |outcome, took| self.metrics.wechat_call(app.app.index, outcome, took);
            let exchange = self.wechat.exchange(app, &request.code, on_call).await;
            exchange.inspect_err(|error| log(error, &app.app))
        };
        let grant = self
            .grants
            .grant(app.app.index, &request.code, exchange)
            .await;
        let grant = grant.map_err(|error| refuse(&error))?;
        let proven = self.prove(&request, &grant.exchange, &app.app)?;
        let open = || self.open(&app.app, &grant, &proven, announcer);
        let logged_in = self.still_open(grant.open(open).await?).await?;
        Ok((logged_in, proven.user_info().unwrap_or_default()))
    }

    /// Opens a session, once the backend was told if there is an `announcer`.
    async fn open(
        &self,
        app: &Arc<App>,
        grant: &Grant,
        proven: &Proven,
        announcer: Option<Announcer>,
    ) -> Result<LoggedIn, Refusal> {
        let exchange = &grant.exchange;
        let mut identity = identity(app, exchange, proven);
        let Said { account, data } = match announcer {
            Some(announcer) => {
                let keys = self.store.keys(app.index, &identity.openid).await?;
                let news = News {
                    identity: identity.clone(),
                    user_info: proven.user_info(),
                    is_first: keys.is_none(),
                };
                announcer.announce(news).await?
            }
            None => Said::default(),
        };
        identity.account = account;
        let opened = self.store.open(identity, exchange.session_key.clone());
        let opened = opened
            .await
            .map_err(|error| overloaded(with_causes(&error)))?;
        Ok(LoggedIn { opened, data })
    }

    /// Holds what came with a code.
    fn prove(
        &self,
        request: &LoginRequest,
        exchange: &Exchange,
        app: &App,
    ) -> Result<Proven, Refusal> {
        let keys = UserKeys {
            current: exchange.session_key.clone(),
            previous: None,
        };
        let (proofs, openid) = (&request.proofs, &exchange.openid);
        Ok(self.prover.hold(proofs, app, openid, &keys)?)
    }

    /// A skey that is told once more must still lead somewhere for good: its client may have logged out or rotated it since.
    async fn still_open(&self, logged_in: LoggedIn) -> Result<LoggedIn, Refusal> {
        let Opened { skey, session } = &logged_in.opened;
        let (digest, now) = (skey.digest(), self.clock.now());
        match self.store.holds(&digest, session, now).await? {
            Standing::Stands => Ok(logged_in),
            Standing::Moved(_) | Standing::Gone(_) => {
                let reason = "the session of this code has ended since";
                Err(Refusal::new(RefusalCode::LoginCodeUsed, reason))
            }
        }
    }

    fn tell(
        &self,
        logged_in: &LoggedIn,
        user_info: &Map<String, Value>,
        response: Option<&Template>,
    ) -> Response<Bytes> {
        let Opened { skey, session } = &logged_in.opened;
        let now = self.clock.now();
        let body = match response {
            Some(template) => template.fill(|place| match place {
                Placeholder::Data => logged_in.data.clone(),
                Placeholder::UserInfo => user_info.clone().into(),
                place => value_of(place, session, Some(skey), now),
            }),
            None => {
                json!({"skey": skey.reveal(), "expires_in": session.expires_in(now)})
            }
        };
        json_answer(StatusCode::OK, &body)
    }
}

fn overloaded(reason: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalCode::Overloaded, reason).retry_after(RETRY_AFTER)
}

/// Who logs in. Encrypted data may tell the unionid, which code2Session does not always do.
fn identity(app: &Arc<App>, exchange: &Exchange, proven: &Proven) -> Identity {
    let opened = proven.opened.as_ref();
    let unionid = opened.and_then(|data| data.unionid().and_then(WechatId::parse));
    Identity {
        app: Arc::clone(app),
        openid: exchange.openid.clone(),
        unionid: exchange.unionid.clone().or(unionid),
        account: Account::default(),
    }
}

/// Tells the operator what they must set right, and that WeChat fails; what clients do wrong stands in access lines.
fn log(error: &WeChatError, app: &App) {
    let (app, reason) = (app.name.as_str(), with_causes(error));
    match error {
        WeChatError::Misconfigured { .. } => {
            tracing::error!(app, %reason, "logins fail until the operator acts");
        }
        WeChatError::Unavailable(_) => tracing::warn!(app, %reason, "WeChat is unavailable"),
        WeChatError::CodeInvalid
        | WeChatError::CodeUsed
        | WeChatError::Blocked
        | WeChatError::RateLimited => {}
    }
}

/// What a client is told of WeChat's refusal.
fn refuse(error: &WeChatError) -> Refusal {
    let refuse = |code| Refusal::because(code, error);
    match error {
        WeChatError::CodeInvalid => refuse(RefusalCode::LoginCodeInvalid),
        WeChatError::CodeUsed => refuse(RefusalCode::LoginCodeUsed),
        WeChatError::Blocked => refuse(RefusalCode::LoginBlocked),
        WeChatError::RateLimited => refuse(RefusalCode::LoginRateLimited).retry_after(RATE_LIMIT),
        WeChatError::Misconfigured { .. } => refuse(RefusalCode::GatewayMisconfigured),
        WeChatError::Unavailable(_) => {
            refuse(RefusalCode::WechatUnavailable).retry_after(RETRY_AFTER)
        }
    }
}

#[cfg(test)]
mod tests;
