//! A login: code → WeChat → session → skey. Knows no routes; what it does beside WeChat takes no time.

mod grants;
mod proofs;
mod request;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::config::plan::AppPlan;
use crate::domain::clock::Clock;
use crate::domain::identity::{App, Identity};
use crate::domain::refusal::RefusalCode;
use crate::domain::template::{Placeholder, Template};
use crate::metrics::Metrics;
use crate::store::{Opened, Store};
use crate::wechat::{WeChat, WeChatError};
use crate::wire::refusal::{Refusal, json_answer};

pub use request::LoginRequest;

use grants::{Grant, Grants};

/// How many logins wait for WeChat at a time; those beyond are told to come again.
const MOST_AT_A_TIME: usize = 4096;
/// When a client may come again whom WeChat did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When a client may come again whom WeChat found to come too often: its limit is counted by the minute.
const RATE_LIMIT: Duration = Duration::from_mins(1);

/// All that logins need, shared by the workers. What waits for WeChat runs on the control runtime, so that no worker
/// does, and goes on when its client has gone: the code is spent by then.
#[derive(Debug)]
pub struct Logins {
    apps: Vec<AppPlan>,
    wechat: WeChat,
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    grants: Grants,
    places: Semaphore,
    control: Handle,
}

impl Logins {
    /// Logins to `apps`. The same code gets the same skey for `replay` after its exchange.
    #[must_use]
    pub fn new(
        apps: Vec<AppPlan>,
        wechat: WeChat,
        store: Store,
        clock: Clock,
        replay: Duration,
        metrics: Arc<Metrics>,
        control: Handle,
    ) -> Self {
        let places = Semaphore::new(MOST_AT_A_TIME);
        let grants = Grants::new(replay, clock.clone());
        Self { apps, wechat, store, clock, metrics, grants, places, control }
    }

    /// Logs a user in to `app` and answers with the skey, in the shape of `response` if there is one.
    ///
    /// # Errors
    ///
    /// WeChat refuses or does not answer, a proof does not hold, or too many logins are under way.
    pub async fn answer(
        self: &Arc<Self>,
        app: &App,
        request: LoginRequest,
        response: Option<&Template>,
    ) -> Result<Response<Bytes>, Refusal> {
        let index = app.index;
        let this = Arc::clone(self);
        let login = self.control.spawn(async move { this.log_in(index, request).await });
        let result = login.await.unwrap_or_else(|error| {
            let reason = format!("the login broke off: {error}");
            Err(Refusal::new(RefusalCode::WechatUnavailable, reason).retry_after(RETRY_AFTER))
        });
        let outcome = result.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "ok");
        self.metrics.login(index, outcome);
        Ok(self.tell(&result?, response))
    }

    async fn log_in(&self, app: usize, request: LoginRequest) -> Result<Opened, Refusal> {
        let overloaded = |reason| Refusal::new(RefusalCode::Overloaded, reason);
        let Ok(_place) = self.places.try_acquire() else {
            return Err(overloaded("too many logins wait for WeChat").retry_after(RETRY_AFTER));
        };
        let Some(app) = self.apps.get(app) else {
            return Err(Refusal::new(RefusalCode::GatewayMisconfigured, "no such app"));
        };
        let exchange = || async {
            let on_call =
                |outcome, took| self.metrics.wechat_call(app.app.index, outcome, took);
            self.wechat.exchange(app, &request.code, on_call).await
        };
        let grant = self.grants.grant(app.app.index, &request.code, exchange).await;
        let grant = grant.map_err(|error| refuse(&error, &app.app))?;
        let proven = request.proofs.hold(&grant.exchange, &app.app)?;
        let opened = grant.opened.get_or_try_init(|| {
            let exchange = &grant.exchange;
            let identity = Identity {
                app: Arc::clone(&app.app),
                openid: exchange.openid.clone(),
                unionid: exchange.unionid.clone().or(proven.unionid),
            };
            self.store.open(identity, exchange.session_key.clone())
        });
        let opened = opened.await.map_err(|error| overloaded_by(&error))?;
        self.still_open(opened, &grant).await
    }

    /// A skey that is told again must still lead somewhere: the client may have logged out in between.
    async fn still_open(&self, opened: &Opened, _grant: &Grant) -> Result<Opened, Refusal> {
        match self.store.find(&opened.skey.digest()).await {
            Some(_) => Ok(opened.clone()),
            None => Err(Refusal::new(
                RefusalCode::LoginCodeUsed,
                "the session of this code has ended since",
            )),
        }
    }

    fn tell(&self, opened: &Opened, response: Option<&Template>) -> Response<Bytes> {
        let Opened { skey, session } = opened;
        let expires_in = session.time_left(self.clock.now()).as_secs();
        let body = match response {
            Some(template) => template.fill(|place| match place {
                Placeholder::Skey => skey.reveal().into(),
                Placeholder::ExpiresIn => expires_in.into(),
                Placeholder::OpenId => session.identity.openid.as_str().into(),
                Placeholder::UnionId => {
                    let unionid = session.identity.unionid.as_ref();
                    unionid.map(|id| id.as_str().into()).unwrap_or_default()
                }
                Placeholder::Code
                | Placeholder::Message
                | Placeholder::RequestId
                | Placeholder::Null => Value::Null,
            }),
            None => json!({"skey": skey.reveal(), "expires_in": expires_in}),
        };
        json_answer(StatusCode::OK, &body)
    }
}
