//! code2Session: a login code becomes a user. Knows nothing of what a session is made of.

use std::time::Duration;

use super::client::WeChat;
use super::error::WeChatError;
use super::{reply, retry};
use crate::config::plan::AppPlan;
use crate::domain::identity::WechatId;
use crate::domain::login_code::LoginCode;
use crate::domain::session::SessionKey;

/// Who logged in.
#[derive(Debug)]
pub struct Exchange {
    /// The user in this app.
    pub openid: WechatId,
    /// The user across apps, where WeChat tells it.
    pub unionid: Option<WechatId>,
    /// The user's key.
    pub session_key: SessionKey,
}

impl WeChat {
    /// Exchanges a code for the user who got it.
    ///
    /// A call is repeated only where the code is certainly still good; `on_call` gets the outcome and the duration of
    /// each.
    ///
    /// # Errors
    ///
    /// WeChat refuses the code, the app or the user, or gives no usable answer before the deadline.
    pub async fn exchange(
        &self,
        app: &AppPlan,
        code: &LoginCode,
        on_call: impl Fn(&'static str, Duration),
    ) -> Result<Exchange, WeChatError> {
        let call = |time_left| self.log_in(app, code, time_left);
        retry::persist(self.deadline, call, on_call).await
    }

    async fn log_in(
        &self,
        app: &AppPlan,
        code: &LoginCode,
        time_left: Duration,
    ) -> Result<Exchange, WeChatError> {
        let (secret, code) = (app.secret.reveal(), code.reveal());
        let mut url = self.endpoints.login.clone();
        url.query_pairs_mut()
            .append_pair("appid", app.app.appid.as_str())
            .append_pair("secret", secret)
            .append_pair("js_code", code)
            .append_pair("grant_type", "authorization_code");
        let body = self.get(url, time_left).await?;
        reply::read(&body, &[secret, code])
    }
}

#[cfg(test)]
mod tests;
