//! The URL of a Redis: `redis://[user[:password]@]host[:port][/db]`, `rediss://…` under TLS, or
//! `redis+unix:/path[?db=N]`. Knows no other key. What is wrong with one is told without it, for a password may be in it.

use std::path::PathBuf;

use http::uri::Authority;
use percent_encoding::percent_decode_str;

use super::plan::RedisAddress;
use crate::domain::secret::Secret;

/// The port of a Redis that names none.
const PORT: u16 = 6379;
/// The port of a sentinel that names none.
const SENTINEL_PORT: u16 = 26379;
/// The longest path of a unix socket that the system takes, in bytes.
const LONGEST_PATH: usize = 107;

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedisUrl {
    pub(super) address: RedisAddress,
    pub(super) is_secure: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: Option<i64>,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRedisUrl {
    #[error(
        "this is no URL of a Redis; write \"redis://HOST:PORT/DB\", \"rediss://HOST:PORT/DB\" or \"redis+unix:/PATH\""
    )]
    Form,
    #[error("this names no database; write its number behind the host, such as \"/0\"")]
    Database,
    #[error(
        "this path is too long for a unix socket, which has at most {LONGEST_PATH} bytes of one"
    )]
    TooLong,
}

/// Reads the URL of a Redis.
pub(super) fn redis(text: &str) -> Result<RedisUrl, NoRedisUrl> {
    read(text, PORT)
}

/// Reads the URL of a sentinel.
pub(super) fn sentinel(text: &str) -> Result<RedisUrl, NoRedisUrl> {
    read(text, SENTINEL_PORT)
}

fn read(text: &str, usual_port: u16) -> Result<RedisUrl, NoRedisUrl> {
    let over_unix = text.strip_prefix("redis+unix:");
    if let Some(path) = over_unix.or_else(|| text.strip_prefix("unix:")) {
        return unix(path.strip_prefix("//").unwrap_or(path));
    }
    let secure = text.strip_prefix("rediss://").map(|rest| (rest, true));
    let plain = || text.strip_prefix("redis://").map(|rest| (rest, false));
    let (rest, is_secure) = secure.or_else(plain).ok_or(NoRedisUrl::Form)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let password = decoded(password)?;
    Ok(RedisUrl {
        address: tcp(host, usual_port)?,
        is_secure,
        username: decoded(username)?,
        password: password.map(Secret::new),
        database: database(path)?,
    })
}

fn tcp(text: &str, usual_port: u16) -> Result<RedisAddress, NoRedisUrl> {
    let authority: Authority = text.parse().map_err(|_| NoRedisUrl::Form)?;
    let host = authority.host().trim_matches(['[', ']']);
    let has_port = authority.as_str().len() > authority.host().len();
    let port = match authority.port_u16() {
        Some(port) => port,
        None if has_port => return Err(NoRedisUrl::Form),
        None => usual_port,
    };
    if host.is_empty() || port == 0 {
        return Err(NoRedisUrl::Form);
    }
    let host = host.to_owned();
    Ok(RedisAddress::Tcp { host, port })
}

fn unix(rest: &str) -> Result<RedisUrl, NoRedisUrl> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let number = match query {
        "" => "",
        query => query.strip_prefix("db=").ok_or(NoRedisUrl::Database)?,
    };
    if !path.starts_with('/') {
        return Err(NoRedisUrl::Form);
    }
    if path.len() > LONGEST_PATH {
        return Err(NoRedisUrl::TooLong);
    }
    Ok(RedisUrl {
        address: RedisAddress::Unix(PathBuf::from(path)),
        is_secure: false,
        username: None,
        password: None,
        database: database(number)?,
    })
}

fn database(text: &str) -> Result<Option<i64>, NoRedisUrl> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.map(Some).ok_or(NoRedisUrl::Database)
}

/// None for nothing.
fn decoded(text: &str) -> Result<Option<String>, NoRedisUrl> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| NoRedisUrl::Form)?;
    Ok((!decoded.is_empty()).then(|| decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(host: &str, port: u16) -> RedisAddress {
        let host = host.to_owned();
        RedisAddress::Tcp { host, port }
    }

    #[test]
    fn a_url_says_where_a_redis_is_and_who_asks() {
        let url = redis("redis://127.0.0.1:6380/3").unwrap();
        assert_eq!(url.address, address("127.0.0.1", 6380));
        assert_eq!((url.is_secure, url.database), (false, Some(3)));
        assert_eq!((url.username, url.password), (None, None));
        let url = redis("rediss://gate:p%40ss:w@[::1]").unwrap();
        assert_eq!(url.address, address("::1", 6379));
        assert_eq!((url.is_secure, url.database), (true, None));
        assert_eq!(url.username.unwrap(), "gate");
        assert_eq!(url.password.unwrap().reveal(), "p@ss:w");
        let url = redis("redis://:pw@redis.internal/").unwrap();
        assert_eq!(url.address, address("redis.internal", 6379));
        assert_eq!(url.username, None);
        assert_eq!(url.password.unwrap().reveal(), "pw");
        assert_eq!(
            sentinel("redis://s1").unwrap().address,
            address("s1", 26379)
        );
        let url = redis("redis+unix:/run/redis.sock?db=2").unwrap();
        assert_eq!(url.address, RedisAddress::Unix("/run/redis.sock".into()));
        assert_eq!(url.database, Some(2));
    }

    #[test]
    fn what_is_no_url_is_told_without_being_shown() {
        let long = format!("redis+unix:/{}", "a".repeat(107));
        for (text, problem) in [
            ("", NoRedisUrl::Form),
            ("127.0.0.1:6379", NoRedisUrl::Form),
            ("http://127.0.0.1:6379", NoRedisUrl::Form),
            ("redis://", NoRedisUrl::Form),
            ("redis://:hunter2@", NoRedisUrl::Form),
            ("redis://a:b:hunter2", NoRedisUrl::Form),
            ("redis://h:0", NoRedisUrl::Form),
            ("redis://h:", NoRedisUrl::Form),
            ("redis://h:99999", NoRedisUrl::Form),
            ("redis+unix:run", NoRedisUrl::Form),
            ("redis://u:hunter2@h/x", NoRedisUrl::Database),
            ("redis://h/-1", NoRedisUrl::Database),
            ("redis://h/+1", NoRedisUrl::Database),
            ("redis+unix:/run/r?x", NoRedisUrl::Database),
            (&long, NoRedisUrl::TooLong),
        ] {
            let error = redis(text).unwrap_err();
            assert_eq!(error, problem, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(redis|rediss)://[a:@/%\\[\\]0-9?#é]{0,20}|.{0,20}") {
            let _ = redis(&text);
        }
    }
}
