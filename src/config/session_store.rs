//! `store` of `[sessions]`: where sessions are kept. Knows no connections.

use std::time::Duration;

use super::backend_tls;
use super::plan::{BackendTls, RedisAddress, RedisLogin, RedisPlan, RedisServers, StorePlan};
use super::raw::{RawBackendTls, RawRedis, RawStore, Text, Texts};
use super::redis_url::{self, NoRedisUrl, RedisUrl};
use super::secret;
use super::source::{Place, Source};
use super::surroundings::Surroundings;
use super::units::duration;
use crate::domain::secret::Secret;

/// Until a command is answered if the config does not say.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long what is near is believed if the config does not say.
const NEAR_BELIEF: Duration = Duration::from_secs(10);

const NO_STORE: &str = "`store` is no place for sessions; write store = \"memory\" or \
    store = { redis = \"redis://127.0.0.1:6379/0\" }";
const NO_SERVERS: &str =
    "a store in Redis is named by exactly one of `redis`, `redis_sentinel` and `redis_cluster`";
const NO_SENTINELS: &str =
    "`master` is what sentinels are asked for; name them in `redis_sentinel`";
const NO_MASTER: &str =
    "`master` is missing in [sessions.store]; write the name that the sentinels give it";

pub(super) fn plan(
    raw: Option<RawStore>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> StorePlan {
    match raw {
        None => StorePlan::Memory,
        Some(RawStore::Named(name)) => {
            if name.value != "memory" {
                source.problem(name.place, NO_STORE);
            }
            StorePlan::Memory
        }
        Some(RawStore::Redis(raw)) => redis(*raw, source, surroundings)
            .map_or(StorePlan::Memory, |plan| StorePlan::Redis(Box::new(plan))),
    }
}

/// What the URLs say together.
struct Named {
    servers: RedisServers,
    is_secure: bool,
    database: Option<i64>,
    /// Who is said to ask by the URL of a server that holds sessions.
    login: RedisLogin,
    /// The first of them.
    place: Place,
}

fn redis(mut raw: RawRedis, source: &Source<'_>, surroundings: &Surroundings) -> Option<RedisPlan> {
    let timeout = |written, usual| source.accept(written, duration).unwrap_or(usual);
    let (timeout, near_belief) = (
        timeout(raw.timeout.take(), TIMEOUT),
        timeout(raw.near_belief.take(), NEAR_BELIEF),
    );
    let secret = |raw: Option<_>| raw.and_then(|raw| secret::resolve(raw, source, surroundings));
    let password_place = raw.password.as_ref().map(super::raw::RawSecret::place);
    let password = secret(raw.password.take());
    let of_sentinels = RedisLogin {
        username: raw.sentinel_username.take().map(|name| name.value),
        password: secret(raw.sentinel_password.take()),
    };
    let (username, tls) = (raw.username.take(), raw.tls.take());
    let named = named(raw, of_sentinels, source)?;
    let written = (username, password.zip(password_place));
    Some(RedisPlan {
        database: named.database.unwrap_or(0),
        login: login(named.login, written, source),
        tls: security(tls, named.is_secure, named.place, source),
        servers: named.servers,
        timeout,
        near_belief,
    })
}

/// Who asks: as the keys say, or the URL.
fn login(
    by_url: RedisLogin,
    (username, password): (Option<Text>, Option<(Secret, Place)>),
    source: &Source<'_>,
) -> RedisLogin {
    let twice = |place, key| {
        let text = format!("the URL says `{key}` too; write it in one place");
        source.problem(place, text);
    };
    if let Some(username) = username.as_ref().filter(|_| by_url.username.is_some()) {
        twice(username.place, "username");
    }
    if let Some((_, place)) = password.as_ref().filter(|_| by_url.password.is_some()) {
        twice(*place, "password");
    }
    RedisLogin {
        username: username.map(|name| name.value).or(by_url.username),
        password: password.map(|(secret, _)| secret).or(by_url.password),
    }
}

fn security(
    raw: Option<RawBackendTls>,
    is_secure: bool,
    place: Place,
    source: &Source<'_>,
) -> Option<BackendTls> {
    if is_secure {
        return backend_tls::trust(raw, place.at(String::new()), &[], source);
    }
    if let Some(raw) = raw {
        let text = "this Redis does not speak TLS; write \"rediss://…\", or remove `tls`";
        source.problem(raw.place, text);
    }
    None
}

fn named(raw: RawRedis, of_sentinels: RedisLogin, source: &Source<'_>) -> Option<Named> {
    let one = raw
        .redis
        .map(|url| url.place.at(vec![url.place.at(url.value)]));
    let has_sentinels = raw.redis_sentinel.is_some();
    if let Some(master) = raw.master.as_ref().filter(|_| !has_sentinels) {
        source.problem(master.place, NO_SENTINELS);
    }
    match (one, raw.redis_sentinel, raw.redis_cluster) {
        (Some(one), None, None) => {
            let urls = Urls::read(one, redis_url::redis, source)?;
            let servers = RedisServers::One(urls.addresses.first()?.clone());
            Some(urls.named(servers))
        }
        (None, Some(sentinels), None) => {
            let mut urls = Urls::read(sentinels, redis_url::sentinel, source)?;
            let by_url = std::mem::take(&mut urls.login);
            let Some(master) = raw.master else {
                source.missing(raw.place, NO_MASTER);
                return None;
            };
            let servers = RedisServers::Sentinel {
                sentinels: urls.addresses.clone(),
                master: master.value,
                login: RedisLogin {
                    username: of_sentinels.username.or(by_url.username),
                    password: of_sentinels.password.or(by_url.password),
                },
            };
            Some(urls.named(servers))
        }
        (None, None, Some(cluster)) => {
            let urls = Urls::read(cluster, redis_url::redis, source)?;
            if urls.database.is_some_and(|database| database != 0) {
                source.problem(urls.place, "a cluster has the database 0 alone; write that");
            }
            let servers = RedisServers::Cluster(urls.addresses.clone());
            Some(urls.named(servers))
        }
        _ => {
            source.missing(raw.place, NO_SERVERS);
            None
        }
    }
}

/// A list of URLs that go together.
struct Urls {
    addresses: Vec<RedisAddress>,
    is_secure: bool,
    database: Option<i64>,
    login: RedisLogin,
    place: Place,
}

impl Urls {
    fn read(
        written: Texts,
        read: fn(&str) -> Result<RedisUrl, NoRedisUrl>,
        source: &Source<'_>,
    ) -> Option<Self> {
        let mut urls: Option<Self> = None;
        for text in written.value {
            let place = text.place;
            let Some(url) = source.accept(text, read) else {
                continue;
            };
            match &mut urls {
                None => urls = Some(Self::of(url, place)),
                Some(urls) => urls.add(url, place, source),
            }
        }
        urls
    }

    fn of(url: RedisUrl, place: Place) -> Self {
        Self {
            addresses: vec![url.address],
            is_secure: url.is_secure,
            database: url.database,
            login: RedisLogin {
                username: url.username,
                password: url.password,
            },
            place,
        }
    }

    fn add(&mut self, url: RedisUrl, place: Place, source: &Source<'_>) {
        let is_like_the_first = url.is_secure == self.is_secure
            && (url.database.is_none() || url.database == self.database)
            && (url.username.is_none() || url.username == self.login.username)
            && (url.password.is_none() || url.password == self.login.password);
        if !is_like_the_first {
            let text = "this says another scheme, user or database than the first; write the same";
            source.problem(place, text);
        }
        self.addresses.push(url.address);
    }

    fn named(self, servers: RedisServers) -> Named {
        Named {
            servers,
            is_secure: self.is_secure,
            database: self.database,
            login: self.login,
            place: self.place,
        }
    }
}
