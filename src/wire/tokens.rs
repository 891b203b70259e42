//! Finding the skey in a request, and taking it out of what goes on. Knows nothing of sessions.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, request::Parts};

use super::fields::{BodyFormat, Fields};
use crate::domain::token::TokenPlace;

/// The text that stands in `place`, if that is in the head and not empty.
#[must_use]
pub fn find_in_head<'a>(place: &TokenPlace, head: &'a Parts) -> Option<Cow<'a, str>> {
    let found = match place {
        TokenPlace::Header(name) => in_header(&head.headers, name).map(Cow::Borrowed),
        TokenPlace::Bearer => bearer(&head.headers).map(Cow::Borrowed),
        TokenPlace::Query(name) => in_query(head.uri.query()?, name),
        TokenPlace::Cookie(name) => in_cookies(&head.headers, name).map(Cow::Borrowed),
        TokenPlace::Subprotocol(prefix) => {
            in_subprotocols(&head.headers, prefix).map(Cow::Borrowed)
        }
        TokenPlace::Form(_) | TokenPlace::Json(_) => None,
    };
    found.filter(|text| !text.is_empty())
}

/// Which format a body must have for `place` to be in it; none if the place is in the head.
#[must_use]
pub fn body_format(place: &TokenPlace) -> Option<BodyFormat> {
    match place {
        TokenPlace::Form(_) => Some(BodyFormat::Form),
        TokenPlace::Json(_) => Some(BodyFormat::Json),
        TokenPlace::Header(_)
        | TokenPlace::Bearer
        | TokenPlace::Query(_)
        | TokenPlace::Cookie(_)
        | TokenPlace::Subprotocol(_) => None,
    }
}

/// The text that stands in `place`, if that is in a body and not empty.
#[must_use]
pub fn find_in_body(place: &TokenPlace, body: &[u8]) -> Option<String> {
    let (TokenPlace::Form(name) | TokenPlace::Json(name)) = place else {
        return None;
    };
    let format = body_format(place)?;
    Fields::of_body(format, body).get(name).map(str::to_owned)
}

/// Takes what stands in any of `places` out of the headers. Header places are left to those who strip managed names.
pub fn strip_headers(places: &[TokenPlace], headers: &mut HeaderMap) {
    for place in places {
        match place {
            TokenPlace::Bearer if bearer(headers).is_some() => {
                headers.remove(AUTHORIZATION);
            }
            TokenPlace::Cookie(name) if headers.contains_key(COOKIE) => {
                strip_cookie(headers, name);
            }
            TokenPlace::Subprotocol(prefix) if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) => {
                strip_subprotocol(headers, prefix);
            }
            TokenPlace::Header(_)
            | TokenPlace::Bearer
            | TokenPlace::Cookie(_)
            | TokenPlace::Subprotocol(_)
            | TokenPlace::Query(_)
            | TokenPlace::Form(_)
            | TokenPlace::Json(_) => {}
        }
    }
}

/// Takes what stands in any of `places` out of a query and leaves all else byte for byte; none if nothing is left.
#[must_use]
pub fn strip_query<'a>(places: &[TokenPlace], query: &'a str) -> Option<Cow<'a, str>> {
    let is_token = |piece: &str| {
        let mut names = places.iter().filter_map(|place| match place {
            TokenPlace::Query(name) => Some(name),
            _ => None,
        });
        let (key, _) = form_urlencoded::parse(piece.as_bytes())
            .next()
            .unwrap_or_default();
        names.any(|name| *name == key)
    };
    let has_places = places
        .iter()
        .any(|place| matches!(place, TokenPlace::Query(_)));
    if !has_places || !query.split('&').any(is_token) {
        return Some(Cow::Borrowed(query));
    }
    let kept: Vec<_> = query.split('&').filter(|piece| !is_token(piece)).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("&")))
}

/// Whether a subprotocol is one of `places`, and so no subprotocol.
#[must_use]
pub fn is_subprotocol(places: &[TokenPlace], name: &str) -> bool {
    let mut prefixes = places.iter().filter_map(|place| match place {
        TokenPlace::Subprotocol(prefix) => Some(prefix),
        _ => None,
    });
    prefixes.any(|prefix| name.starts_with(prefix))
}

/// What a token's place holds. What is no text is a token all the same, one that no session has.
fn text_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("?")
}

fn in_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter().map(|value| {
        let value = value.as_bytes().trim_ascii();
        text_of(after_scheme(value).unwrap_or(value))
    });
    values.find(|text| !text.is_empty())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let after = values.find_map(|value| after_bearer(value.as_bytes()));
    after.map(text_of)
}

/// What follows `Bearer`, with or without a space: clients in the shops send both.
fn after_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    is_bearer.then(|| rest.trim_ascii())
}

/// What follows `Bearer` and a space; nothing, if `Bearer` is all there is.
fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let next = value.get(b"bearer".len());
    after_bearer(value).filter(|_| next.is_none_or(|next| *next == b' '))
}

fn in_query<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut named = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    named
        .find(|(_, value)| !value.is_empty())
        .map(|(_, value)| value)
}

fn in_cookies<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(COOKIE).iter();
    let cookies = values.flat_map(|value| value.as_bytes().split(|b| *b == b';'));
    let mut named = cookies.filter_map(|cookie| {
        let (key, value) = text_of(cookie).trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"'))
    });
    named.find(|value| !value.is_empty())
}

fn strip_cookie(headers: &mut HeaderMap, name: &str) {
    let is_token = |cookie: &&[u8]| {
        let key = cookie.split(|b| *b == b'=').next().unwrap_or_default();
        // Whatever the search trims, this does.
        text_of(key).trim() == name
    };
    let without = |value: &HeaderValue| {
        let cookies = value.as_bytes().split(|b| *b == b';');
        if !cookies.clone().any(|cookie| is_token(&cookie)) {
            return Some(value.clone());
        }
        let kept: Vec<_> = cookies.filter(|cookie| !is_token(cookie)).collect();
        HeaderValue::from_bytes(kept.join(&b';').trim_ascii()).ok()
    };
    let kept: Vec<_> = headers.get_all(COOKIE).iter().filter_map(without).collect();
    headers.remove(COOKIE);
    for value in kept.into_iter().filter(|value| !value.is_empty()) {
        headers.append(COOKIE, value);
    }
}

fn in_subprotocols<'a>(headers: &'a HeaderMap, prefix: &str) -> Option<&'a str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = values.flat_map(|value| value.as_bytes().split(|b| *b == b','));
    offered.find_map(|name| {
        let token = name.trim_ascii().strip_prefix(prefix.as_bytes())?;
        (!token.is_empty()).then(|| text_of(token))
    })
}

fn strip_subprotocol(headers: &mut HeaderMap, prefix: &str) {
    let is_token = |name: &&[u8]| name.trim_ascii().starts_with(prefix.as_bytes());
    let without = |value: &HeaderValue| {
        let names = value.as_bytes().split(|b| *b == b',');
        if !names.clone().any(|name| is_token(&name)) {
            return Some(value.clone());
        }
        let kept: Vec<_> = names.filter(|name| !is_token(name)).collect();
        HeaderValue::from_bytes(kept.join(&b',').trim_ascii()).ok()
    };
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let kept: Vec<_> = values.filter_map(without).collect();
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    for value in kept.into_iter().filter(|value| !value.is_empty()) {
        headers.append(SEC_WEBSOCKET_PROTOCOL, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use proptest::prelude::*;

    fn place(text: &str) -> TokenPlace {
        TokenPlace::parse(text).unwrap()
    }

    fn head(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn found(text: &str, target: &str, headers: &[(&str, &str)]) -> Option<String> {
        find_in_head(&place(text), &head(target, headers)).map(Cow::into_owned)
    }

    #[test]
    fn a_token_is_found_in_each_place_of_the_head() {
        let cases: [(_, _, &[_]); 11] = [
            ("header:X-Skey", "/", &[("x-skey", " T ")]),
            (
                "header:Authori-zation",
                "/",
                &[("authori-zation", "Bearer T")],
            ),
            ("bearer", "/", &[("authorization", "Bearer T")]),
            ("bearer", "/", &[("authorization", "bearerT")]),
            (
                "bearer",
                "/",
                &[("authorization", "Basic x"), ("authorization", "BEARER  T")],
            ),
            ("query:t", "/?a=b&t=&%74=T", &[]),
            ("query:a b", "/?a+b=T", &[]),
            ("cookie:t", "/", &[("cookie", "a=b; t=T")]),
            ("cookie:t", "/", &[("cookie", "a=b"), ("cookie", "t=\"T\"")]),
            (
                "subprotocol:t.",
                "/",
                &[("sec-websocket-protocol", "a, t., t.T ,b")],
            ),
            (
                "subprotocol:t.",
                "/",
                &[
                    ("sec-websocket-protocol", "T.x"),
                    ("sec-websocket-protocol", "t.T"),
                ],
            ),
        ];
        for (place, target, headers) in cases {
            assert_eq!(
                found(place, target, headers).as_deref(),
                Some("T"),
                "{place} {headers:?}"
            );
        }
    }

    #[test]
    fn an_empty_place_holds_no_token() {
        assert_eq!(found("header:X-Skey", "/", &[("x-skey", "")]), None);
        assert_eq!(found("bearer", "/", &[("authorization", "Basic T")]), None);
        assert_eq!(found("bearer", "/", &[("authorization", "Bearer ")]), None);
        assert_eq!(found("query:t", "/?t=&u=1", &[]), None);
        assert_eq!(found("cookie:t", "/", &[("cookie", "tt=1; t=; u")]), None);
    }

    #[test]
    fn a_token_is_found_in_a_body() {
        assert_eq!(
            find_in_body(&place("form:t"), b"a=b&t=T").as_deref(),
            Some("T")
        );
        assert_eq!(
            find_in_body(&place("json:t"), b"{\"t\":\"T\"}").as_deref(),
            Some("T")
        );
        assert_eq!(find_in_body(&place("json:t"), b"{\"t\":1}"), None);
    }

    #[test]
    fn the_token_is_taken_out_of_all_places_and_the_rest_stays() {
        let places: Vec<_> = ["bearer", "cookie:t", "query:t"]
            .into_iter()
            .map(place)
            .collect();
        let mut headers = head(
            "/",
            &[
                ("authorization", "Bearer T"),
                ("cookie", "a=\"b;t=T; c=d"),
                ("cookie", "t=T"),
                ("accept", "*/*"),
            ],
        )
        .headers;
        strip_headers(&places, &mut headers);
        assert_eq!(
            headers,
            head("/", &[("cookie", "a=\"b; c=d"), ("accept", "*/*")]).headers
        );
        let stripped = |query| strip_query(&places, query).map(Cow::into_owned);
        assert_eq!(
            stripped("a=%7e&t=T&b&&%74=T&c=+").as_deref(),
            Some("a=%7e&b&&c=+")
        );
        assert_eq!(stripped("tt=1&").as_deref(), Some("tt=1&"));
        assert_eq!(stripped("t=T"), None);
    }

    #[test]
    fn a_cookie_behind_a_space_of_another_script_is_taken_out_if_it_is_found() {
        for cookie in ["\u{a0}t=T", "a=b;\u{3000}t=T", "a=b; \u{85}t\u{a0}=T"] {
            let mut headers = head("/", &[]).headers;
            headers.append(COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
            strip_headers(&[place("cookie:t")], &mut headers);
            let left = headers.get(COOKIE).map(HeaderValue::as_bytes);
            assert!(left.is_none_or(|left| left == b"a=b"), "{left:?}");
        }
    }

    #[test]
    fn an_authorization_of_another_kind_stays() {
        let mut headers = head("/", &[("authorization", "Basic dTpw")]).headers;
        strip_headers(&[place("bearer")], &mut headers);
        assert_eq!(headers[AUTHORIZATION], "Basic dTpw");
    }

    proptest! {
        #[test]
        fn no_query_keeps_a_token_or_loses_anything_else(pieces in prop::collection::vec("(t|%74|u|tt|)(=[a-z%+]{0,3})?", 0..6)) {
            let query = pieces.join("&");
            let left = strip_query(&[place("query:t")], &query).unwrap_or_default();
            prop_assert!(!form_urlencoded::parse(left.as_bytes()).any(|(key, _)| key == "t"));
            let others = |text: &str| -> Vec<_> {
                form_urlencoded::parse(text.as_bytes()).into_owned().filter(|(key, _)| key != "t").collect()
            };
            prop_assert_eq!(others(&left), others(&query));
        }
    }
}
