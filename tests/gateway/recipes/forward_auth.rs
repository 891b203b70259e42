//! `forward-auth`: a real Caddy that asks wxgate, and a real Traefik, with the configs that are shipped.

use std::process::Command;

use super::fronts::{self, FRONTS, Fronted};

#[test]
fn caddy_tells_the_backend_who_asks_whatever_the_client_pretends() {
    fronts::tells_the_backend_who_asks(&caddy());
}

#[test]
fn caddy_lets_nobody_pass_without_a_session() {
    fronts::lets_nobody_else_pass(&caddy());
}

#[test]
fn traefik_tells_the_backend_who_asks_and_passes_on_no_other_spelling() {
    fronts::tells_the_backend_who_asks_or_refuses(&traefik());
}

#[test]
fn traefik_lets_nobody_pass_without_a_session() {
    fronts::lets_nobody_else_pass(&traefik());
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
        |place| {
            let mut caddy = Command::new("caddy");
            caddy.args(["run", "--adapter", "caddyfile", "--config"]);
            caddy.arg(&place.config);
            for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
                caddy.env(name, place.directory);
            }
            caddy
        },
        |line| line.contains("serving initial configuration"),
    )
}

#[track_caller]
fn traefik() -> Fronted {
    Fronted::start(
        "forward-auth",
        "forward-auth.traefik.yaml",
        |config, _| config,
        |place| {
            // It says on stdout what others say on stderr.
            let mut traefik = Command::new("sh");
            traefik.args(["-c", "exec \"$0\" \"$@\" >&2"]);
            traefik.arg(format!("{FRONTS}/bin/traefik"));
            traefik.arg(format!("--entryPoints.web.address={}", place.address));
            traefik.arg(format!(
                "--providers.file.filename={}",
                place.config.display()
            ));
            traefik.args(["--log.level=DEBUG", "--global.checkNewVersion=false"]);
            traefik.arg("--global.sendAnonymousUsage=false");
            traefik
        },
        |line| line.contains("Starting TCP Server"),
    )
}
