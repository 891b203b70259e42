//! What the gateway answers itself: login, check, rotate, logout, phone numbers, verdicts for a proxy in front. Knows no routes and no backends.

pub mod check;
pub mod login;
pub mod logout;
pub mod phone;
pub mod rotate;
pub mod verdict;

use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::domain::clock::Timestamp;
use crate::domain::header_text::HeaderText;
use crate::domain::identity::WechatId;
use crate::domain::session::Session;
use crate::domain::template::Placeholder;
use crate::domain::token::Skey;
use crate::wire::refusal::Refusal;

/// When a client may come again whom WeChat did not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When a client may come again whom WeChat found to come too often: its limit is counted by the minute.
const RATE_LIMIT: Duration = Duration::from_mins(1);
/// The methods that most endpoints take.
const METHODS: [Method; 2] = [Method::GET, Method::POST];

/// Holds a request to the methods that endpoints take.
///
/// # Errors
///
/// `method_not_allowed`.
pub fn check_method(method: &Method) -> Result<(), Refusal> {
    if METHODS.contains(method) {
        return Ok(());
    }
    Err(Refusal::method_not_allowed(METHODS.to_vec()))
}

/// What an answer about `session` tells in `place`; only a login knows the skey, and what it told of the user beside.
fn value_of(place: Placeholder, session: &Session, skey: Option<&Skey>, now: Timestamp) -> Value {
    let facts = session.facts();
    match place {
        Placeholder::Skey => skey.map(|skey| skey.reveal().into()).unwrap_or_default(),
        Placeholder::SessionId => skey
            .map(|skey| skey.digest().session_id().to_string())
            .into(),
        Placeholder::ExpiresIn => session.expires_in(now).into(),
        Placeholder::OpenId => facts.openid.as_str().into(),
        Placeholder::UnionId => facts.unionid.map(WechatId::as_str).into(),
        Placeholder::UserId => {
            let user_id = facts.account.and_then(|account| account.user_id.as_ref());
            user_id.map(HeaderText::as_str).into()
        }
        Placeholder::Data
        | Placeholder::UserInfo
        | Placeholder::PhoneNumber
        | Placeholder::PurePhoneNumber
        | Placeholder::CountryCode
        | Placeholder::Code
        | Placeholder::Message
        | Placeholder::RequestId
        | Placeholder::Null => Value::Null,
    }
}
