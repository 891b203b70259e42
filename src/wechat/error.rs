//! Why a call to WeChat gave nothing. Knows nothing of what a client is told about it.

use std::fmt;

use super::errcode;

/// The outcome of a call that went well; for the others see [`WeChatError::outcome`].
pub const OK: &str = "ok";

/// The longest message of WeChat's that is passed on, in characters.
const MAX_ERRMSG_LEN: usize = 200;

/// What was asked for and WeChat refused, or did not decide.
#[derive(Debug, thiserror::Error)]
pub enum WeChatError {
    /// 40029: a code that WeChat does not know, or no longer.
    #[error("WeChat does not know this code")]
    CodeInvalid,
    /// 40163: a code that was exchanged before.
    #[error("this code was used before")]
    CodeUsed,
    /// 40226: a user whom WeChat considers a risk.
    #[error("WeChat blocks this user")]
    Blocked,
    /// 45011, 45009: too many calls within a minute or a day.
    #[error("WeChat takes no more of these calls for now")]
    RateLimited,
    /// 40013, 40125, 40164, 41002, 41004, and 40001 or 48001 in some calls: the operator has to set something right.
    #[error("WeChat rejects this app: {errcode} {errmsg}; {}", errcode::remedy(*.errcode))]
    Misconfigured {
        /// The number.
        errcode: i64,
        /// What WeChat says to it.
        errmsg: Errmsg,
    },
    /// Nothing is known of the code: it may be spent or not.
    #[error("WeChat gave no usable answer")]
    Unavailable(#[from] Unavailable),
}

/// Why WeChat did not decide.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// -1.
    #[error("WeChat is busy")]
    Busy,
    /// No whole answer within the time for it.
    #[error("WeChat did not answer in time")]
    Timeout,
    /// Nothing was sent.
    #[error("no connection to WeChat")]
    Connect(#[source] reqwest::Error),
    /// The request was sent, at least in part.
    #[error("the connection to WeChat broke off")]
    Broken(#[source] reqwest::Error),
    /// A status other than success.
    #[error("WeChat answered with the HTTP status {0}")]
    Status(u16),
    /// An answer that is longer than any of WeChat's.
    #[error("WeChat's answer is too long")]
    TooLarge,
    /// An answer that cannot be read.
    #[error("WeChat's answer is no JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but not of the documented kind.
    #[error("WeChat's answer is no JSON object")]
    NotAnObject,
    /// 40001, 40014, 42001: an access token that WeChat does not take, or no longer.
    #[error("WeChat does not take the access token: {errcode} {errmsg}")]
    TokenRejected {
        /// The number.
        errcode: i64,
        /// What WeChat says to it.
        errmsg: Errmsg,
    },
    /// An errcode that is not documented for the call.
    #[error("WeChat answered with the unknown errcode {errcode}: {errmsg}")]
    UnknownErrcode {
        /// The number.
        errcode: i64,
        /// What WeChat says to it.
        errmsg: Errmsg,
    },
    /// A field that is missing, or holds what it cannot hold.
    #[error("WeChat's answer has no usable `{0}`")]
    BadField(&'static str),
}

impl WeChatError {
    /// What metrics call it.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::CodeInvalid => "code_invalid",
            Self::CodeUsed => "code_used",
            Self::Blocked => "blocked",
            Self::RateLimited => "rate_limited",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Unavailable(reason) => reason.outcome(),
        }
    }

    /// Whether the call was made with an access token that is no longer good.
    pub(super) const fn is_of_token(&self) -> bool {
        matches!(self, Self::Unavailable(Unavailable::TokenRejected { .. }))
    }

    /// Whether the code is certainly as good as before.
    pub(super) const fn spares_the_code(&self) -> bool {
        match self {
            Self::Unavailable(reason) => reason.spares_the_code(),
            Self::CodeInvalid
            | Self::CodeUsed
            | Self::Blocked
            | Self::RateLimited
            | Self::Misconfigured { .. } => false,
        }
    }
}

impl Unavailable {
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Connect(_) => "connect",
            Self::Broken(_) => "broken",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::NotJson(_) | Self::NotAnObject => "not_json",
            Self::TokenRejected { .. } => "token_rejected",
            Self::UnknownErrcode { .. } => "unknown_errcode",
            Self::BadField(_) => "bad_field",
        }
    }

    const fn spares_the_code(&self) -> bool {
        match self {
            Self::Busy | Self::Connect(_) => true,
            Self::Timeout
            | Self::Broken(_)
            | Self::Status(_)
            | Self::TooLarge
            | Self::NotJson(_)
            | Self::NotAnObject
            | Self::TokenRejected { .. }
            | Self::UnknownErrcode { .. }
            | Self::BadField(_) => false,
        }
    }
}

/// What WeChat says to an errcode, made safe for a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errmsg(String);

impl Errmsg {
    /// Takes out control characters and every one of `secrets`, and keeps 200 characters of the rest.
    pub(super) fn new(text: &str, secrets: &[&str]) -> Self {
        let visible: String = text.chars().filter(|c| !c.is_control()).collect();
        let clean = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(visible, |text, secret| text.replace(secret, "***"));
        Self(clean.chars().take(MAX_ERRMSG_LEN).collect())
    }
}

impl fmt::Display for Errmsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_on_a_log_line_and_repeats_no_secret() {
        let text = format!("bad\r\n hun\0ter2 \u{1b}[31m{}", "频".repeat(300));
        let errmsg = Errmsg::new(&text, &["hunter2", ""]).to_string();
        assert!(errmsg.starts_with("bad *** [31m频频"), "{errmsg}");
        assert_eq!(errmsg.chars().count(), 200);
    }
}
