//! checksession: whether a key that opened nothing is the one that WeChat honours. Knows nothing of what it should have
//! opened.

use std::sync::Arc;
use std::time::Duration;

use super::access_token::AccessToken;
use super::client::WeChat;
use super::crypto::sign_nothing;
use super::errcode;
use super::error::{Unavailable, WeChatError};
use super::object::Object;
use crate::config::plan::AppPlan;
use crate::domain::identity::WechatId;
use crate::domain::session::SessionKey;

/// The errcode of a signature that was made with another key than the user's.
const STALE: i64 = 87009;

impl WeChat {
    /// Whether `key` is the user's key of now.
    ///
    /// `on_call` gets the outcome and the duration of each call, those for an access token included.
    ///
    /// # Errors
    ///
    /// WeChat refuses the app, or gives no usable answer before the deadline.
    pub(super) async fn is_current(
        &self,
        app: &AppPlan,
        openid: &WechatId,
        key: &SessionKey,
        on_call: impl Fn(&'static str, Duration),
    ) -> Result<bool, Arc<WeChatError>> {
        let signature = &sign_nothing(key);
        let call = |token, time_left| self.check_key(openid, signature, token, time_left);
        self.with_token(app, call, on_call).await
    }

    async fn check_key(
        &self,
        openid: &WechatId,
        signature: &str,
        token: AccessToken,
        time_left: Duration,
    ) -> Result<bool, WeChatError> {
        let (token, openid) = (token.reveal(), openid.as_str());
        let mut url = self.endpoints.session_key.clone();
        url.query_pairs_mut()
            .append_pair("access_token", token)
            .append_pair("openid", openid)
            .append_pair("signature", signature)
            .append_pair("sig_method", "hmac_sha256");
        let body = self.get(url, time_left).await?;
        read(&body, &[token, openid, signature])
    }
}

fn read(body: &[u8], secrets: &[&str]) -> Result<bool, WeChatError> {
    let reply = Object::read(body)?;
    match reply.errcode() {
        Some(0) => Ok(true),
        Some(STALE) => Ok(false),
        Some(errcode) => Err(errcode::under_access_token(errcode, reply.errmsg(secrets))),
        None => Err(Unavailable::BadField("errcode").into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::refusal::with_causes;

    fn read_text(body: &str) -> Result<bool, String> {
        read(body.as_bytes(), &["s3cret"]).map_err(|error| with_causes(&error))
    }

    #[test]
    fn zero_is_a_key_that_is_good_and_87009_one_that_is_stale() {
        assert_eq!(read_text(r#"{"errcode":0,"errmsg":"ok"}"#), Ok(true));
        let stale = r#"{"errcode":87009,"errmsg":"invalid signature","new":1}"#;
        assert_eq!(read_text(stale), Ok(false));
    }

    #[test]
    fn what_does_not_say_so_is_no_verdict() {
        for (body, told) in [
            ("{}", "WeChat's answer has no usable `errcode`"),
            (
                r#"{"errcode":"0"}"#,
                "WeChat's answer has no usable `errcode`",
            ),
            (
                r#"{"errcode":0.5}"#,
                "WeChat's answer has no usable `errcode`",
            ),
            ("[0]", "WeChat's answer is no JSON object"),
            (r#"{"errcode":-1}"#, "WeChat is busy"),
            (
                r#"{"errcode":42001,"errmsg":"no s3cret"}"#,
                "WeChat does not take the access token: 42001 no ***",
            ),
            (
                r#"{"errcode":40003,"errmsg":"no s3cret"}"#,
                "WeChat answered with the unknown errcode 40003: no ***",
            ),
        ] {
            let error = read_text(body).unwrap_err();
            assert_eq!(error, format!("WeChat gave no usable answer: {told}"));
        }
        for body in ["", "<html>", r#"{"errcode":0"#] {
            let error = read_text(body).unwrap_err();
            assert!(error.contains("WeChat's answer is no JSON: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = read(&body, &[]);
        }

        #[test]
        fn only_zero_is_good(errcode in any::<i64>()) {
            let is_good = read_text(&format!(r#"{{"errcode":{errcode}}}"#)) == Ok(true);
            prop_assert_eq!(is_good, errcode == 0);
        }
    }
}
