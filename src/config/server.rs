//! `[server]`: the public listener and its limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

use super::plan::{ListenPlace, ListenPlan, ServerPlan};
use super::raw::{RawListen, RawServer};
use super::source::{At, Place, Source};
use super::surroundings::Surroundings;
use super::tls;
use super::units::{UnitError, duration, size};
use crate::domain::peer::ProxyHeaders;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

const PROXY_HEADERS: [(&str, ProxyHeaders); 2] = [
    ("x-forwarded", ProxyHeaders::XForwarded),
    ("forwarded", ProxyHeaders::Forwarded),
];

pub(super) fn plan(
    raw: Option<RawServer>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> ServerPlan {
    let raw = raw.unwrap_or_default();
    if raw.tls.is_empty() {
        refuse_without_tls(raw.hsts.as_ref().map(|hsts| hsts.place), "hsts", source);
        refuse_without_tls(
            raw.redirect.as_ref().map(|list| list.place),
            "redirect",
            source,
        );
    }
    let trusted = raw.trusted_proxies.as_ref();
    let trusts_some = trusted.is_some_and(|list| !list.value.is_empty());
    let places = |written| listen_plans(written, trusts_some, source);
    let timeout = |written, default| source.accept(written, duration).unwrap_or(default);
    ServerPlan {
        listen: raw.listen.map_or_else(default_listen, places),
        workers: count(raw.workers, cores()),
        trusted_proxies: source.accept_all(raw.trusted_proxies, network),
        proxy_headers: source
            .choose(raw.proxy_headers, "form of proxy headers", &PROXY_HEADERS)
            .unwrap_or(ProxyHeaders::XForwarded),
        max_connections: count(raw.max_connections, 20_000),
        max_connections_per_address: raw
            .max_connections_per_address
            .map(|written| count(Some(written), usize::MAX)),
        header_timeout: timeout(raw.header_timeout, Duration::from_secs(10)),
        idle_timeout: timeout(raw.idle_timeout, Duration::from_secs(75)),
        max_header_bytes: source
            .accept(raw.max_header_bytes, head_size)
            .unwrap_or(32 << 10),
        max_body: source.accept(raw.max_body, size).unwrap_or(10 << 20),
        drain_timeout: timeout(raw.drain_timeout, Duration::from_secs(30)),
        tls: tls::plan(raw.tls, source, surroundings),
        hsts: source.accept(raw.hsts, duration).map(strict_transport),
        redirect: raw.redirect.map(places).unwrap_or_default(),
        h2c: raw.h2c.unwrap_or_default(),
    }
}

fn default_listen() -> Vec<ListenPlan> {
    vec![ListenPlan {
        place: ListenPlace::Tcp(DEFAULT_LISTEN),
        proxy_protocol: false,
    }]
}

/// What is written of places to listen. Over a unix socket come those who may open its file, and what systemd passes is
/// not known yet.
fn listen_plans(
    written: At<Vec<RawListen>>,
    trusts_some: bool,
    source: &Source<'_>,
) -> Vec<ListenPlan> {
    let plan = |raw: RawListen| {
        let written = raw.address?;
        let at = written.place;
        let proxy_protocol = raw.proxy_protocol.unwrap_or_default();
        let place = source.accept(written, listen)?;
        if proxy_protocol && !trusts_some && matches!(place, ListenPlace::Tcp(_)) {
            let text = "`proxy_protocol` is believed of `trusted_proxies` alone, and there are none; \
                name those that connect here";
            source.problem(at, text);
        }
        Some(ListenPlan {
            place,
            proxy_protocol,
        })
    };
    written.value.into_iter().filter_map(plan).collect()
}

fn refuse_without_tls(place: Option<Place>, key: &str, source: &Source<'_>) {
    if let Some(place) = place {
        let text = format!("`{key}` says that clients are to come under TLS; give `tls` as well");
        source.problem(place, text);
    }
}

/// What tells browsers to come under TLS only for `span`.
fn strict_transport(span: Duration) -> HeaderValue {
    let text = format!("max-age={}", span.as_secs());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("max-age=0"))
}

/// A text that is no place to listen.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no address to listen on; write \"127.0.0.1:8080\", \"[::]:8080\", \
     \"unix:/run/wxgate/http.sock\" or \"systemd\""
)]
struct NoListen(String);

fn listen(text: &str) -> Result<ListenPlace, NoListen> {
    if text == "systemd" {
        return Ok(ListenPlace::Systemd);
    }
    let no_listen = || NoListen(text.to_owned());
    match text.strip_prefix("unix:") {
        Some(path) if path.starts_with('/') => Ok(ListenPlace::Unix(PathBuf::from(path))),
        Some(_) => Err(no_listen()),
        None => text.parse().map(ListenPlace::Tcp).map_err(|_| no_listen()),
    }
}

/// A text that is no network.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no network; write \"10.0.0.0/8\", or one address such as \"10.1.2.3\"")]
struct NoNetwork(String);

fn network(text: &str) -> Result<IpNet, NoNetwork> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| NoNetwork(text.to_owned()))
}

/// Why a text is no limit for a request head.
#[derive(Debug, thiserror::Error)]
enum NoHeadSize {
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("`{0}` is no room for a request head; write \"4KiB\" to \"256KiB\"")]
    Range(String),
}

fn head_size(text: &str) -> Result<usize, NoHeadSize> {
    match usize::try_from(size(text)?) {
        Ok(bytes) if (4 << 10..=256 << 10).contains(&bytes) => Ok(bytes),
        Ok(_) | Err(_) => Err(NoHeadSize::Range(text.to_owned())),
    }
}

fn count(written: Option<At<u64>>, default: usize) -> usize {
    written.map_or(default, |count| {
        usize::try_from(count.value).unwrap_or(usize::MAX)
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
