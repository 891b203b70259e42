//! WeChat's API as all calls share it: connections, times, access tokens. Knows not what the calls ask and say.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Url};
use serde_json::Value;
use tokio::time::Instant;

use super::access_token::{AccessToken, AccessTokens};
use super::error::{Unavailable, WeChatError};
use super::transport::WeChatSetupError;
use super::{retry, transport};
use crate::config::plan::{AppPlan, WechatPlan};
use crate::domain::clock::Clock;

/// WeChat's API. Clones share their connections and their access tokens.
#[derive(Clone, Debug)]
pub struct WeChat {
    client: Client,
    pub(super) endpoints: Arc<Endpoints>,
    timeout: Duration,
    pub(super) deadline: Duration,
    tokens: AccessTokens,
}

/// Where each of the calls goes.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) login: Url,
    pub(super) access_token: Url,
    pub(super) session_key: Url,
    pub(super) phone_number: Url,
}

impl WeChat {
    /// Prepares calls; none is made yet. Access tokens grow old by `clock`.
    ///
    /// # Errors
    ///
    /// The base URL is none, or the machine has no CA certificates and the base URL needs them.
    pub fn new(plan: &WechatPlan, clock: Clock) -> Result<Self, WeChatSetupError> {
        let endpoint = |path| transport::endpoint(plan, path);
        let endpoints = Endpoints {
            login: endpoint("/sns/jscode2session")?,
            access_token: endpoint("/cgi-bin/stable_token")?,
            session_key: endpoint("/wxa/checksession")?,
            phone_number: endpoint("/wxa/business/getuserphonenumber")?,
        };
        let roots = transport::roots(&endpoints.login)?;
        Ok(Self {
            client: transport::client(plan, &endpoints.login, roots)?,
            endpoints: Arc::new(endpoints),
            timeout: plan.timeout,
            deadline: plan.deadline,
            tokens: AccessTokens::new(clock),
        })
    }

    /// Fetches what is at `url`, within the time for one call.
    pub(super) async fn get(&self, url: Url, time_left: Duration) -> Result<Vec<u8>, Unavailable> {
        transport::get(&self.client, url, self.timeout.min(time_left)).await
    }

    /// Sends `json` to `url` and fetches the answer, within the time for one call.
    pub(super) async fn post(
        &self,
        url: Url,
        json: &Value,
        time_left: Duration,
    ) -> Result<Vec<u8>, Unavailable> {
        transport::post(&self.client, url, json, self.timeout.min(time_left)).await
    }

    /// Makes a call with the app's access token until WeChat decides or the deadline is there. Where WeChat does not take
    /// the token, the call is made once more, with another one.
    pub(super) async fn with_token<T, F>(
        &self,
        app: &AppPlan,
        call: impl Fn(AccessToken, Duration) -> F,
        on_call: impl Fn(&'static str, Duration),
    ) -> Result<T, Arc<WeChatError>>
    where
        F: Future<Output = Result<T, WeChatError>>,
    {
        let begun = Instant::now();
        let time_left = || self.deadline.saturating_sub(begun.elapsed());
        let attempt = async || {
            let fetch = |force| {
                let fetch = move |time_left| self.fetch_token(app, force, time_left);
                retry::persist(time_left(), fetch, &on_call)
            };
            let token = self.tokens.get(&app.app, fetch).await?;
            let call = |time_left| call(token.clone(), time_left);
            let answer = retry::persist(time_left(), call, &on_call).await;
            if answer.as_ref().is_err_and(WeChatError::is_of_token) {
                self.tokens.forget(&app.app, &token);
            }
            answer.map_err(Arc::new)
        };
        match attempt().await {
            Err(error) if error.is_of_token() => attempt().await,
            answer => answer,
        }
    }
}
