//! What is told of WebSockets before there is one.

use super::told;
use crate::harness::SHIPPED;

#[test]
fn explain_shows_where_websockets_are_taken_and_what_is_sent_for_one() {
    let route = "[[routes]]\npath = \"/socket\"\nupstream = \"php\"\nwebsocket = true\n";
    let config = format!("{SHIPPED}\n{route}");
    let asked = |path: &str| {
        let mut arguments = vec!["explain", "GET", path];
        for header in [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ] {
            arguments.extend(["-H", header]);
        }
        told(&config, &arguments)
    };
    let ended = told(&config, &["explain", "GET", "/socket"]);
    let taken = "websocket may be opened, and ends after 300s of silence\n";
    assert!(ended.out.contains(taken), "{}", ended.out);
    assert!(!ended.out.contains("upgrade"), "{}", ended.out);
    let ended = asked("/socket");
    let sent =
        "          connection: upgrade\n          upgrade: websocket\n          x-openid: OPENID";
    assert!(ended.out.contains(sent), "{}", ended.out);
    let ended = asked("/orders");
    let refused =
        "refused   400 bad_request: the route has no `websocket = true`, and so takes none\n";
    assert_eq!(ended.out, refused);
}
