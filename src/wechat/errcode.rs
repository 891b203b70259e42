//! What the errcodes of code2Session mean. Knows nothing of how they got here.

use super::error::{Errmsg, Unavailable, WeChatError};

/// The error that an errcode other than 0 stands for.
pub(super) fn meaning(errcode: i64, errmsg: Errmsg) -> WeChatError {
    match errcode {
        -1 => Unavailable::Busy.into(),
        40029 => WeChatError::CodeInvalid,
        40163 => WeChatError::CodeUsed,
        40226 => WeChatError::Blocked,
        45011 => WeChatError::RateLimited,
        40013 | 40125 | 40164 | 41002 | 41004 => WeChatError::Misconfigured { errcode, errmsg },
        _ => Unavailable::UnknownErrcode { errcode, errmsg }.into(),
    }
}

/// What an operator can do about an errcode.
pub(super) const fn remedy(errcode: i64) -> &'static str {
    match errcode {
        40013 | 41002 => "check the app's `appid`",
        40125 | 41004 => "check the app's `secret`",
        40164 => "add the gateway's address to the IP allowlist of this mini-program",
        _ => "see WeChat's list of errcodes",
    }
}
