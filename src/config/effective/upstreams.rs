//! The backends of a config, told as one writes them.

use serde_json::{Value, json};

use super::{amount, span, texts};
use crate::config::plan::{BackendTls, Balance, CrowdPlan, FastCgiPlan, HealthPlan, UpstreamPlan};

pub(super) fn upstream(plan: &UpstreamPlan) -> Value {
    let UpstreamPlan {
        name: _,
        servers,
        balance,
        max_fails,
        fail_timeout,
        retries,
        health,
        host,
        tls,
        fastcgi,
        connect_timeout,
        timeout,
        crowd,
    } = plan;
    let crowd = crowd.map(
        |CrowdPlan {
             max_requests,
             queue,
         }| (max_requests, queue),
    );
    json!({
        "servers": texts(servers),
        "balance": match balance {
            Balance::RoundRobin => "round-robin",
            Balance::LeastConnections => "least-connections",
            Balance::OpenId => "openid",
        },
        "max_fails": max_fails,
        "fail_timeout": span(*fail_timeout),
        "retries": retries,
        "health": health.as_ref().map(of_health),
        "host": host.as_ref().map(|value| String::from_utf8_lossy(value.as_bytes())),
        "tls": tls.as_ref().map(of_tls),
        "fastcgi": fastcgi.as_deref().map(of_fastcgi),
        "connect_timeout": span(*connect_timeout),
        "timeout": span(*timeout),
        "max_requests": crowd.map(|(most, _)| most),
        "queue": crowd.map(|(_, queue)| queue),
    })
}

fn of_health(plan: &HealthPlan) -> Value {
    let HealthPlan {
        path,
        interval,
        timeout,
    } = plan;
    json!({"path": path.sent(), "interval": span(*interval), "timeout": span(*timeout)})
}

pub(super) fn of_tls(plan: &BackendTls) -> Value {
    let BackendTls {
        config: _,
        server_name,
    } = plan;
    json!({"server_name": server_name.as_ref().map(|name| name.to_str().into_owned())})
}

fn of_fastcgi(plan: &FastCgiPlan) -> Value {
    let FastCgiPlan {
        root,
        scripts,
        keep_alive,
        max_chunked_body,
    } = plan;
    json!({
        "root": root,
        "script": scripts.front(),
        "scripts": scripts.listed().collect::<Vec<_>>(),
        "keep_alive": keep_alive,
        "max_chunked_body": amount(*max_chunked_body),
    })
}
