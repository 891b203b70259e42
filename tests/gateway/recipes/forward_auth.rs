//! `forward-auth`: a real Caddy that asks wxgate, with the config that is shipped; and what Traefik would ask.

use std::process::Command;

use super::Phone;
use super::fronts::{self, Fronted};
use crate::harness::Ask;

#[test]
fn caddy_tells_the_backend_who_asks_whatever_the_client_pretends() {
    fronts::tells_the_backend_who_asks(&caddy());
}

#[test]
fn caddy_lets_nobody_pass_without_a_session() {
    fronts::lets_nobody_else_pass(&caddy());
}

#[test]
fn what_traefik_asks_is_answered() {
    let phone = Phone::with("forward-auth");
    let skey = phone.world.skey_of("alice");
    let ask = Ask::get("/_wxgate/auth")
        .without("Host")
        .header("Host", "127.0.0.1:8080")
        .header("User-Agent", "Go-http-client/1.1")
        .skey(&skey)
        .header("X-Forwarded-For", "192.0.2.7")
        .header("X-Forwarded-Host", "api.example.com")
        .header("X-Forwarded-Method", "DELETE")
        .header("X-Forwarded-Port", "443")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Server", "traefik")
        .header("X-Forwarded-Uri", "/orders/1?a=b")
        .header("X-Real-Ip", "192.0.2.7")
        .header("Accept-Encoding", "gzip");
    let answer = phone.world.ask(&ask);
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    assert_eq!(answer.values("x-openid"), [phone.world.openid_of("alice")]);
    assert_eq!(answer.values("x-user-id"), [""]);
    // It passes on what it does not know, and refuses for wxgate.
    let refused = phone.world.ask(&ask.header("X_OpenId", "boss"));
    refused.refused(400, "bad_request");
}

#[track_caller]
fn caddy() -> Fronted {
    Fronted::start(
        "forward-auth",
        "forward-auth.Caddyfile",
        |config, address| {
            let here = config.replace(
                "api.example.com {",
                &format!(":{} {{\n\tbind 127.0.0.1", address.port()),
            );
            assert_ne!(here, config);
            format!("{{\n\tadmin off\n\tauto_https off\n}}\n{here}")
        },
        |file, scratch| {
            let mut caddy = Command::new("caddy");
            caddy.args(["run", "--adapter", "caddyfile", "--config"]);
            caddy.arg(file);
            for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
                caddy.env(name, scratch.path());
            }
            caddy
        },
        |line| line.contains("serving initial configuration"),
    )
}
