//! The `gateway.toml` that is shipped.

use super::{plan, problems};
use crate::domain::route::RouteTable;

const EXAMPLE: &str = include_str!("../../../gateway.toml");

/// The example with every key that it comments out: a `#` with no space behind it.
fn with_every_key() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key,
        Some(_) | None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_a_config() {
    let plan = plan(EXAMPLE);
    let labels: Vec<_> = plan
        .routes
        .iter()
        .map(|route| route.label.as_str())
        .collect();
    assert_eq!(labels, ["/wx/login", "/static/*", "/*"]);
    assert_eq!(plan.apps[0].secret.reveal(), "shop-secret");
    assert_eq!(plan.admin.unwrap().token.unwrap().reveal(), "admin-token");
}

#[test]
fn every_key_that_the_example_comments_out_is_known_and_in_order() {
    let text = with_every_key();
    assert!(text.lines().count() > 60 && text != EXAMPLE);
    let line_of = |key: &str| text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    let tls = line_of("tls");
    let missing = "No such file or directory (os error 2)";
    // The identity headers are named one by one or by the preset, and here they are both.
    let named = |key: &str| {
        let (line, column) = (line_of(&format!("{key} = \"X-")), key.len() + 4);
        format!("{line}:{column}: `{key}` has its name from `identity_preset`; remove one of them")
    };
    // There is one app, and so there is nothing to choose.
    let choice = format!(
        "{}:12: `app_from` chooses among several apps, and this login is to one; remove it, or name more in `app`",
        line_of("app_from")
    );
    // What the last route takes, begins with anything.
    let prefix = format!(
        "{}:16: not every request of this route begins with `/api`; give it a path such as \"/api/*\"",
        line_of("strip_prefix")
    );
    // The servers are written without TLS.
    let backend = text
        .lines()
        .position(|line| line.starts_with("tls = { ca"))
        .unwrap()
        + 1;
    let no_tls = format!(
        "{backend}:7: no server of this upstream speaks TLS; write \"https://…\", or remove `tls`"
    );
    let state_key = line_of("encryption_keys");
    // And they speak HTTP.
    let no_scripts = |key: &str| {
        let (line, column) = (line_of(&format!("{key} =")), key.len() + 4);
        format!(
            "{line}:{column}: `{key}` is for servers that speak FastCGI; write \"fcgi://…\", or remove it"
        )
    };
    assert_eq!(
        problems(&text),
        [
            format!("{tls}:16: cannot read `/etc/wxgate/tls.crt`: {missing}"),
            format!("{tls}:45: cannot read `/etc/wxgate/tls.key`: {missing}"),
            format!("{state_key}:28: the environment variable `STATE_KEY` is not set"),
            named("openid"),
            named("unionid"),
            named("appid"),
            no_tls,
            no_scripts("root"),
            no_scripts("script"),
            no_scripts("scripts"),
            no_scripts("keep_alive"),
            no_scripts("max_chunked_body"),
            choice,
            prefix,
        ]
    );
}

#[test]
fn what_the_example_comments_out_is_the_default() {
    let explicit = with_every_key();
    let is_choice = |line: &&str| {
        [
            "workers",
            "tls",
            "hsts",
            "redirect",
            "app ",
            "app_from",
            "dialect",
            "state ",
            "encryption_keys",
            "max_sessions_per_user",
            "response",
            "methods",
            "hosts",
            "refusals",
            "identity_preset",
            "session_invalid",
            "level",
            "open_data",
            "on_login",
            "claims",
            "max_connections_per_address",
            "max_requests",
            "queue",
            "root",
            "script",
            "keep_alive",
            "max_chunked_body",
            "requests_per_address",
            "requests_per_user",
            "logins_per_address",
            "host ",
            "health",
            "strip_prefix",
            "add_prefix",
            "request_headers",
            "response_headers",
            "cors",
            "cors",
            "request_headers",
            "response_headers",
        ]
        .iter()
        .any(|key| line.starts_with(key))
    };
    let defaults: Vec<_> = explicit.lines().filter(|line| !is_choice(line)).collect();
    // A table of routes is a hash map, which prints in any order; the routes stand beside it.
    let meaning = |text: &str| {
        let mut plan = plan(text);
        plan.route_table = RouteTable::default();
        format!("{plan:?}")
    };
    assert_eq!(
        meaning(&defaults.join(
            "
"
        )),
        meaning(EXAMPLE)
    );
}

#[test]
fn the_example_shows_every_key() {
    let text = with_every_key();
    for key in [
        "listen",
        "workers",
        "trusted_proxies",
        "proxy_headers",
        "max_connections",
        "header_timeout",
        "idle_timeout",
        "max_header_bytes",
        "max_body",
        "drain_timeout",
        "tls",
        "token",
        "base_url",
        "timeout",
        "deadline",
        "appid",
        "secret",
        "store",
        "lifetime",
        "idle",
        "capacity",
        "max_sessions_per_user",
        "rotate_grace",
        "login_replay",
        "state",
        "state_interval",
        "encryption_keys",
        "openid",
        "unionid",
        "identity_preset",
        "user_id",
        "claims",
        "servers",
        "host",
        "balance",
        "max_fails",
        "fail_timeout",
        "retries",
        "health",
        "connect_timeout",
        "path",
        "action",
        "app",
        "app_from",
        "dialect",
        "response",
        "upstream",
        "auth",
        "methods",
        "hosts",
        "refusals",
        "session_invalid",
        "format",
        "level",
        "open_data_max_age",
        "open_data",
        "open_data_field",
        "websocket",
        "websocket_idle",
        "strip_prefix",
        "add_prefix",
        "on_login",
        "requests_per_address",
        "requests_per_user",
        "logins_per_address",
        "max_connections_per_address",
        "max_requests",
        "queue",
        "root",
        "script",
        "scripts",
        "keep_alive",
        "max_chunked_body",
    ] {
        assert!(
            text.lines()
                .any(|line| line.starts_with(&format!("{key} ="))),
            "{key}"
        );
    }
}
