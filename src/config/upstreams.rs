//! `[upstreams.NAME]`: the backends.

use std::time::Duration;

use http::HeaderValue;

use super::backend_tls;
use super::fastcgi;
use super::limits;
use super::plan::{Balance, HealthPlan, UpstreamPlan};
use super::raw::{RawHealth, RawUpstream, Text};
use super::servers::server;
use super::source::{At, Source};
use super::surroundings::Surroundings;
use super::units::duration;
use crate::domain::host::Host;
use crate::domain::path::{PathError, RequestPath};

pub(super) fn plan(
    raw: Vec<(Text, RawUpstream)>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Vec<UpstreamPlan> {
    let timeout = |written, default| source.accept(written, duration).unwrap_or(default);
    let plan = |(name, raw): (Text, RawUpstream)| {
        let place = raw.servers.as_ref().map(|servers| servers.place);
        let servers = source.accept_all(raw.servers, |text| server(text, surroundings));
        let fastcgi = fastcgi::plan(&name.value, raw.scripts, (&servers, place), source);
        UpstreamPlan {
            name: name.value,
            fastcgi: fastcgi.map(Box::new),
            crowd: limits::crowd(raw.max_requests, raw.queue, source),
            host: source.accept(raw.host, host),
            balance: source
                .choose(raw.balance, "way to balance", &BALANCES)
                .unwrap_or(Balance::RoundRobin),
            max_fails: raw.max_fails.as_ref().map_or(3, count),
            retries: raw.retries.as_ref().map_or(0, count),
            fail_timeout: timeout(raw.fail_timeout, Duration::from_secs(10)),
            health: raw.health.and_then(|raw| health(raw, source)),
            tls: backend_tls::plan(raw.tls, &servers, place, source),
            servers,
            connect_timeout: timeout(raw.connect_timeout, Duration::from_secs(2)),
            timeout: timeout(raw.timeout, Duration::from_mins(1)),
        }
    };
    raw.into_iter().map(plan).collect()
}

const BALANCES: [(&str, Balance); 3] = [
    ("round-robin", Balance::RoundRobin),
    ("least-connections", Balance::LeastConnections),
    ("openid", Balance::OpenId),
];

fn count(written: &At<u64>) -> u32 {
    u32::try_from(written.value).unwrap_or(u32::MAX)
}

fn health(raw: RawHealth, source: &Source<'_>) -> Option<HealthPlan> {
    let timeout = |written, default| source.accept(written, duration).unwrap_or(default);
    let (interval, patience) = (
        timeout(raw.interval, Duration::from_secs(5)),
        timeout(raw.timeout, Duration::from_secs(2)),
    );
    Some(HealthPlan {
        path: source.accept(raw.path, health_path)?,
        interval,
        timeout: patience,
    })
}

/// Why a text is nothing to ask a server for.
#[derive(Debug, thiserror::Error)]
enum NoPath {
    #[error("`{0}` cannot stand in this path; write one path alone, such as \"/healthz\"")]
    Delimiter(char),
    #[error("no request can have this path: {0}")]
    Path(#[from] PathError),
}

fn health_path(text: &str) -> Result<RequestPath<'static>, NoPath> {
    match text.chars().find(|c| matches!(c, '*' | '?' | '#')) {
        Some(delimiter) => Err(NoPath::Delimiter(delimiter)),
        None => Ok(RequestPath::parse(text)?.into_owned()),
    }
}

/// A text that is no `Host`.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no host; write a name or an address, such as \"api.internal\" or \"api.internal:8080\""
)]
struct NoHost(String);

fn host(text: &str) -> Result<HeaderValue, NoHost> {
    let value = Host::parse(text).and_then(|_| HeaderValue::from_str(text).ok());
    value.ok_or_else(|| NoHost(text.to_owned()))
}
