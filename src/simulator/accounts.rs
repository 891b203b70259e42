//! The simulator's mini-programs, users and codes, and the rules of code2Session and checksession. Knows nothing of
//! HTTP.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access_tokens::AccessTokens;
use super::phone_codes::PhoneCodes;

/// How long a code is good.
const CODE_LIFETIME: Duration = Duration::from_mins(5);
/// The characters of a code.
const CODE_LEN: usize = 32;
/// The characters of an openid.
const OPENID_LEN: usize = 28;

/// An errcode of WeChat's.
pub(super) type Errcode = i64;

/// Who exists, and which codes are out.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    secrets: HashMap<String, String>,
    codes: HashMap<String, Code>,
    key_versions: HashMap<(String, String), u64>,
    unionids: HashMap<String, String>,
    renews_keys: bool,
    /// Who logged in, by appid and openid.
    users: HashMap<(String, String), String>,
    pub(super) tokens: AccessTokens,
    pub(super) phone_codes: PhoneCodes,
}

#[derive(Debug)]
struct Code {
    user: String,
    /// The only app that may exchange it, if there is one.
    appid: Option<String>,
    expires_at: Duration,
    is_used: bool,
}

impl Accounts {
    pub(super) fn register_app(&mut self, appid: &str, secret: &str) {
        self.secrets.insert(appid.to_owned(), secret.to_owned());
    }

    pub(super) fn issue_code(&mut self, user: &str) -> String {
        let text: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(CODE_LEN)
            .collect();
        let code = Code {
            user: user.to_owned(),
            appid: None,
            expires_at: now().saturating_add(CODE_LIFETIME),
            is_used: false,
        };
        self.codes.insert(text.clone(), code);
        text
    }

    /// Makes a code one of this app alone.
    pub(super) fn bind_code(&mut self, text: &str, appid: &str) {
        if let Some(code) = self.codes.get_mut(text) {
            code.appid = Some(appid.to_owned());
        }
    }

    pub(super) fn age_codes(&mut self, span: Duration) {
        for code in self.codes.values_mut() {
            code.expires_at = code.expires_at.saturating_sub(span);
        }
        self.phone_codes.age(span);
    }

    pub(super) fn renew_keys(&mut self, renew: bool) {
        self.renews_keys = renew;
    }

    pub(super) fn renew_key(&mut self, appid: &str, user: &str) {
        let name = (appid.to_owned(), user.to_owned());
        *self.key_versions.entry(name).or_default() += 1;
    }

    pub(super) fn set_unionid(&mut self, user: &str, unionid: Option<&str>) {
        match unionid {
            Some(unionid) => self.unionids.insert(user.to_owned(), unionid.to_owned()),
            None => self.unionids.remove(user),
        };
    }

    pub(super) fn session_key_of(&self, appid: &str, user: &str) -> [u8; 16] {
        let version = self
            .key_versions
            .get(&(appid.to_owned(), user.to_owned()))
            .map_or(0, |version| *version);
        let digest = derive(&["session_key", appid, user, &version.to_string()]);
        let mut key = [0; 16];
        for (byte, random) in key.iter_mut().zip(digest) {
            *byte = random;
        }
        key
    }

    /// Answers code2Session: with the user's ids and key, or with an errcode.
    pub(super) fn exchange(&mut self, query: &HashMap<String, String>) -> Result<Value, Errcode> {
        let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
        let appid = given("appid").ok_or(41002)?;
        let secret = given("secret").ok_or(41004)?;
        let text = given("js_code").ok_or(41008)?;
        if given("grant_type").is_none_or(|kind| kind != "authorization_code") {
            return Err(40002);
        }
        self.know(appid, secret)?;
        let user = self.use_up(text, appid)?;
        Ok(self.log_in(appid, &user))
    }

    /// Answers `stable_token`: with a token, or with an errcode.
    pub(super) fn access_token(&mut self, asked: &Value) -> Result<Value, Errcode> {
        let given = |name: &str| asked.get(name).and_then(Value::as_str);
        if given("grant_type") != Some("client_credential") {
            return Err(40002);
        }
        let appid = given("appid").ok_or(41002)?;
        self.know(appid, given("secret").ok_or(41004)?)?;
        let force = asked.get("force_refresh").and_then(Value::as_bool);
        Ok(self.tokens.issue(appid, force.unwrap_or_default()))
    }

    /// Answers checksession: that the signature was made with the user's key, or an errcode.
    pub(super) fn check_key(&self, query: &HashMap<String, String>) -> Result<Value, Errcode> {
        let appid = self.tokens.holder(query.get("access_token"))?;
        let given = |name: &str| query.get(name).map(String::as_str);
        let openid = given("openid").unwrap_or_default().to_owned();
        let user = self.users.get(&(appid.clone(), openid)).ok_or(40003)?;
        let key = super::seal::key_text(&self.session_key_of(&appid, user));
        let is_signed = given("sig_method") == Some("hmac_sha256")
            && given("signature") == Some(&super::seal::sign_nothing(&key));
        if !is_signed {
            return Err(87009);
        }
        Ok(json!({"errcode": 0, "errmsg": "ok"}))
    }

    /// Answers getuserphonenumber: with the number, or with an errcode.
    pub(super) fn phone_number(
        &mut self,
        query: &HashMap<String, String>,
        asked: &Value,
    ) -> Result<Value, Errcode> {
        let appid = self.tokens.holder(query.get("access_token"))?;
        self.phone_codes.exchange(&appid, asked)
    }

    /// Adds to an object what WeChat adds to all data of a user.
    pub(super) fn marked(&self, appid: &str, user: &str, mut payload: Value) -> Value {
        if let Value::Object(members) = &mut payload {
            let mut add = |name: &str, value: Value| {
                members.entry(name).or_insert(value);
            };
            add("openId", openid_of(appid, user).into());
            if let Some(unionid) = self.unionids.get(user) {
                add("unionId", unionid.as_str().into());
            }
            let watermark = json!({"timestamp": now().as_secs(), "appid": appid});
            add("watermark", watermark);
        }
        payload
    }

    fn know(&self, appid: &str, secret: &str) -> Result<(), Errcode> {
        let known = self.secrets.get(appid).ok_or(40013)?;
        if known == secret { Ok(()) } else { Err(40125) }
    }

    fn use_up(&mut self, text: &str, appid: &str) -> Result<String, Errcode> {
        let code = self.codes.get_mut(text).ok_or(40029)?;
        let is_of_another = code.appid.as_ref().is_some_and(|of| of != appid);
        if is_of_another || now() >= code.expires_at {
            return Err(40029);
        }
        if std::mem::replace(&mut code.is_used, true) {
            return Err(40163);
        }
        Ok(code.user.clone())
    }

    fn log_in(&mut self, appid: &str, user: &str) -> Value {
        if self.renews_keys {
            self.renew_key(appid, user);
        }
        let name = (appid.to_owned(), openid_of(appid, user));
        self.users.insert(name, user.to_owned());
        let key = super::seal::key_text(&self.session_key_of(appid, user));
        let mut answer = json!({"session_key": key, "openid": openid_of(appid, user)});
        if let (Some(unionid), Some(members)) = (self.unionids.get(user), answer.as_object_mut()) {
            members.insert("unionid".to_owned(), unionid.as_str().into());
        }
        answer
    }
}

/// The openid of `user` in one mini-program.
pub(super) fn openid_of(appid: &str, user: &str) -> String {
    let digest = derive(&["openid", appid, user]);
    let mut openid = format!("o{}", URL_SAFE_NO_PAD.encode(digest));
    openid.truncate(OPENID_LEN);
    openid
}

/// What WeChat says along with an errcode.
pub(super) fn errmsg(errcode: Errcode) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => "invalid credential, access_token is invalid or not latest",
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40125 => "invalid appsecret",
        40163 => "code been used",
        40164 => "invalid ip 127.0.0.1, not in whitelist",
        40226 => "code blocked",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        42001 => "access_token expired",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        87009 => "invalid signature",
        _ => "unknown error",
    }
}

fn derive(parts: &[&str]) -> [u8; 32] {
    Sha256::digest(parts.join("\n")).into()
}

/// The time since the Unix epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator stands for another machine, whose clock is not the gateway's"
)]
pub(super) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
