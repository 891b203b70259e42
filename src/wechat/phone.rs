//! getuserphonenumber: a phone code becomes a number. Knows nothing of who is told it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::access_token::AccessToken;
use super::client::WeChat;
use super::errcode;
use super::error::{Unavailable, WeChatError};
use super::object::Object;
use crate::config::plan::AppPlan;
use crate::domain::phone_code::PhoneCode;

/// The longest number that is believed, in characters.
const MAX_LEN: usize = 64;

/// A user's phone number, as WeChat tells it. It names a person, so it masks itself in logs.
#[derive(Clone, PartialEq)]
pub struct PhoneNumber {
    info: Map<String, Value>,
    number: String,
    pure_number: String,
    country_code: String,
}

impl PhoneNumber {
    /// The number, a foreign one with its country code.
    #[must_use]
    pub fn number(&self) -> &str {
        &self.number
    }

    /// The number without a country code.
    #[must_use]
    pub fn pure_number(&self) -> &str {
        &self.pure_number
    }

    /// The country code alone, such as `86`.
    #[must_use]
    pub fn country_code(&self) -> &str {
        &self.country_code
    }

    /// All that WeChat tells, the watermark included, as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::Object(self.info.clone()).to_string()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(***)")
    }
}

impl WeChat {
    /// Exchanges a phone code, that a user of `app` got, for the number.
    ///
    /// A call is repeated only where the code is certainly still good; `on_call` gets the outcome and the duration of
    /// each, those for an access token included.
    ///
    /// # Errors
    ///
    /// WeChat refuses the code or the app, or gives no usable answer before the deadline.
    pub async fn phone_number(
        &self,
        app: &AppPlan,
        code: &PhoneCode,
        on_call: impl Fn(&'static str, Duration),
    ) -> Result<PhoneNumber, Arc<WeChatError>> {
        let call = |token, time_left| self.fetch_number(app, code, token, time_left);
        self.with_token(app, call, on_call).await
    }

    async fn fetch_number(
        &self,
        app: &AppPlan,
        code: &PhoneCode,
        token: AccessToken,
        time_left: Duration,
    ) -> Result<PhoneNumber, WeChatError> {
        let (token, code) = (token.reveal(), code.reveal());
        let mut url = self.endpoints.phone_number.clone();
        url.query_pairs_mut().append_pair("access_token", token);
        let body = self.post(url, &json!({"code": code}), time_left).await?;
        read(&body, app.app.appid.as_str(), &[token, code])
    }
}

fn read(body: &[u8], appid: &str, secrets: &[&str]) -> Result<PhoneNumber, WeChatError> {
    let reply = Object::read(body)?;
    if let Some(errcode) = reply.failure() {
        return Err(errcode::of_phone(errcode, reply.errmsg(secrets)));
    }
    let info = reply.get("phone_info").and_then(Value::as_object);
    let info = info.ok_or(Unavailable::BadField("phone_info"))?;
    let watermark = info.get("watermark").and_then(Value::as_object);
    let marked = watermark.and_then(|watermark| watermark.get("appid")?.as_str());
    if marked != Some(appid) {
        return Err(Unavailable::BadField("watermark").into());
    }
    let text = |field| text(info, field).ok_or(Unavailable::BadField(field));
    Ok(PhoneNumber {
        number: text("phoneNumber")?,
        pure_number: text("purePhoneNumber")?,
        country_code: text("countryCode")?,
        info: info.clone(),
    })
}

/// A field of visible characters, or a number: WeChat writes the country code either way.
fn text(info: &Map<String, Value>, field: &str) -> Option<String> {
    let text = match info.get(field)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let fits = (1..=MAX_LEN).contains(&text.len());
    let is_visible = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    (fits && is_visible).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::refusal::with_causes;

    const APPID: &str = "wx1";

    fn reply(info: &Value) -> Value {
        json!({"errcode": 0, "errmsg": "ok", "phone_info": info})
    }

    fn info() -> Value {
        json!({
            "phoneNumber": "+12025550123",
            "purePhoneNumber": "2025550123",
            "countryCode": "1",
            "watermark": {"appid": APPID, "timestamp": 1_700_000_000},
        })
    }

    /// The reply's info with one member exchanged, or taken out where there is none instead.
    fn with(name: &str, instead: Option<Value>) -> Value {
        let mut info = info();
        let members = info.as_object_mut().unwrap();
        members.remove(name);
        members.extend(instead.map(|value| (name.to_owned(), value)));
        info
    }

    fn read_json(body: &Value) -> Result<PhoneNumber, String> {
        read(body.to_string().as_bytes(), APPID, &["s3cret"]).map_err(|error| with_causes(&error))
    }

    #[test]
    fn a_number_is_read_in_its_parts_and_goes_on_as_it_came() {
        let mut info = info();
        info["new"] = json!([1.5]);
        let number = read_json(&reply(&info)).unwrap();
        assert_eq!(number.number(), "+12025550123");
        assert_eq!(number.pure_number(), "2025550123");
        assert_eq!(number.country_code(), "1");
        assert_eq!(number.to_json(), info.to_string());
        assert_eq!(format!("{number:?}"), "PhoneNumber(***)");
    }

    #[test]
    fn a_country_code_may_be_a_number() {
        let info = with("countryCode", Some(json!(86)));
        let number = read_json(&reply(&info)).unwrap();
        assert_eq!(number.country_code(), "86");
        assert_eq!(number.to_json(), info.to_string());
    }

    #[test]
    fn a_field_that_is_missing_or_impossible_is_named() {
        for field in ["phoneNumber", "purePhoneNumber", "countryCode"] {
            let odd = [
                json!(null),
                json!(""),
                json!("1\r\n2"),
                json!("电话"),
                json!("1".repeat(65)),
                json!([]),
                json!({}),
                json!(-1),
                json!(1.5),
                json!(true),
            ];
            for odd in odd.into_iter().map(Some).chain([None]) {
                let error = read_json(&reply(&with(field, odd.clone()))).unwrap_err();
                let named = format!("has no usable `{field}`");
                assert!(error.ends_with(&named), "{odd:?}: {error}");
            }
        }
    }

    #[test]
    fn a_number_of_another_app_or_of_none_is_no_number() {
        let odd = [
            json!({"appid": "wx2"}),
            json!({"appid": ["wx1"]}),
            json!({}),
            json!("wx1"),
            json!(null),
        ];
        for watermark in odd.into_iter().map(Some).chain([None]) {
            let error = read_json(&reply(&with("watermark", watermark.clone()))).unwrap_err();
            assert!(
                error.ends_with("has no usable `watermark`"),
                "{watermark:?}: {error}"
            );
        }
        for body in [json!({}), json!({"errcode": 0, "phone_info": "x"})] {
            let error = read_json(&body).unwrap_err();
            assert!(error.ends_with("has no usable `phone_info`"), "{error}");
        }
    }

    #[test]
    fn an_errcode_is_a_failure_whatever_else_is_there() {
        for (errcode, told) in [
            (40029, "WeChat does not know this code"),
            (40163, "this code was used before"),
            (45009, "WeChat takes no more of these calls for now"),
            (45011, "WeChat takes no more of these calls for now"),
            (-1, "WeChat gave no usable answer: WeChat is busy"),
            (
                40001,
                "WeChat gave no usable answer: WeChat does not take the access token: 40001 no ***",
            ),
            (
                48001,
                "WeChat rejects this app: 48001 no ***; ask WeChat to let this mini-program use the API",
            ),
            (
                40226,
                "WeChat gave no usable answer: WeChat answered with the unknown errcode 40226: no ***",
            ),
        ] {
            let mut body = reply(&info());
            body["errcode"] = errcode.into();
            body["errmsg"] = "no s3cret".into();
            assert_eq!(read_json(&body).unwrap_err(), told);
        }
    }

    proptest! {
        #[test]
        fn no_reply_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&body, APPID, &[]);
        }

        #[test]
        fn whatever_is_read_is_visible_and_short(text in "\\PC{0,80}") {
            let info = with("phoneNumber", Some(text.into()));
            if let Ok(number) = read_json(&reply(&info)) {
                let number = number.number();
                prop_assert!((1..=64).contains(&number.len()));
                prop_assert!(number.bytes().all(|b| (b' '..=b'~').contains(&b)));
            }
        }
    }
}
