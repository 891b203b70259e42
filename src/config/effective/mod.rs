//! What a config means, told as one writes it: every key, also those that were left out, and no secret. It is made of what
//! is meant, never of what is written, so that nothing gets out that only stands in the file.

mod routes;
mod store;
mod upstreams;

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::plan::{
    AdminPlan, AppPlan, IdentityPlan, LimitsPlan, ListenPlace, ListenPlan, LogFormat, LogPlan,
    Plan, Rate, ServerPlan, SessionsPlan, StatePlan, WechatPlan,
};
use crate::domain::identity::Fact;
use crate::domain::peer::ProxyHeaders;
use crate::domain::token::TokenPlace;

use routes::{refusals, route};
use store::store;
use upstreams::upstream;

/// What stands for a secret.
const HIDDEN: &str = "***";
/// Units of time in milliseconds, the largest first.
const SPANS: [(&str, u128); 5] = [
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];
/// Units of bytes, the largest first.
const AMOUNTS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// The whole config in the shape of `gateway.toml`, as JSON. What is not there is null.
///
/// Each part is taken apart completely, so that a new key is not forgotten here.
#[must_use]
pub fn effective(plan: &Plan) -> Value {
    let Plan {
        server,
        admin,
        limits,
        wechat,
        apps,
        sessions,
        identity,
        upstreams,
        routes,
        route_table: _,
        refusals: shapes,
        log,
    } = plan;
    json!({
        "server": of_server(server),
        "admin": admin.as_ref().map(of_admin),
        "limits": of_limits(limits),
        "wechat": of_wechat(wechat),
        "apps": apps.iter().map(of_app).collect::<Map<_, _>>(),
        "sessions": of_sessions(sessions),
        "identity": of_identity(identity),
        "upstreams": upstreams.iter().map(|one| (one.name.clone(), upstream(one))).collect::<Map<_, _>>(),
        "routes": routes.iter().map(|one| route(one, plan)).collect::<Vec<_>>(),
        "refusals": refusals(shapes),
        "log": of_log(log),
    })
}

fn of_server(plan: &ServerPlan) -> Value {
    let ServerPlan {
        listen,
        workers,
        trusted_proxies,
        proxy_headers,
        max_connections,
        max_connections_per_address,
        header_timeout,
        idle_timeout,
        websocket_idle,
        max_header_bytes,
        max_body,
        drain_timeout,
        tls,
        hsts,
        redirect,
        h2c,
    } = plan;
    json!({
        "listen": listen.iter().map(listened).collect::<Vec<_>>(),
        "workers": workers,
        "trusted_proxies": texts(trusted_proxies),
        "proxy_headers": match proxy_headers {
            ProxyHeaders::XForwarded => "x-forwarded",
            ProxyHeaders::Forwarded => "forwarded",
        },
        "max_connections": max_connections,
        "max_connections_per_address": max_connections_per_address,
        "header_timeout": span(*header_timeout),
        "idle_timeout": span(*idle_timeout),
        "websocket_idle": span(*websocket_idle),
        "max_header_bytes": amount(u64::try_from(*max_header_bytes).unwrap_or(u64::MAX)),
        "max_body": amount(*max_body),
        "drain_timeout": span(*drain_timeout),
        "tls": tls.is_some(),
        "hsts": hsts.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes())),
        "redirect": redirect.iter().map(listened).collect::<Vec<_>>(),
        "h2c": h2c,
    })
}

fn listened(plan: &ListenPlan) -> Value {
    let ListenPlan {
        place,
        proxy_protocol,
    } = plan;
    let address = match place {
        ListenPlace::Tcp(address) => address.to_string(),
        ListenPlace::Unix(path) => format!("unix:{}", path.display()),
        ListenPlace::Systemd => "systemd".to_owned(),
    };
    json!({"address": address, "proxy_protocol": proxy_protocol})
}

fn of_admin(plan: &AdminPlan) -> Value {
    let AdminPlan { listen, token } = plan;
    json!({"listen": listen.to_string(), "token": token.as_ref().map(|_| HIDDEN)})
}

fn of_limits(plan: &LimitsPlan) -> Value {
    let LimitsPlan {
        requests_per_address,
        requests_per_user,
        logins_per_address,
        capacity,
    } = plan;
    json!({
        "requests_per_address": requests_per_address.map(rate),
        "requests_per_user": requests_per_user.map(rate),
        "logins_per_address": logins_per_address.map(rate),
        "capacity": capacity,
    })
}

fn rate(rate: Rate) -> Value {
    let Rate { every, burst } = rate;
    json!({"every_seconds": every.as_secs_f64(), "burst": burst})
}

fn of_wechat(plan: &WechatPlan) -> Value {
    let WechatPlan {
        base_url,
        timeout,
        deadline,
        open_data_max_age,
    } = plan;
    json!({
        "base_url": base_url,
        "timeout": span(*timeout),
        "deadline": span(*deadline),
        "open_data_max_age": open_data_max_age.map(span),
    })
}

fn of_app(plan: &AppPlan) -> (String, Value) {
    let AppPlan { app, secret: _ } = plan;
    let told = json!({"appid": app.appid.as_str(), "secret": HIDDEN});
    (app.name.clone(), told)
}

fn of_sessions(plan: &SessionsPlan) -> Value {
    let SessionsPlan {
        store: kept,
        limits,
        capacity,
        max_per_user,
        rotation,
        token,
        beside,
        login_replay,
        state,
        encryption_keys,
    } = plan;
    json!({
        "store": store(kept),
        "lifetime": span(limits.lifetime),
        "idle": span(limits.idle),
        "capacity": capacity,
        "max_sessions_per_user": max_per_user,
        "rotate_grace": rotation.map(span),
        "token": token.iter().map(token_place).collect::<Vec<_>>(),
        "beside": texts(beside),
        "login_replay": span(*login_replay),
        "state": state.as_ref().map(|StatePlan { file, .. }| file.display().to_string()),
        "state_interval": state.as_ref().map(|StatePlan { interval, .. }| span(*interval)),
        "encryption_keys": encryption_keys.iter().map(|_| HIDDEN).collect::<Vec<_>>(),
    })
}

fn token_place(place: &TokenPlace) -> String {
    match place {
        TokenPlace::Header(name) => format!("header:{name}"),
        TokenPlace::Bearer => "bearer".to_owned(),
        TokenPlace::Query(name) => format!("query:{name}"),
        TokenPlace::Cookie(name) => format!("cookie:{name}"),
        TokenPlace::Form(name) => format!("form:{name}"),
        TokenPlace::Json(name) => format!("json:{name}"),
        TokenPlace::Subprotocol(prefix) => format!("subprotocol:{prefix}"),
    }
}

fn of_identity(plan: &IdentityPlan) -> Value {
    let IdentityPlan { headers, claims } = plan;
    let told = headers.iter().map(|header| {
        let fact = match header.fact {
            Fact::OpenId => "openid",
            Fact::UnionId => "unionid",
            Fact::AppId => "appid",
            Fact::Source => "source",
            Fact::UserId => "user_id",
            Fact::Claim(place) => claims.get(place).map_or("claim", String::as_str),
        };
        (fact.to_owned(), json!(header.name.as_str()))
    });
    Value::Object(told.collect())
}

fn of_log(plan: &LogPlan) -> Value {
    let LogPlan { format, level } = plan;
    let format = match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    json!({"format": format, "level": level})
}

/// A span of time as configs write it.
fn span(span: Duration) -> String {
    let millis = span.as_millis();
    let fits = SPANS.iter().find(|(_, unit)| millis.is_multiple_of(*unit));
    let (name, unit) = fits.filter(|_| millis > 0).unwrap_or(&("s", 1000));
    format!("{}{name}", millis / unit)
}

/// An amount of bytes as configs write it.
fn amount(bytes: u64) -> String {
    let fits = AMOUNTS.iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    let (name, unit) = fits.filter(|_| bytes > 0).unwrap_or(&("B", 1));
    format!("{}{name}", bytes / unit)
}

fn texts<T: Display>(all: &[T]) -> Vec<String> {
    all.iter().map(T::to_string).collect()
}

#[cfg(test)]
mod tests;
