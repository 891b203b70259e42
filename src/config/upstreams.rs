//! `[upstreams.NAME]`: the backends.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use http::uri::Authority;

use super::limits;
use super::plan::{ServerAddress, UpstreamPlan};
use super::raw::{RawUpstream, Text};
use super::source::Source;
use super::surroundings::Surroundings;
use super::units::duration;

pub(super) fn plan(
    raw: Vec<(Text, RawUpstream)>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Vec<UpstreamPlan> {
    let timeout = |written, default| source.accept(written, duration).unwrap_or(default);
    let plan = |(name, raw): (Text, RawUpstream)| UpstreamPlan {
        name: name.value,
        crowd: limits::crowd(raw.max_requests, raw.queue, source),
        servers: source.accept_all(raw.servers, |text| server(text, surroundings)),
        connect_timeout: timeout(raw.connect_timeout, Duration::from_secs(2)),
        timeout: timeout(raw.timeout, Duration::from_mins(1)),
    };
    raw.into_iter().map(plan).collect()
}

/// Why a text is no server.
#[derive(Debug, thiserror::Error)]
enum NoServer {
    #[error("`{0}` is no server; write \"http://HOST:PORT\", without path, query and user")]
    Form(String),
    #[error(
        "`{0}` asks for TLS, but this version speaks only http to backends; write \"http://…\""
    )]
    Tls(String),
    #[error("the name `{name}` does not resolve: {error}")]
    Unresolved {
        name: String,
        #[source]
        error: io::Error,
    },
}

fn server(text: &str, surroundings: &Surroundings) -> Result<ServerAddress, NoServer> {
    if text.starts_with("https://") {
        return Err(NoServer::Tls(text.to_owned()));
    }
    let address = address(text).ok_or_else(|| NoServer::Form(text.to_owned()))?;
    if address.host().parse::<IpAddr>().is_ok() {
        return Ok(address);
    }
    match (surroundings.look_up)(address.host(), address.port()) {
        Ok(()) => Ok(address),
        Err(error) => Err(NoServer::Unresolved {
            name: address.host().to_owned(),
            error,
        }),
    }
}

fn address(text: &str) -> Option<ServerAddress> {
    let authority: Authority = text.strip_prefix("http://")?.parse().ok()?;
    let host = authority.host();
    let is_bare = authority.as_str() == host;
    let has_port = authority.port_u16().is_some_and(|port| port > 0);
    let has_user = authority.as_str().contains('@');
    (!host.is_empty() && !has_user && (is_bare || has_port)).then(|| ServerAddress::new(authority))
}
