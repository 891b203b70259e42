//! The store of a config, told as one writes it.

use serde_json::{Value, json};

use super::upstreams::of_tls;
use super::{HIDDEN, span, texts};
use crate::config::plan::{RedisLogin, RedisPlan, RedisServers, StorePlan};

pub(super) fn store(plan: &StorePlan) -> Value {
    match plan {
        StorePlan::Memory => json!("memory"),
        StorePlan::Redis(plan) => of_redis(plan),
    }
}

fn of_redis(plan: &RedisPlan) -> Value {
    let RedisPlan {
        servers,
        database,
        login,
        tls,
        timeout,
        near_belief,
    } = plan;
    let mut told = json!({
        "database": database,
        "username": login.username,
        "password": password(login),
        "tls": tls.as_ref().map(of_tls),
        "timeout": span(*timeout),
        "near_belief": span(*near_belief),
    });
    let named = match servers {
        RedisServers::One(address) => json!({"redis": address.to_string()}),
        RedisServers::Sentinel {
            sentinels,
            master,
            login,
        } => json!({
            "redis_sentinel": texts(sentinels),
            "master": master,
            "sentinel_username": login.username,
            "sentinel_password": password(login),
        }),
        RedisServers::Cluster(seeds) => json!({"redis_cluster": texts(seeds)}),
    };
    if let (Some(told), Value::Object(named)) = (told.as_object_mut(), named) {
        told.extend(named);
    }
    told
}

fn password(login: &RedisLogin) -> Option<&'static str> {
    login.password.as_ref().map(|_| HIDDEN)
}
