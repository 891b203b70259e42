//! The closed table of reasons for which the gateway itself answers. Knows no bodies and no templates.

use std::fmt;

use http::StatusCode;

/// Why a request is refused: the code that clients and operators read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCode {
    /// No skey in any of the configured places.
    SessionMissing,
    /// An unknown, expired or revoked skey: log in again.
    SessionInvalid,
    /// The skey of a session that made way for one of the same user's: somebody logged in elsewhere.
    SessionReplaced,
    /// A login without a code.
    LoginCodeMissing,
    /// A code that WeChat does not know, or that cannot be one.
    LoginCodeInvalid,
    /// A code that was exchanged before.
    LoginCodeUsed,
    /// A user whom WeChat considers a risk, or whom the backend does not let in.
    LoginBlocked,
    /// Too many logins, says WeChat.
    LoginRateLimited,
    /// A request for a phone number without its code.
    PhoneCodeMissing,
    /// A phone code that WeChat does not know, or that cannot be one.
    PhoneCodeInvalid,
    /// WeChat is busy, silent, or not understood.
    WechatUnavailable,
    /// WeChat rejects the operator's appid, secret or address.
    GatewayMisconfigured,
    /// `rawData` was not signed with the user's key.
    SignatureInvalid,
    /// `encryptedData` that the user's key does not open.
    DataUndecryptable,
    /// A request that HTTP or this gateway does not allow.
    BadRequest,
    /// No route for this path.
    RouteNotFound,
    /// A route, but not for this method.
    MethodNotAllowed,
    /// A body over its limit.
    BodyTooLarge,
    /// A request target over its limit.
    UriTooLong,
    /// A request head over its limit.
    HeadersTooLarge,
    /// No connection to a backend.
    UpstreamUnreachable,
    /// A backend whose answer is not HTTP, or not what wxgate asked for.
    UpstreamFailed,
    /// A backend that does not answer in time.
    UpstreamTimeout,
    /// A client that comes more often than it may.
    RateLimited,
    /// More work than this gateway takes on at a time.
    Overloaded,
}

impl RefusalCode {
    /// Every code, in the order of the table.
    pub const ALL: [Self; 25] = [
        Self::SessionMissing,
        Self::SessionInvalid,
        Self::SessionReplaced,
        Self::LoginCodeMissing,
        Self::LoginCodeInvalid,
        Self::LoginCodeUsed,
        Self::LoginBlocked,
        Self::LoginRateLimited,
        Self::PhoneCodeMissing,
        Self::PhoneCodeInvalid,
        Self::WechatUnavailable,
        Self::GatewayMisconfigured,
        Self::SignatureInvalid,
        Self::DataUndecryptable,
        Self::BadRequest,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UriTooLong,
        Self::HeadersTooLarge,
        Self::UpstreamUnreachable,
        Self::UpstreamFailed,
        Self::UpstreamTimeout,
        Self::RateLimited,
        Self::Overloaded,
    ];

    /// The code as clients and configs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionMissing => "session_missing",
            Self::SessionInvalid => "session_invalid",
            Self::SessionReplaced => "session_replaced",
            Self::LoginCodeMissing => "login_code_missing",
            Self::LoginCodeInvalid => "login_code_invalid",
            Self::LoginCodeUsed => "login_code_used",
            Self::LoginBlocked => "login_blocked",
            Self::LoginRateLimited => "login_rate_limited",
            Self::PhoneCodeMissing => "phone_code_missing",
            Self::PhoneCodeInvalid => "phone_code_invalid",
            Self::WechatUnavailable => "wechat_unavailable",
            Self::GatewayMisconfigured => "gateway_misconfigured",
            Self::SignatureInvalid => "signature_invalid",
            Self::DataUndecryptable => "data_undecryptable",
            Self::BadRequest => "bad_request",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "body_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::HeadersTooLarge => "headers_too_large",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
        }
    }

    /// The HTTP status under which it goes out, unless the config says otherwise.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::SessionMissing
            | Self::SessionInvalid
            | Self::SessionReplaced
            | Self::LoginCodeInvalid
            | Self::LoginCodeUsed => StatusCode::UNAUTHORIZED,
            Self::LoginCodeMissing
            | Self::PhoneCodeMissing
            | Self::PhoneCodeInvalid
            | Self::SignatureInvalid
            | Self::DataUndecryptable
            | Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::LoginBlocked => StatusCode::FORBIDDEN,
            Self::LoginRateLimited | Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::WechatUnavailable | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::RouteNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::GatewayMisconfigured | Self::UpstreamUnreachable | Self::UpstreamFailed => {
                StatusCode::BAD_GATEWAY
            }
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What a client is told, in a sentence that says what to do.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::SessionMissing => "this request carries no session token: log in first",
            Self::SessionInvalid => "this session is unknown or has ended: log in again",
            Self::SessionReplaced => {
                "this user has logged in elsewhere: log in again to go on here"
            }
            Self::LoginCodeMissing => "a login needs the code that wx.login() gave",
            Self::LoginCodeInvalid => "this login code is not valid: call wx.login() again",
            Self::LoginCodeUsed => "this login code was used before: call wx.login() again",
            Self::LoginBlocked => "this user may not log in",
            Self::LoginRateLimited => "too many logins: wait a little, then try again",
            Self::PhoneCodeMissing => "this needs the code that getPhoneNumber gave",
            Self::PhoneCodeInvalid => {
                "this phone code is not valid: ask the user for the number again"
            }
            Self::WechatUnavailable => "WeChat does not answer: wait a little, then try again",
            Self::GatewayMisconfigured => "the gateway is not set up for this mini-program",
            Self::SignatureInvalid => "the signature does not fit the data and this login",
            Self::DataUndecryptable => {
                "the encrypted data does not belong to this login: log in, then fetch it again"
            }
            Self::BadRequest => "this request is not allowed",
            Self::RouteNotFound => "there is nothing at this address",
            Self::MethodNotAllowed => "this address does not take this method",
            Self::BodyTooLarge => "the body of this request is too large",
            Self::UriTooLong => "the address of this request is too long",
            Self::HeadersTooLarge => "the headers of this request are too large",
            Self::UpstreamUnreachable => "the service behind the gateway cannot be reached",
            Self::UpstreamFailed => "the service behind the gateway gave no proper answer",
            Self::UpstreamTimeout => "the service behind the gateway does not answer in time",
            Self::RateLimited => "too many requests: wait a little, then try again",
            Self::Overloaded => "too much is going on here: wait a little, then try again",
        }
    }

    /// The code that is written `text`, if there is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_as_itself() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::parse(code.as_str()), Some(code));
        }
        assert_eq!(RefusalCode::parse("session_lost"), None);
    }

    #[test]
    fn no_message_calls_an_skey_what_wechat_calls_its_own_key() {
        for code in RefusalCode::ALL {
            assert!(!code.message().contains("session key"), "{code}");
        }
    }
}
