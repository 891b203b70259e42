//! The HTTP client for calls to WeChat, and how much it reads. Knows neither the calls nor what they say.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::error::Unavailable;
use crate::config::plan::WechatPlan;

/// The longest time until a connection stands.
const MAX_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an unused connection is kept: a server that closes one just as it is used again would cost a login.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How many unused connections are kept: a crowd of logins that WeChat left waiting must not leave as many behind.
const POOL_MAX_IDLE: usize = 64;
/// The longest reply that is read, in bytes. WeChat's have a few hundred.
const MAX_REPLY: usize = 64 * 1024;

/// Why WeChat cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum WeChatSetupError {
    /// `base_url` is no address.
    #[error("`base_url` of [wechat] is no URL")]
    BaseUrl(#[source] <Url as FromStr>::Err),
    /// https without anything to check certificates with.
    #[error("this machine has no CA certificates to know WeChat by: install `ca-certificates`")]
    NoRoots(#[source] Option<rustls_native_certs::Error>),
    /// TLS does not start.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client does not start.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Reads the address of one of WeChat's APIs.
pub(super) fn endpoint(plan: &WechatPlan, path: &str) -> Result<Url, WeChatSetupError> {
    Url::parse(&format!("{}{path}", plan.base_url)).map_err(WeChatSetupError::BaseUrl)
}

/// The CA certificates that `endpoint` needs: the machine's, or none at all without TLS.
pub(super) fn roots(endpoint: &Url) -> Result<RootCertStore, WeChatSetupError> {
    let mut roots = RootCertStore::empty();
    if endpoint.scheme() == "http" {
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.into_iter().next();
        return Err(WeChatSetupError::NoRoots(reason));
    }
    Ok(roots)
}

/// Makes the client for all calls to `endpoint`: it follows no redirect and keeps no cookie.
pub(super) fn client(
    plan: &WechatPlan,
    endpoint: &Url,
    roots: RootCertStore,
) -> Result<Client, WeChatSetupError> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls(roots)?)
        .user_agent(concat!("wxgate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(plan.timeout.min(MAX_CONNECT_TIMEOUT))
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .pool_max_idle_per_host(POOL_MAX_IDLE)
        .redirect(Policy::none())
        .referer(false)
        .http1_only();
    let builder = if is_loopback(endpoint) {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .build()
        .map_err(|error| WeChatSetupError::Client(error.without_url()))
}

/// Fetches the body of what is at `url`, all within `timeout`.
pub(super) async fn get(
    client: &Client,
    url: Url,
    timeout: Duration,
) -> Result<Vec<u8>, Unavailable> {
    fetch(client.get(url), timeout).await
}

/// Sends `json` to `url` and fetches the body of the answer, all within `timeout`.
pub(super) async fn post(
    client: &Client,
    url: Url,
    json: &Value,
    timeout: Duration,
) -> Result<Vec<u8>, Unavailable> {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .body(json.to_string());
    fetch(request, timeout).await
}

async fn fetch(request: RequestBuilder, timeout: Duration) -> Result<Vec<u8>, Unavailable> {
    let mut reply = request.timeout(timeout).send().await.map_err(failure)?;
    if !reply.status().is_success() {
        return Err(Unavailable::Status(reply.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(piece) = reply.chunk().await.map_err(failure)? {
        if body.len() + piece.len() > MAX_REPLY {
            return Err(Unavailable::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, WeChatSetupError> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(WeChatSetupError::Tls)?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn failure(error: reqwest::Error) -> Unavailable {
    // The URL holds the secret and the code, or an access token.
    let error = error.without_url();
    if error.is_connect() {
        Unavailable::Connect(error)
    } else if error.is_timeout() {
        Unavailable::Timeout
    } else {
        Unavailable::Broken(error)
    }
}

fn is_loopback(endpoint: &Url) -> bool {
    let host = endpoint.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests;
