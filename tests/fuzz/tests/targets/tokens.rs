//! A token that is found is taken out of every place, as any reader of these places sees it, and nothing else is.

use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use http::{HeaderValue, Request, Uri};
use wxgate::domain::token::TokenPlace;
use wxgate::wire::tokens::{find_in_head, strip_headers, strip_query};

/// The first line of an input is a query, each other a value of `Cookie` or, after `!`, of `Authorization`.
pub(super) fn holds(input: &[u8]) {
    let Some(mut head) = head(input) else { return };
    let places =
        ["bearer", "query:t", "cookie:t"].map(|place| TokenPlace::parse(place).expect("a place"));
    let cookies_before = others(&head);
    strip_headers(&places, &mut head.headers);
    let query = head.uri.query().unwrap_or_default().to_owned();
    let left = strip_query(&places, &query)
        .unwrap_or_default()
        .into_owned();
    assert_eq!(pairs(&query), pairs(&left));
    assert!(
        !form_urlencoded::parse(left.as_bytes()).any(|(key, _)| key == "t"),
        "{left}"
    );
    head.uri = with_query(&left).expect("what is left is a query");
    for place in &places {
        assert_eq!(find_in_head(place, &head), None, "{place:?}");
    }
    // Others trim more than spaces, and take the last of several.
    for cookie in cookies(&head) {
        let text = String::from_utf8_lossy(cookie);
        let key = text.split('=').next().unwrap_or_default();
        assert_ne!(key.trim(), "t", "{text}");
    }
    assert_eq!(others(&head), cookies_before);
    for value in head.headers.get_all(AUTHORIZATION) {
        let scheme: Vec<u8> = value
            .as_bytes()
            .trim_ascii()
            .iter()
            .take(6)
            .map(u8::to_ascii_lowercase)
            .collect();
        assert_ne!(scheme, b"bearer");
    }
}

fn head(input: &[u8]) -> Option<Parts> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let query = std::str::from_utf8(lines.next()?).ok()?;
    let mut head = Request::new(()).into_parts().0;
    head.uri = with_query(query)?;
    for line in lines {
        let (name, value) = match line.strip_prefix(b"!") {
            Some(value) => (AUTHORIZATION, value),
            None => (COOKIE, line),
        };
        if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
            head.headers.append(name, value);
        }
    }
    Some(head)
}

fn with_query(query: &str) -> Option<Uri> {
    let uri: Uri = format!("/?{query}").parse().ok()?;
    // A fragment is none of a query.
    (uri.query().unwrap_or_default() == query).then_some(uri)
}

/// The parameters that are no token.
fn pairs(query: &str) -> Vec<(String, String)> {
    let all = form_urlencoded::parse(query.as_bytes()).into_owned();
    all.filter(|(key, _)| key != "t").collect()
}

fn cookies(head: &Parts) -> impl Iterator<Item = &[u8]> {
    let values = head.headers.get_all(COOKIE).iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
}

/// The cookies that are no token, without the spaces around them.
fn others(head: &Parts) -> Vec<Vec<u8>> {
    let is_other = |cookie: &&[u8]| {
        let text = String::from_utf8_lossy(cookie);
        let key = text.split('=').next().unwrap_or_default();
        !cookie.trim_ascii().is_empty() && key.trim() != "t"
    };
    let trimmed = |cookie: &[u8]| cookie.trim_ascii().to_vec();
    cookies(head).filter(is_other).map(trimmed).collect()
}
