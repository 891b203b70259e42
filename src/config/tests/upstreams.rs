//! Backends that mean nothing, and those that speak TLS.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use super::{Directory, check, plan, problems, surroundings};
use crate::config::plan::{Balance, Spot};
use crate::config::read;

#[test]
fn a_backend_is_an_address_of_http() {
    check(&[
        (
            "upstreams.a.servers = [\"http://nowhere.example\"]",
            "1:24: the name `nowhere.example` does not resolve: no such name",
        ),
        (
            "upstreams.a = { servers = [\"http://x\"], host = \"http://x\" }",
            "1:48: `http://x` is no host; write a name or an address, such as \"api.internal\" or \"api.internal:8080\"",
        ),
        (
            "upstreams.a = { servers = [\"http://x\"], host = \"\" }",
            "1:48: `` is no host; write a name or an address, such as \"api.internal\" or \"api.internal:8080\"",
        ),
        (
            "upstreams.a = { servers = [\"http://x\"], connect_timeout = \"0s\" }",
            "1:59: `0s` is no time at all; write one above zero, such as \"10s\"",
        ),
    ]);
    for text in [
        "",
        "http://",
        "10.0.0.1:80",
        "http://x/",
        "http://x/a",
        "http://x?a",
        "http://u@x",
        "http://x:0",
        "http://x:",
        "http://x:a",
        "http://x:99999",
        "http://:80",
        "ftp://x",
        "HTTPS://x",
        "https://x/",
        "unix:",
        "unix:app.sock",
        "unix:/",
        "unix:/run/php/",
        "unix://",
    ] {
        let said = problems(&format!("upstreams.a.servers = [\"{text}\"]"));
        let server = "is no server; write \"http://HOST:PORT\" or \"https://HOST:PORT\", without path, query and user, \
                      \"unix:/PATH\", or for FastCGI \"fcgi://HOST:PORT\" or \"fcgi+unix:/PATH\"";
        assert_eq!(said, [format!("1:24: `{text}` {server}")]);
    }
}

#[test]
fn a_unix_socket_as_others_write_it_is_told_as_it_is_written_here() {
    for (text, right) in [
        ("unix:///run/app.sock", "unix:/run/app.sock"),
        ("unix//run/app.sock", "unix:/run/app.sock"),
        ("http://unix:/run/app.sock", "unix:/run/app.sock"),
        ("http+unix:///run/app.sock", "unix:/run/app.sock"),
    ] {
        let said = problems(&format!("upstreams.a.servers = [\"{text}\"]"));
        let told = format!("1:24: `{text}` is no server; write \"{right}\"");
        assert_eq!(said, [told]);
    }
    let long = format!("unix:/{}", "x".repeat(107));
    let said = problems(&format!("upstreams.a.servers = [\"{long}\"]"));
    let told = "is too long for a unix socket, whose path has at most 107 bytes";
    assert_eq!(said, [format!("1:24: `{long}` {told}")]);
    let longest = format!("upstreams.a.servers = [\"unix:/{}\"]", "x".repeat(106));
    assert_eq!(plan(&longest).upstreams[0].servers.len(), 1);
}

#[test]
fn a_server_is_spoken_to_as_its_address_says() {
    let plan = plan(
        "upstreams.a.servers = [\"http://x\", \"https://x\", \"https://[::1]:8443\", \"https://10.0.0.1\", \
         \"unix:/run/php/app.sock\"]",
    );
    let servers = plan.upstreams[0].servers.iter();
    let told: Vec<_> = servers
        .map(|server| (server.to_string(), server.spot(), server.is_secure()))
        .collect();
    let tcp = |host, port| Spot::Tcp { host, port };
    let socket = Spot::Unix(Path::new("/run/php/app.sock"));
    let expected = [
        ("x", tcp("x", 80), false),
        ("https://x", tcp("x", 443), true),
        ("https://[::1]:8443", tcp("::1", 8443), true),
        ("https://10.0.0.1", tcp("10.0.0.1", 443), true),
        ("unix:/run/php/app.sock", socket, false),
    ];
    assert_eq!(
        told,
        expected.map(|(name, spot, tls)| (name.to_owned(), spot, tls))
    );
    let tls = plan.upstreams[0].tls.as_ref().unwrap();
    assert_eq!(tls.config.alpn_protocols, [b"http/1.1"]);
    assert_eq!(tls.server_name, None);
}

#[test]
fn tls_is_for_servers_that_speak_it_and_names_what_can_be_believed() {
    let directory = Directory::new("backend-tls");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["api.internal".to_owned()]).unwrap();
    directory.file("ca.pem", params.self_signed(&key).unwrap().pem());
    directory.file("key.pem", key.serialize_pem());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    directory.file("broken.pem", broken);
    let name = directory.path().join("gateway.toml").display().to_string();
    let said = |server: &str, tls: &str| {
        let text = format!("[upstreams.a]\nservers = [\"{server}\"]\ntls = {tls}");
        let read = read(&name, &text, &surroundings());
        read.map(|plan| plan.upstreams[0].tls.clone().unwrap())
            .map_err(|problems| problems.to_string().replace(&format!("{name}:"), ""))
    };
    let tls = said(
        "https://x",
        "{ ca = \"ca.pem\", server_name = \"api.internal\" }",
    )
    .unwrap();
    assert_eq!(tls.server_name.unwrap().to_str(), "api.internal");
    let cases = [
        (
            "http://x",
            "{ ca = \"ca.pem\" }",
            "3:7: no server of this upstream speaks TLS; write \"https://…\", or remove `tls`",
        ),
        (
            "https://x",
            "{ ca = \"absent.pem\" }",
            "3:14: cannot read `absent.pem`: No such file or directory (os error 2)",
        ),
        (
            "https://x",
            "{ ca = \"key.pem\" }",
            "3:14: `key.pem` holds no certificate; it must have those of the authorities in PEM",
        ),
        (
            "https://x",
            "{ ca = \"broken.pem\" }",
            "3:14: `broken.pem` holds something that is no certificate of an authority",
        ),
        (
            "https://x",
            "{ ca = \"ca.pem\", server_name = \"a b\" }",
            "3:38: `a b` is no name of a server; write one such as \"api.internal\", without a port",
        ),
        (
            "https://x",
            "{ cert = \"ca.pem\" }",
            "3:9: unknown key `cert` in [upstreams.a.tls]; there are `ca` and `server_name`",
        ),
    ];
    for (server, tls, problem) in cases {
        assert_eq!(said(server, tls).unwrap_err(), problem);
    }
}

#[test]
fn servers_are_balanced_and_watched_as_the_config_says() {
    let upstream = |keys: &str| format!("upstreams.a = {{ servers = [\"http://x\"], {keys} }}");
    check(&[
        (
            &upstream("balance = \"random\""),
            "1:51: `random` is no way to balance; there are `round-robin`, `least-connections` and `openid`",
        ),
        (
            &upstream("max_fails = 0"),
            "1:53: `max_fails` must be at least 1",
        ),
        (
            &upstream("fail_timeout = \"0s\""),
            "1:56: `0s` is no time at all; write one above zero, such as \"10s\"",
        ),
        (
            &upstream("health = {}"),
            "1:50: `path` is missing in [upstreams.a.health]",
        ),
        (
            &upstream("health.path = \"/healthz?full\""),
            "1:55: `?` cannot stand in this path; write one path alone, such as \"/healthz\"",
        ),
        (
            &upstream("health.path = \"healthz\""),
            "1:55: no request can have this path: the path does not start with a slash",
        ),
    ]);
    let plain = &plan("upstreams.a.servers = [\"http://x\"]").upstreams[0];
    assert_eq!((plain.balance, plain.max_fails), (Balance::RoundRobin, 3));
    assert_eq!(plain.fail_timeout, Duration::from_secs(10));
    assert!(plain.health.is_none() && plain.retries == 0);
    let keys = "balance = \"openid\", max_fails = 1, fail_timeout = \"1m\", retries = 2, health = { path = \"/\" }";
    let whole = &plan(&upstream(keys)).upstreams[0];
    assert_eq!((whole.balance, whole.max_fails), (Balance::OpenId, 1));
    assert_eq!(whole.fail_timeout, Duration::from_mins(1));
    assert_eq!(whole.retries, 2);
    let health = whole.health.as_ref().unwrap();
    assert_eq!(health.path.sent(), "/");
    assert_eq!(
        (health.interval, health.timeout),
        (Duration::from_secs(5), Duration::from_secs(2))
    );
}
