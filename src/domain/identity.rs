//! Who a user is, in words that are safe to put in a header. Knows nothing of HTTP requests.

use std::fmt;
use std::sync::Arc;

use super::header_text::HeaderText;
use super::inline_text::InlineText;

/// The longest openid or unionid that is believed, in characters. WeChat's have 28.
const MAX_ID_LEN: usize = 128;

/// One mini-program as its sessions know it: its name in the config and its appid.
#[derive(Debug, PartialEq, Eq)]
pub struct App {
    /// The name of its table in the config, as in `[apps.shop]`.
    pub name: String,
    /// WeChat's id of it, as in `wx0123456789abcdef`.
    pub appid: WechatId,
    /// Its place among the configured apps.
    pub index: usize,
}

impl App {
    /// The one of `apps` that goes by `text`: its name, or else its appid.
    #[must_use]
    pub fn called<'a>(text: &str, apps: &'a [Arc<Self>]) -> Option<&'a Self> {
        let named = apps.iter().find(|app| app.name == text);
        let found = named.or_else(|| apps.iter().find(|app| app.appid.as_str() == text));
        found.map(Arc::as_ref)
    }
}

/// An id that WeChat gave: 1 to 128 ASCII letters, digits, `_` or `-`, and so always a valid header value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WechatId(InlineText);

impl WechatId {
    /// Takes `text` for an id, unless it has a character that no id of WeChat's has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_ID_LEN).contains(&text.len());
        let clean = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (fits && clean).then(|| Self(InlineText::new(text)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Ids name persons, so logs do not show them.
impl fmt::Debug for WechatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WechatId(…)")
    }
}

/// One thing that a backend is told about the user of a request, in a header of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The user in the mini-program.
    OpenId,
    /// The user across mini-programs, where WeChat tells it.
    UnionId,
    /// The mini-program.
    AppId,
    /// That a mini-program's user is behind the request at all: always `wx_client`, as WeChat CloudRun has it.
    Source,
    /// The user as the backend itself knows them, where it has said so.
    UserId,
    /// What the backend has said of the user under the configured claim at this place.
    Claim(usize),
}

/// What [`Fact::Source`] says.
const SOURCE: &[u8] = b"wx_client";

/// A user who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The mini-program that the user logged in to.
    pub app: Arc<App>,
    /// The user, as that mini-program knows them.
    pub openid: WechatId,
    /// The user, as all mini-programs of one owner know them, where WeChat tells it.
    pub unionid: Option<WechatId>,
    /// What the backend said of the user at the login.
    pub account: Account,
}

/// A user as the backend knows them; empty where it was not asked, or had nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its own id of the user.
    pub user_id: Option<HeaderText>,
    /// The value of each configured claim, in the order of the config; of none, if no claim has one.
    pub claims: Box<[Option<HeaderText>]>,
}

/// What a backend is told about the user of a request, wherever that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The mini-program that the user logged in to.
    pub app: &'a App,
    /// The user, as that mini-program knows them.
    pub openid: &'a WechatId,
    /// The user, as all mini-programs of one owner know them, where WeChat tells it.
    pub unionid: Option<&'a WechatId>,
    /// What the backend said of the user at the login, if it said anything.
    pub account: Option<&'a Account>,
}

impl Identity {
    /// What is known of the user.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            app: &self.app,
            openid: &self.openid,
            unionid: self.unionid.as_ref(),
            account: Some(&self.account).filter(|account| !account.is_empty()),
        }
    }
}

impl Account {
    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.user_id.is_none() && self.claims.is_empty()
    }
}

impl<'a> Facts<'a> {
    /// What is to be told of a fact, if it is known of this user: always a valid header value.
    #[must_use]
    pub fn tell(&self, fact: Fact) -> Option<&'a [u8]> {
        match fact {
            Fact::OpenId => Some(self.openid.as_bytes()),
            Fact::UnionId => self.unionid.map(WechatId::as_bytes),
            Fact::AppId => Some(self.app.appid.as_bytes()),
            Fact::Source => Some(SOURCE),
            Fact::UserId => self.account?.user_id.as_ref().map(HeaderText::as_bytes),
            Fact::Claim(place) => {
                let claim = self.account?.claims.get(place)?;
                claim.as_ref().map(HeaderText::as_bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn an_openid_of_wechat_is_an_id() {
        let id = WechatId::parse("oGZUI0egBJY1zhBYw2KhdUfwVJJE").unwrap();
        assert_eq!(id.as_str(), "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
        let header = HeaderValue::from_bytes(id.as_bytes()).unwrap();
        assert_eq!(header, "oGZUI0egBJY1zhBYw2KhdUfwVJJE");
    }

    #[test]
    fn an_id_has_up_to_128_characters_each_of_which_may_stand_in_a_header() {
        let alphabet = ('0'..='9')
            .chain('A'..='Z')
            .chain('a'..='z')
            .chain(['_', '-']);
        let long: String = alphabet.cycle().take(128).collect();
        let id = WechatId::parse(&long).unwrap();
        assert_eq!(HeaderValue::from_bytes(id.as_bytes()).unwrap(), &long);
        assert_eq!(id.as_str(), long);
    }

    #[test]
    fn nothing_that_could_break_a_header_is_an_id() {
        for text in [
            "",
            "a b",
            "a\r\nX-Admin: 1",
            "a,b",
            "用户",
            "a\0",
            &"a".repeat(129),
        ] {
            assert_eq!(WechatId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_does_not_show_in_debug_output() {
        let id = WechatId::parse("oSecretPerson").unwrap();
        assert!(!format!("{id:?}").contains("Secret"));
    }
}
