//! What a stream asks, in the words of HTTP/1.1, which all behind here know. Knows nothing of what it means.

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::wire::framing::read_length;

/// Says the head of a request as HTTP/1.1 has it: the authority as the `Host`, unless there is one, and the cookies in one
/// header. False if a value is none in HTTP/2.
pub(super) fn translate(head: &mut Parts) -> bool {
    let are_clean = head.headers.values().all(is_clean);
    if !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
    join_cookies(&mut head.headers);
    are_clean
}

/// How many bytes a body is told to have.
pub(super) fn told_length(headers: &HeaderMap) -> Option<u64> {
    read_length(headers.get(CONTENT_LENGTH)?.as_bytes())
}

/// Whether the client waits to be told to go on before it sends a body.
pub(super) fn awaits_leave(headers: &HeaderMap) -> bool {
    let expected = headers.get(EXPECT);
    expected.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether a value neither begins nor ends with a space: HTTP/1.1 would drop it, and HTTP/2 says that there is none.
fn is_clean(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii().len() == value.len()
}

/// A client may send each cookie in a header of its own; before it goes on in HTTP/1.1 they are one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut several = headers.get_all(COOKIE).iter();
    if several.next().is_none() || several.next().is_none() {
        return;
    }
    let cookies: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn translated(uri: &str, headers: &[(&str, &str)]) -> (Parts, bool) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        let is_clean = translate(&mut head);
        (head, is_clean)
    }

    fn values(head: &Parts, name: &str) -> Vec<String> {
        let values = head.headers.get_all(name).iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn the_authority_is_the_host_unless_there_is_one() {
        let (head, _) = translated("https://a.cn:8443/x", &[]);
        assert_eq!(values(&head, "host"), ["a.cn:8443"]);
        let (head, _) = translated("https://a.cn/x", &[("host", "b.cn")]);
        assert_eq!(values(&head, "host"), ["b.cn"]);
        assert!(values(&translated("/x", &[]).0, "host").is_empty());
    }

    #[test]
    fn cookies_become_one_header() {
        let (head, _) = translated("/x", &[("cookie", "a=b"), ("x", "y"), ("cookie", "c=d")]);
        assert_eq!(values(&head, "cookie"), ["a=b; c=d"]);
        let (head, _) = translated("/x", &[("cookie", "a=b")]);
        assert_eq!(values(&head, "cookie"), ["a=b"]);
    }

    #[test]
    fn a_value_that_begins_or_ends_with_a_space_is_none() {
        assert!(translated("/x", &[("x", "a b"), ("y", "")]).1);
        for value in [" a", "a ", "\ta", "a\t", " "] {
            assert!(!translated("/x", &[("x", value)]).1, "{value:?}");
        }
    }
}
