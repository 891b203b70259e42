//! What is asked about sessions, read strictly: whoever ends sessions should not be guessed at. Knows no store.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use crate::domain::identity::{App, WechatId};
use crate::domain::session_id::SessionId;
use crate::store::{Listing, Whose};

/// How many sessions a page has, unless something else is asked for.
const USUAL: usize = 50;
/// The most that it may have.
const MOST: usize = 1000;
/// The longest cursor.
const LONGEST_CURSOR: usize = 512;

/// Why a request is not understood, and what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("an id is 32 hexadecimal digits in lower case, as /api/sessions lists them")]
    Id,
    #[error("`app` is the name or the appid of one of the [apps]")]
    App,
    #[error("`openid` is 1 to 128 letters, digits, `_` and `-`, as WeChat gives them")]
    OpenId,
    #[error("an openid is of one app: give `app` too")]
    OpenIdAlone,
    #[error("`limit` is a number from 1 to 1000")]
    Limit,
    #[error("`cursor` is the `next` of the page before, as it was")]
    Cursor,
    #[error("there are the parameters app, openid, limit and cursor, each at most once")]
    Parameter,
    #[error(
        "this needs a JSON object with the text app, for all users of an app, or with the texts app and openid, for one"
    )]
    Body,
}

/// Reads the id of a session.
pub(super) fn id(text: &str) -> Result<SessionId, Bad> {
    SessionId::parse(text).ok_or(Bad::Id)
}

/// Reads which sessions a query asks for.
pub(super) fn listing(query: &str, apps: &[Arc<App>]) -> Result<Listing, Bad> {
    let (mut app, mut openid, mut limit, mut cursor) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = match name.as_ref() {
            "app" => &mut app,
            "openid" => &mut openid,
            "limit" => &mut limit,
            "cursor" => &mut cursor,
            _ => return Err(Bad::Parameter),
        };
        if place.replace(value.into_owned()).is_some() {
            return Err(Bad::Parameter);
        }
    }
    let app = app.map(|app| place(&app, apps)).transpose()?;
    let openid = openid.map(|text| WechatId::parse(&text).ok_or(Bad::OpenId));
    let whose = match (app, openid.transpose()?) {
        (None, None) => Whose::Anyone,
        (None, Some(_)) => return Err(Bad::OpenIdAlone),
        (Some(app), None) => Whose::App(app),
        (Some(app), Some(openid)) => Whose::User { app, openid },
    };
    Ok(Listing {
        whose,
        limit: limit.map_or(Ok(USUAL), |text| number(&text))?,
        cursor: cursor.map(clean).transpose()?,
    })
}

/// Reads of which app, and of which user of it if of one, the sessions are to end.
pub(super) fn revoked(body: &[u8], apps: &[Arc<App>]) -> Result<(usize, Option<WechatId>), Bad> {
    let Asked { app, openid } = serde_json::from_slice(body).map_err(|_| Bad::Body)?;
    let app = place(&app, apps)?;
    let openid = openid.map(|text| WechatId::parse(&text).ok_or(Bad::OpenId));
    Ok((app, openid.transpose()?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    app: String,
    /// An openid that is null is none that is missing: a script that has none should not end all sessions of an app.
    #[serde(default, deserialize_with = "text")]
    openid: Option<String>,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

fn place(text: &str, apps: &[Arc<App>]) -> Result<usize, Bad> {
    App::called(text, apps).map(|app| app.index).ok_or(Bad::App)
}

fn number(text: &str) -> Result<usize, Bad> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
    number.filter(|_| is_plain).ok_or(Bad::Limit)
}

fn clean(cursor: String) -> Result<String, Bad> {
    let is_clean = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_cursor = (1..=LONGEST_CURSOR).contains(&cursor.len()) && cursor.bytes().all(is_clean);
    if is_cursor {
        Ok(cursor)
    } else {
        Err(Bad::Cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apps() -> Vec<Arc<App>> {
        let app = |(index, name): (usize, &str)| {
            Arc::new(App {
                name: name.to_owned(),
                appid: WechatId::parse(&format!("wx-{name}")).unwrap(),
                index,
            })
        };
        ["shop", "game"].into_iter().enumerate().map(app).collect()
    }

    fn openid(text: &str) -> WechatId {
        WechatId::parse(text).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_listed_and_what_is_not_said_is_as_usual() {
        let listed = |query| listing(query, &apps()).unwrap();
        let all = Listing {
            whose: Whose::Anyone,
            limit: 50,
            cursor: None,
        };
        assert_eq!(listed(""), all);
        assert_eq!(listed("app=game").whose, Whose::App(1));
        let whole = Listing {
            whose: Whose::User {
                app: 0,
                openid: openid("o-A_1"),
            },
            limit: 1000,
            cursor: Some("aZ09-_.".to_owned()),
        };
        assert_eq!(
            listed("cursor=aZ09-_.&openid=o-A%5f1&limit=1000&app=wx-shop"),
            whole
        );
    }

    #[test]
    fn every_bad_parameter_is_told_what_would_be_right() {
        let long = format!("cursor={}", "a".repeat(LONGEST_CURSOR + 1));
        for (query, bad) in [
            ("app=", Bad::App),
            ("app=toys", Bad::App),
            ("app=shop&openid=", Bad::OpenId),
            ("app=shop&openid=a%20b", Bad::OpenId),
            ("openid=alice", Bad::OpenIdAlone),
            ("limit=", Bad::Limit),
            ("limit=0", Bad::Limit),
            ("limit=1001", Bad::Limit),
            ("limit=%2B5", Bad::Limit),
            ("limit=-1", Bad::Limit),
            ("limit=5.0", Bad::Limit),
            ("limit=99999999999999999999999", Bad::Limit),
            ("cursor=", Bad::Cursor),
            ("cursor=a%00b", Bad::Cursor),
            ("cursor=%2A", Bad::Cursor),
            (long.as_str(), Bad::Cursor),
            ("app=shop&app=game", Bad::Parameter),
            ("user=alice", Bad::Parameter),
            ("App=shop", Bad::Parameter),
        ] {
            assert_eq!(listing(query, &apps()), Err(bad), "{query}");
        }
    }

    #[test]
    fn only_a_user_or_an_app_that_is_named_in_full_is_revoked() {
        let read = |body: &str| revoked(body.as_bytes(), &apps());
        assert_eq!(read(r#"{"app":"game"}"#), Ok((1, None)));
        let alice = Some(openid("alice"));
        assert_eq!(
            read(r#"{"openid":"alice","app":"wx-shop"}"#),
            Ok((0, alice))
        );
        for body in [
            "",
            "{}",
            "[]",
            "\"shop\"",
            "null",
            r#"{"app":null}"#,
            r#"{"app":1}"#,
            r#"{"app":["shop"]}"#,
            r#"{"openid":"alice"}"#,
            r#"{"app":"shop","openid":null}"#,
            r#"{"app":"shop","openid":7}"#,
            r#"{"app":"shop","openId":"alice"}"#,
            r#"{"app":"shop","app":"game"}"#,
            r#"{"app":"shop","openid":"a","openid":"b"}"#,
            r#"{"app":"shop"} x"#,
            r#"{"app":"shop""#,
            "app=shop",
        ] {
            assert_eq!(read(body), Err(Bad::Body), "{body}");
        }
        assert_eq!(read(r#"{"app":"toys"}"#), Err(Bad::App));
        for user in ["", " alice", "a/b", "\\u0000"] {
            let body = format!(r#"{{"app":"shop","openid":"{user}"}}"#);
            assert_eq!(read(&body), Err(Bad::OpenId), "{body}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_a_listing_within_its_bounds_or_bad(query in "[a-z=&%0-9.*-]{0,60}|.{0,60}") {
            if let Ok(listing) = listing(&query, &apps()) {
                prop_assert!((1..=MOST).contains(&listing.limit));
            }
        }

        #[test]
        fn whatever_body_comes_revokes_an_app_only_if_it_says_no_openid(body in ".{0,80}") {
            if let Ok((_, None)) = revoked(body.as_bytes(), &apps()) {
                prop_assert!(!body.contains("openid"));
            }
        }
    }
}
