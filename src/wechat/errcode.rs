//! What WeChat's errcodes mean, call by call. Knows nothing of how they got here.

use super::error::{Errmsg, Unavailable, WeChatError};

/// What an errcode other than 0 means as the answer of code2Session.
pub(super) fn of_login(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        40029 => WeChatError::CodeInvalid,
        40163 => WeChatError::CodeUsed,
        40226 => WeChatError::Blocked,
        45011 => WeChatError::RateLimited,
        _ => of_any(errcode, errmsg),
    }
}

/// What it means as the answer of `stable_token`, where 40001 is about the secret.
pub(super) fn of_access_token(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        40001 => WeChatError::Misconfigured { errcode, errmsg },
        45009 | 45011 => WeChatError::RateLimited,
        _ => of_any(errcode, errmsg),
    }
}

/// What it means as the answer of getuserphonenumber.
pub(super) fn of_phone(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        40029 => WeChatError::CodeInvalid,
        40163 => WeChatError::CodeUsed,
        _ => under_access_token(errcode, errmsg),
    }
}

/// What it means as the answer of a call that needs an access token.
pub(super) fn under_access_token(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        40001 | 40014 | 42001 => Unavailable::TokenRejected { errcode, errmsg }.into(),
        45009 | 45011 => WeChatError::RateLimited,
        48001 => WeChatError::Misconfigured { errcode, errmsg },
        _ => of_any(errcode, errmsg),
    }
}

fn of_any(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        -1 => Unavailable::Busy.into(),
        40013 | 40125 | 40164 | 41002 | 41004 => WeChatError::Misconfigured { errcode, errmsg },
        _ => Unavailable::UnknownErrcode { errcode, errmsg }.into(),
    }
}

/// What an operator can do about an errcode.
pub(super) const fn remedy(errcode: i64) -> &'static str {
    match errcode {
        40013 | 41002 => "check the app's `appid`",
        40001 | 40125 | 41004 => "check the app's `secret`",
        40164 => "add the gateway's address to the IP allowlist of this mini-program",
        48001 => "ask WeChat to let this mini-program use the API",
        _ => "see WeChat's list of errcodes",
    }
}
