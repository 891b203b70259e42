//! The simulator's access tokens, one per mini-program, and the rules of `stable_token`. Knows nothing of HTTP.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Simulator;
use super::accounts::{Errcode, now};

/// How long a token is good.
const LIFETIME: Duration = Duration::from_hours(2);
/// Before its end: from when on a new one is given. So long the old one lives on beside a new one.
const OVERLAP: Duration = Duration::from_mins(5);
/// The characters of a token.
const TOKEN_LEN: usize = 136;
/// The most characters that a token can have.
const MAX_LEN: usize = 512;

/// The tokens that are out.
#[derive(Debug, Default)]
pub(super) struct AccessTokens {
    /// The newest of each mini-program.
    current: HashMap<String, String>,
    issued: HashMap<String, Token>,
    forced: usize,
}

#[derive(Debug)]
struct Token {
    appid: String,
    expires_at: Duration,
    /// With which errcode it is refused whatever its age.
    refused: Option<Errcode>,
}

impl AccessTokens {
    /// Answers `stable_token` for a mini-program whose secret was right.
    pub(super) fn issue(&mut self, appid: &str, force: bool) -> Value {
        let now = now();
        self.forced += usize::from(force);
        if let Some(text) = self.current.get(appid)
            && let Some(token) = self.issued.get_mut(text)
        {
            let left = token.expires_at.saturating_sub(now);
            if left > OVERLAP && !force {
                return json!({"access_token": text, "expires_in": left.as_secs()});
            }
            token.expires_at = token.expires_at.min(now.saturating_add(OVERLAP));
        }
        let text: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(TOKEN_LEN)
            .collect();
        let token = Token {
            appid: appid.to_owned(),
            expires_at: now.saturating_add(LIFETIME),
            refused: None,
        };
        self.issued.insert(text.clone(), token);
        self.current.insert(appid.to_owned(), text.clone());
        json!({"access_token": text, "expires_in": LIFETIME.as_secs()})
    }

    /// The mini-program that has this token.
    pub(super) fn holder(&self, text: Option<&String>) -> Result<String, Errcode> {
        let text = text.filter(|text| !text.is_empty()).ok_or(41001)?;
        if text.len() > MAX_LEN || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(40014);
        }
        let token = self.issued.get(text).ok_or(40001)?;
        match token.refused {
            Some(errcode) => Err(errcode),
            None if now() >= token.expires_at => Err(42001),
            None => Ok(token.appid.clone()),
        }
    }

    fn refuse(&mut self, appid: &str, errcode: Errcode) {
        let text = self.current.get(appid);
        if let Some(token) = text.and_then(|text| self.issued.get_mut(text)) {
            token.refused = Some(errcode);
        }
    }
}

impl Simulator {
    /// The newest access token of a mini-program, if one was asked for.
    #[must_use]
    pub fn access_token_of(&self, appid: &str) -> Option<String> {
        self.stage.accounts().tokens.current.get(appid).cloned()
    }

    /// How many tokens were asked for with `force_refresh`.
    #[must_use]
    pub fn forced_tokens(&self) -> usize {
        self.stage.accounts().tokens.forced
    }

    /// Makes every access token older by `span`.
    pub fn age_tokens(&self, span: Duration) {
        for token in self.stage.accounts().tokens.issued.values_mut() {
            token.expires_at = token.expires_at.saturating_sub(span);
        }
    }

    /// Refuses the newest access token of a mini-program with `errcode`, and gives another one to who asks.
    pub fn revoke_token(&self, appid: &str, errcode: i64) {
        let mut accounts = self.stage.accounts();
        accounts.tokens.refuse(appid, errcode);
        accounts.tokens.current.remove(appid);
    }

    /// Refuses the newest access token of a mini-program with `errcode`, and yet gives it to who asks, unless forced.
    pub fn spoil_token(&self, appid: &str, errcode: i64) {
        self.stage.accounts().tokens.refuse(appid, errcode);
    }
}
