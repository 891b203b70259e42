//! What a reply of code2Session says. Knows nothing of how it is fetched.

use serde_json::Value;

use super::errcode;
use super::error::{Unavailable, WeChatError};
use super::exchange::Exchange;
use super::object::Object;
use crate::domain::identity::WechatId;
use crate::domain::session::SessionKey;

/// The longest `session_key` that is believed, in characters. WeChat's have 24.
const MAX_KEY_LEN: usize = 128;

/// Reads the body of a reply; `secrets` are what no error may repeat.
pub(super) fn read(body: &[u8], secrets: &[&str]) -> Result<Exchange, WeChatError> {
    let reply = Object::read(body)?;
    // A success may carry an errcode too, so what counts is whether the user is there.
    let has_user = reply.text("openid").is_some() && reply.text("session_key").is_some();
    match reply.failure() {
        Some(errcode) if !has_user => Err(errcode::of_login(errcode, reply.errmsg(secrets))),
        Some(_) | None => Ok(read_success(&reply)?),
    }
}

fn read_success(reply: &Object) -> Result<Exchange, Unavailable> {
    Ok(Exchange {
        openid: read_id(reply, "openid")?.ok_or(Unavailable::BadField("openid"))?,
        unionid: read_id(reply, "unionid")?,
        session_key: read_session_key(reply)?,
    })
}

fn read_id(reply: &Object, field: &'static str) -> Result<Option<WechatId>, Unavailable> {
    let bad = Unavailable::BadField(field);
    match reply.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => WechatId::parse(id).map(Some).ok_or(bad),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(bad),
    }
}

fn read_session_key(reply: &Object) -> Result<SessionKey, Unavailable> {
    let is_key = |key: &&str| key.len() <= MAX_KEY_LEN && key.bytes().all(|b| b.is_ascii_graphic());
    reply
        .text("session_key")
        .filter(is_key)
        .map(SessionKey::new)
        .ok_or(Unavailable::BadField("session_key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(body: &str) -> Result<Exchange, String> {
        read(body.as_bytes(), &[]).map_err(|error| match error {
            WeChatError::Unavailable(reason) => reason.to_string(),
            other => other.to_string(),
        })
    }

    #[test]
    fn a_user_and_a_key_are_a_success_whatever_else_is_there() {
        for more in ["", r#","errcode":0"#, r#","errcode":-1,"new":[{}]"#] {
            let body = format!(r#"{{"openid":"oAlice","session_key":"k+/="{more}}}"#);
            let exchange = read_text(&body).unwrap();
            assert_eq!(exchange.openid.as_str(), "oAlice");
            assert_eq!(exchange.session_key.reveal(), "k+/=");
            assert_eq!(exchange.unionid, None);
        }
    }

    #[test]
    fn a_unionid_may_be_there_or_empty_or_null_but_not_odd() {
        let with =
            |id: &str| format!(r#"{{"openid":"oA","session_key":"k","errcode":0,"unionid":{id}}}"#);
        let unionid = read_text(&with(r#""uA""#)).unwrap().unionid.unwrap();
        assert_eq!(unionid.as_str(), "uA");
        assert_eq!(read_text(&with(r#""""#)).unwrap().unionid, None);
        assert_eq!(read_text(&with("null")).unwrap().unionid, None);
        for odd in ["7", "false", "[]", r#""a b""#] {
            let error = read_text(&with(odd)).unwrap_err();
            assert_eq!(error, "WeChat's answer has no usable `unionid`", "{odd}");
        }
    }

    #[test]
    fn a_field_that_is_missing_or_impossible_is_named() {
        let long = "k".repeat(129);
        for (openid, key, bad) in [
            ("", "k", "openid"),
            ("o\nA", "k", "openid"),
            ("oA", "", "session_key"),
            ("oA", "a b", "session_key"),
            ("oA", &long, "session_key"),
        ] {
            let body = serde_json::json!({"openid": openid, "session_key": key}).to_string();
            let error = read_text(&body).unwrap_err();
            assert_eq!(error, format!("WeChat's answer has no usable `{bad}`"));
        }
        let error = read_text(r#"{"errcode":0,"errmsg":"ok"}"#).unwrap_err();
        assert_eq!(error, "WeChat's answer has no usable `openid`");
    }

    #[test]
    fn what_is_no_object_is_not_read() {
        for body in ["null", "true", "1", r#""oAlice""#, "[]"] {
            let error = read_text(body).unwrap_err();
            assert_eq!(error, "WeChat's answer is no JSON object");
        }
        for body in ["", "<html>", r#"{"openid":"oA","#, "{} {}", "\u{feff}{}"] {
            let error = read_text(body).unwrap_err();
            assert_eq!(error, "WeChat's answer is no JSON", "{body}");
        }
    }
}
