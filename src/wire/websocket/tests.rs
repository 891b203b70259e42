//! Handshakes, good and bad, and what may be answered to them. Those that reach a backend are tested with one.

use http::Request;

use super::*;

/// The example of RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn places() -> Vec<TokenPlace> {
    let places = ["header:X-Skey", "cookie:skey", "subprotocol:k."];
    places.map(|place| TokenPlace::parse(place).unwrap()).into()
}

fn head(headers: &[(&str, &str)]) -> Parts {
    let usual = [("sec-websocket-version", "13"), ("sec-websocket-key", KEY)];
    let mut request = Request::builder().uri("/");
    for (name, value) in usual.iter().chain(headers) {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn read(headers: &[(&str, &str)]) -> Result<Handshake, BadHandshake> {
    Handshake::read(&head(headers), false, &places())
}

fn check(handshake: &Handshake, more: &str) -> Result<(), BadSwitch> {
    let answer = format!(
        "HTTP/1.1 101 x\r\nupgrade: WebSocket\r\nconnection: a, Upgrade\r\nsec-websocket-accept: {ACCEPT}\r\n{more}\r\n"
    );
    handshake.check(answer.as_bytes())
}

#[test]
fn what_a_client_offers_is_what_a_backend_may_choose_and_a_token_is_none_of_it() {
    let handshake = read(&[
        ("sec-websocket-protocol", "a, k.secret"),
        ("sec-websocket-protocol", "b,"),
        ("sec-websocket-extensions", "x; y=1, Z"),
    ])
    .unwrap();
    assert_eq!(handshake.accept, ACCEPT);
    assert_eq!(handshake.protocols, ["a", "b"]);
    for good in [
        "",
        "Sec-WebSocket-Protocol: b\r\n",
        "Sec-WebSocket-Extensions: z; a=1, X\r\n",
    ] {
        assert_eq!(check(&handshake, good), Ok(()), "{good}");
    }
    for (bad, error) in [
        ("k.secret", BadSwitch::Protocol),
        ("A", BadSwitch::Protocol),
        ("", BadSwitch::Protocol),
        ("a, b", BadSwitch::Protocol),
    ] {
        let line = format!("Sec-WebSocket-Protocol: {bad}\r\n");
        assert_eq!(check(&handshake, &line), Err(error), "{bad}");
    }
    assert_eq!(handshake.check(b"HTTP/1.1 101"), Err(BadSwitch::Head));
}

#[test]
fn who_offers_nothing_is_given_nothing() {
    let handshake = read(&[]).unwrap();
    assert_eq!(check(&handshake, ""), Ok(()));
    let chosen = "Sec-WebSocket-Protocol: a\r\n";
    assert_eq!(check(&handshake, chosen), Err(BadSwitch::Protocol));
    let used = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    assert_eq!(check(&handshake, used), Err(BadSwitch::Extension));
}

#[test]
fn a_token_alone_leaves_nothing_to_choose_from() {
    let only = read(&[("sec-websocket-protocol", "k.secret")]);
    assert_eq!(only, Err(BadHandshake::OnlyToken));
}

#[test]
fn a_cookie_counts_for_pages_of_its_own_host_alone() {
    let host = HeaderValue::from_static("a.cn:8080");
    let counts = |headers: &[(&str, &str)]| {
        let checked = check_origin(&head(headers), Some(&host), None, &places());
        checked.is_ok()
    };
    let cookie = ("cookie", "skey=secret");
    assert!(counts(&[cookie]));
    assert!(counts(&[cookie, ("origin", "https://A.cn:8080")]));
    assert!(!counts(&[cookie, ("origin", "https://a.cn")]));
    assert!(!counts(&[cookie, ("origin", "null")]));
    assert!(!counts(&[
        cookie,
        ("origin", "https://b.cn"),
        ("origin", "https://a.cn:8080")
    ]));
    // Whoever sends the token itself has it.
    assert!(counts(&[
        cookie,
        ("x-skey", "secret"),
        ("origin", "https://b.cn")
    ]));
    assert!(counts(&[("cookie", "other=1"), ("origin", "https://b.cn")]));
}

#[test]
fn a_websocket_is_asked_for_by_its_name_alone() {
    for (upgrade, is) in [
        ("websocket", true),
        ("h2c, WebSocket", true),
        ("h2c", false),
        ("websocket/13", false),
        ("xwebsocket", false),
        ("", false),
    ] {
        assert_eq!(
            is_asked(&head(&[("upgrade", upgrade)]).headers),
            is,
            "{upgrade}"
        );
    }
}
