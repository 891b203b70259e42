//! The store of the sessions as a config writes it. Knows nothing of what it means.

use toml::de::DeValue;

use super::{RawBackendTls, RawSecret, Text, Texts};
use crate::config::source::{At, Place};
use crate::config::table::Table;

/// `store = "…"` or `store = { … }`.
pub(in crate::config) enum RawStore {
    Named(Text),
    Redis(Box<RawRedis>),
}

/// `[sessions.store]`: Redis.
pub(in crate::config) struct RawRedis {
    pub(in crate::config) place: Place,
    pub(in crate::config) redis: Option<Text>,
    pub(in crate::config) redis_sentinel: Option<Texts>,
    pub(in crate::config) redis_cluster: Option<Texts>,
    pub(in crate::config) master: Option<Text>,
    pub(in crate::config) username: Option<Text>,
    pub(in crate::config) password: Option<RawSecret>,
    pub(in crate::config) sentinel_username: Option<Text>,
    pub(in crate::config) sentinel_password: Option<RawSecret>,
    pub(in crate::config) tls: Option<RawBackendTls>,
    pub(in crate::config) timeout: Option<Text>,
    pub(in crate::config) near_belief: Option<Text>,
}

impl RawStore {
    /// Where it is written.
    pub(in crate::config) fn place(&self) -> Place {
        match self {
            Self::Named(name) => name.place,
            Self::Redis(redis) => redis.place,
        }
    }

    /// Takes the store that `sessions` has.
    pub(in crate::config) fn take(sessions: &mut Table<'_>) -> Option<Self> {
        let At { value, place } = sessions.any("store")?;
        match value {
            DeValue::String(name) => Some(Self::Named(place.at(name.into_owned()))),
            other => sessions
                .open("store", place.at(other), RawRedis::fields)
                .map(|redis| Self::Redis(Box::new(redis))),
        }
    }
}

impl RawRedis {
    fn fields(store: &mut Table<'_>) -> Self {
        Self {
            place: store.place(),
            redis: store.text("redis"),
            redis_sentinel: store.some_texts("redis_sentinel"),
            redis_cluster: store.some_texts("redis_cluster"),
            master: store.text("master"),
            username: store.text("username"),
            password: RawSecret::take(store, "password"),
            sentinel_username: store.text("sentinel_username"),
            sentinel_password: RawSecret::take(store, "sentinel_password"),
            tls: store.table("tls", RawBackendTls::fields),
            timeout: store.duration("timeout"),
            near_belief: store.duration("near_belief"),
        }
    }
}
