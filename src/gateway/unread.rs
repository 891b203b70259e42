//! What is told of something that never became a request.

use crate::domain::refusal::RefusalCode;
use crate::listener::Unread;

/// The refusal that it gets, and the reason for the log.
pub(super) fn why(unread: Unread) -> (RefusalCode, &'static str) {
    let bad = |reason| (RefusalCode::BadRequest, reason);
    match unread {
        Unread::Malformed => bad("the request is not HTTP/1"),
        Unread::HeadersTooLarge => (RefusalCode::HeadersTooLarge, "the head is over its limit"),
        Unread::UriTooLong => (RefusalCode::UriTooLong, "the target is over its limit"),
        Unread::TooSlow => bad("the head did not arrive in time"),
        Unread::BadStream => bad("the head is none of HTTP/2"),
        Unread::BadFrames => bad("the connection breaks the rules of HTTP/2"),
        Unread::Flood => (RefusalCode::RateLimited, "the connection is flooded"),
        Unread::TooManyAtOnce => (
            RefusalCode::Overloaded,
            "there are too many requests at a time on the connection",
        ),
        Unread::TooMany => (RefusalCode::Overloaded, "there are too many connections"),
        Unread::TooManyOfOne => (
            RefusalCode::RateLimited,
            "the address has too many connections",
        ),
        Unread::NoProxy => bad("only trusted proxies connect here, and this is none"),
        Unread::Unannounced(no_header) => bad(no_header.as_str()),
        Unread::SlowAnnouncement => bad("the PROXY header did not arrive in time"),
    }
}
