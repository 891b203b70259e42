//! `[wechat]`: how to speak to WeChat.

use std::net::IpAddr;
use std::time::Duration;

use http::Uri;

use super::plan::WechatPlan;
use super::raw::RawWechat;
use super::source::Source;
use super::units::duration;

const DEFAULT_BASE_URL: &str = "https://api.weixin.qq.com";

pub(super) fn plan(raw: Option<RawWechat>, source: &Source<'_>) -> WechatPlan {
    let raw = raw.unwrap_or_default();
    let timeout = |written, default| source.accept(written, duration).unwrap_or(default);
    WechatPlan {
        base_url: source
            .accept(raw.base_url, base_url)
            .unwrap_or_else(|| DEFAULT_BASE_URL.to_owned()),
        timeout: timeout(raw.timeout, Duration::from_secs(3)),
        deadline: timeout(raw.deadline, Duration::from_secs(8)),
        open_data_max_age: source.accept(raw.open_data_max_age, duration),
    }
}

/// Why a text is no address of WeChat.
#[derive(Debug, thiserror::Error)]
enum NoBaseUrl {
    #[error("`{0}` is no URL to call; write \"https://api.weixin.qq.com\"")]
    Form(String),
    #[error("`{0}` would send the app secret in clear; use https, except on this machine")]
    Clear(String),
}

fn base_url(text: &str) -> Result<String, NoBaseUrl> {
    let form = || NoBaseUrl::Form(text.to_owned());
    let url: Uri = text.parse().map_err(|_| form())?;
    let host = url
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(form)?;
    let has_user = url
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if has_user || url.query().is_some() || text.contains('#') {
        return Err(form());
    }
    match url.scheme_str() {
        Some("https") => {}
        Some("http") if is_loopback(host) => {}
        Some("http") => return Err(NoBaseUrl::Clear(text.to_owned())),
        Some(_) | None => return Err(form()),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip: IpAddr| ip.is_loopback())
}
