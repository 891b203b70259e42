//! `auth-request`: a real nginx that asks wxgate, with the config that is shipped.

use std::process::Command;

use super::fronts::{self, Fronted};

#[test]
fn nginx_tells_the_backend_who_asks_whatever_the_client_pretends() {
    fronts::tells_the_backend_who_asks(&nginx());
}

#[test]
fn nginx_lets_nobody_pass_without_a_session() {
    fronts::lets_nobody_else_pass(&nginx());
}

#[track_caller]
fn nginx() -> Fronted {
    Fronted::start(
        "auth-request",
        "auth-request.nginx.conf",
        |config, address| {
            let here = config.replace("listen 80;", &format!("listen {address};"));
            assert_ne!(here, config);
            let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let paths = kinds.map(|kind| format!("{kind}_temp_path {kind};"));
            let own = format!("http {{\naccess_log off;\n{}", paths.concat());
            here.replace("http {", &own)
        },
        |place| {
            let mut nginx = Command::new("nginx");
            nginx.arg("-p").arg(place.directory);
            nginx.arg("-c").arg(&place.config);
            nginx.args(["-e", "stderr", "-g"]);
            nginx.arg("daemon off; pid nginx.pid; error_log stderr notice;");
            nginx.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
            nginx
        },
        |line| line.contains("start worker process "),
    )
}
