//! Telling a backend of a login before the client is answered, and what becomes of a login that could not be told.
//! Knows no connections.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::said::Said;
use crate::config::plan::{OnFailure, OnLogin};
use crate::domain::identity::{Identity, WechatId};
use crate::domain::refusal::RefusalCode;
use crate::upstream::{Call, Caller, Event, Occasion};
use crate::wire::refusal::Refusal;

/// Tells the backend of one route's logins, on the occasion of one of them.
#[derive(Debug)]
pub struct Announcer {
    /// Where to, and what then.
    pub to: Arc<OnLogin>,
    /// The way there.
    pub caller: Caller,
    /// The login.
    pub occasion: Occasion,
}

/// What a backend is told of a login.
pub(super) struct News {
    pub(super) identity: Identity,
    /// What WeChat says of the user, if it was proven.
    pub(super) user_info: Option<Map<String, Value>>,
    /// Whether this gateway knows of no login of theirs before.
    pub(super) is_first: bool,
}

impl Announcer {
    /// Tells of a login, and gives what the backend says to that.
    pub(super) async fn announce(&self, news: News) -> Result<Said, Refusal> {
        let app = Arc::clone(&news.identity.app);
        let refusal = match self.ask(news).await {
            Ok(said) => return Ok(said),
            Err(refusal) if refusal.code == RefusalCode::LoginBlocked => return Err(refusal),
            Err(refusal) => refusal,
        };
        let (app, reason) = (app.name.as_str(), refusal.reason.as_ref());
        let request_id = self.occasion.request_id().as_str();
        match self.to.on_failure {
            OnFailure::Refuse => {
                tracing::warn!(
                    app,
                    request_id,
                    reason,
                    "on_login failed, the login is refused"
                );
                Err(refusal)
            }
            OnFailure::Pass => {
                tracing::warn!(
                    app,
                    request_id,
                    reason,
                    "on_login failed, the login goes on"
                );
                Ok(Said::default())
            }
        }
    }

    async fn ask(&self, news: News) -> Result<Said, Refusal> {
        let body = Bytes::from(news.to_json());
        let call = Call {
            upstream: self.to.upstream,
            path: self.to.path.path().clone(),
            event: Event::Login,
            identity: news.identity,
            occasion: self.occasion.clone(),
            body,
        };
        let reply = self.caller.call(call, self.to.timeout).await?;
        let failed = |reason| Refusal::new(RefusalCode::UpstreamFailed, reason);
        match reply.status {
            StatusCode::FORBIDDEN => {
                let reason = "the backend does not let this user in";
                Err(Refusal::new(RefusalCode::LoginBlocked, reason))
            }
            status if !status.is_success() => Err(failed(format!(
                "the backend answered on_login with {status}"
            ))),
            _ => {
                Said::read(&reply.body, &self.to.claims).map_err(|error| failed(error.to_string()))
            }
        }
    }
}

impl News {
    fn to_json(&self) -> String {
        let identity = &self.identity;
        let unionid = identity.unionid.as_ref().map(WechatId::as_str);
        let news = json!({
            "app": identity.app.name,
            "openid": identity.openid.as_str(),
            "unionid": unionid,
            "userInfo": self.user_info,
            "first_seen_here": self.is_first,
        });
        news.to_string()
    }
}
