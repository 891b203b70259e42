//! The simulator's phone codes, and the rules of getuserphonenumber. Knows nothing of HTTP.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Simulator;
use super::accounts::{Errcode, now};

/// How long a code is good.
const LIFETIME: Duration = Duration::from_mins(5);

/// The codes that are out.
#[derive(Debug, Default)]
pub(super) struct PhoneCodes(HashMap<String, Code>);

#[derive(Debug)]
struct Code {
    number: String,
    expires_at: Duration,
}

impl PhoneCodes {
    /// A new code for `number`: 64 hex digits.
    pub(super) fn issue(&mut self, number: &str) -> String {
        let text = format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
        let code = Code {
            number: number.to_owned(),
            expires_at: now().saturating_add(LIFETIME),
        };
        self.0.insert(text.clone(), code);
        text
    }

    pub(super) fn age(&mut self, span: Duration) {
        for code in self.0.values_mut() {
            code.expires_at = code.expires_at.saturating_sub(span);
        }
    }

    /// Answers getuserphonenumber for the mini-program `appid`: with the number, or with an errcode.
    pub(super) fn exchange(&mut self, appid: &str, asked: &Value) -> Result<Value, Errcode> {
        let text = asked.get("code").and_then(Value::as_str).ok_or(40029)?;
        let code = self.0.remove(text).ok_or(40029)?;
        if now() >= code.expires_at {
            return Err(40029);
        }
        let abroad = code
            .number
            .strip_prefix('+')
            .and_then(|abroad| abroad.split_once('-'));
        let (country, pure) = abroad.unwrap_or(("86", &code.number));
        let info = json!({
            "phoneNumber": code.number.replace('-', ""),
            "purePhoneNumber": pure,
            "countryCode": country,
            "watermark": {"timestamp": now().as_secs(), "appid": appid},
        });
        Ok(json!({"errcode": 0, "errmsg": "ok", "phone_info": info}))
    }
}

impl Simulator {
    /// What `getPhoneNumber` gives a user with this number, such as `13800138000` or `+1-2025550123`: a code for one
    /// exchange within five minutes.
    #[must_use]
    pub fn issue_phone_code(&self, number: &str) -> String {
        self.stage.accounts().phone_codes.issue(number)
    }
}
