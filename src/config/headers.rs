//! Which header names a config may give a meaning of their own. Knows no values.

use http::HeaderName;

/// Names that HTTP, or what wxgate itself says, depends on, folded.
const RESERVED: [&str; 32] = [
    "accept",
    "accept_encoding",
    "authorization",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2_settings",
    "keep_alive",
    "location",
    "origin",
    "proxy",
    "proxy_authenticate",
    "proxy_authorization",
    "proxy_connection",
    "range",
    "referer",
    "retry_after",
    "server",
    "set_cookie",
    "te",
    "trailer",
    "transfer_encoding",
    "upgrade",
    "user_agent",
    "x_original_url",
    "x_real_ip",
    "x_request_id",
    "x_rewrite_url",
    "x_wxgate_event",
];

/// The same for names that begin so.
const RESERVED_PREFIXES: [&str; 5] = ["access_control_", "content_", "if_", "sec_", "x_forwarded_"];

/// Whether HTTP or wxgate itself needs the header.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let name = folded(name);
    RESERVED.contains(&name.as_str())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// The name as CGI and PHP see it, where `X-OpenId`, `x_openid` and `X.OpenId` are one.
pub(super) fn folded(name: &HeaderName) -> String {
    let fold = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    name.as_str().chars().map(fold).collect()
}
