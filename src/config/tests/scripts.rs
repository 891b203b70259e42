//! Upstreams whose servers speak FastCGI, and what is said of those that cannot.

use super::{check, plan, problems};
use crate::config::plan::Spot;
use crate::domain::path::RequestPath;
use std::path::Path;

#[test]
fn servers_speak_fastcgi_at_a_port_or_a_socket() {
    let plan = plan(
        "[upstreams.a]\nservers = [\"fcgi://php:9000\", \"fcgi://[::1]:9000\", \"fcgi+unix:/run/php/fpm.sock\"]\n\
         root = \"/srv/app/public/\"",
    );
    let upstream = &plan.upstreams[0];
    let servers = upstream.servers.iter();
    let told: Vec<_> = servers
        .map(|server| (server.to_string(), server.spot(), server.is_fast_cgi()))
        .collect();
    let tcp = |host| Spot::Tcp { host, port: 9000 };
    let socket = Spot::Unix(Path::new("/run/php/fpm.sock"));
    let expected = [
        ("fcgi://php:9000", tcp("php"), true),
        ("fcgi://[::1]:9000", tcp("::1"), true),
        ("fcgi+unix:/run/php/fpm.sock", socket, true),
    ];
    let expected = expected.map(|(name, spot, speaks)| (name.to_owned(), spot, speaks));
    assert_eq!(told, expected);
    let scripts = upstream.fastcgi.as_ref().unwrap();
    assert_eq!(
        (scripts.root.as_str(), scripts.keep_alive),
        ("/srv/app/public", false)
    );
    assert_eq!(scripts.max_chunked_body, 64 * 1024);
    let path = RequestPath::parse("/api.php").unwrap();
    assert_eq!(scripts.scripts.find(&path).name, b"/index.php");
}

#[test]
fn scripts_are_those_that_the_config_names() {
    let plan = plan(
        "[upstreams.a]\nservers = [\"fcgi://php:9000\"]\nroot = \"/srv\"\nscript = \"app.php\"\n\
         scripts = [\"api.php\", \"pay/*.php\"]\nkeep_alive = true\nmax_chunked_body = \"1MiB\"",
    );
    let scripts = plan.upstreams[0].fastcgi.as_ref().unwrap();
    let found = |path: &str| {
        let path = RequestPath::parse(path).unwrap();
        String::from_utf8(scripts.scripts.find(&path).name.to_vec()).unwrap()
    };
    let paths = ["/", "/api.php/x", "/pay/a.php", "/x.php"].map(found);
    assert_eq!(paths, ["/app.php", "/api.php", "/pay/a.php", "/app.php"]);
    assert!(scripts.keep_alive && scripts.max_chunked_body == 1 << 20);
}

#[test]
fn another_spelling_is_told_as_it_is_written_here() {
    for (text, right) in [
        ("fastcgi://127.0.0.1:9000", "fcgi://127.0.0.1:9000"),
        ("fcgi:unix:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fcgi://unix:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fcgi:///run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fcgi+unix:///run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("unix+fcgi:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fastcgi:unix:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fastcgi://unix:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fastcgi+unix:/run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
        ("fastcgi:///run/fpm.sock", "fcgi+unix:/run/fpm.sock"),
    ] {
        let said = problems(&format!("upstreams.a.servers = [\"{text}\"]"));
        assert_eq!(
            said,
            [format!("1:24: `{text}` is no server; write \"{right}\"")]
        );
    }
    for text in [
        "fcgi://php",
        "fcgi://php:0",
        "fcgi://u@php:9000",
        "fcgi://php:9000/x",
        "fcgi+unix:fpm.sock",
        "fcgi:",
    ] {
        let said = problems(&format!("upstreams.a.servers = [\"{text}\"]"));
        assert!(
            said[0].contains(&format!("`{text}` is no server; write \"http://")),
            "{said:?}"
        );
        assert_eq!(said.len(), 1);
    }
}

#[test]
fn what_is_about_scripts_is_for_servers_that_run_some() {
    let upstream = |keys: &str| format!("upstreams.a = {{ servers = [\"http://x\"], {keys} }}");
    for key in [
        "root = \"/srv\"",
        "script = \"index.php\"",
        "scripts = [\"a.php\"]",
        "keep_alive = false",
        "max_chunked_body = \"1MiB\"",
    ] {
        let (name, _) = key.split_once(' ').unwrap();
        let place = 41 + name.len() + 3;
        let told = format!(
            "1:{place}: `{name}` is for servers that speak FastCGI; write \"fcgi://…\", or remove it"
        );
        assert_eq!(problems(&upstream(key)), [told]);
    }
}

#[test]
fn scripts_need_a_root_and_lie_below_it() {
    let upstream = |keys: &str| format!("[upstreams.a]\nservers = [\"fcgi://x:1\"]\n{keys}");
    let with_root = |keys: &str| upstream(&format!("root = \"/srv\"\n{keys}"));
    let no_root = "is no directory; write the whole path as the server sees it, such as \"/var/www/app/public\"";
    for root in [
        "",
        "/",
        "srv",
        "./srv",
        "/srv/../etc",
        "/srv//app",
        "/srv/.",
        "/srv//",
        "/a\\tb",
    ] {
        let said = problems(&upstream(&format!("root = \"{root}\"")));
        assert_eq!(said, [format!("3:8: `{root}` {no_root}")]);
    }
    let named = "names no script; write the path of one below `root`, such as \"pay/notify.php\", or \"admin/*.php\" for \
                 all in and below a directory, whose name has no dot";
    check(&[
        (
            &upstream(""),
            "1:1: `root` is missing in [upstreams.a]; servers that speak FastCGI are told the directory of the scripts, \
             such as \"/var/www/app/public\"",
        ),
        (
            "[upstreams.a]\nservers = [\"fcgi://x:1\", \"http://x\"]\nroot = \"/srv\"",
            "2:11: some of these servers speak FastCGI and some do not; give the others an upstream of their own",
        ),
        (
            &with_root("script = \"/index.php\""),
            "4:10: `/index.php` is no script; write its path below `root`, such as \"index.php\"",
        ),
        (
            &with_root("script = \"../index.php\""),
            "4:10: `../index.php` is no script; write its path below `root`, such as \"index.php\"",
        ),
        (
            &with_root("scripts = [\"a.php\", \"uploads/*\"]"),
            &format!("4:21: `uploads/*` {named}"),
        ),
        (
            &with_root("scripts = []"),
            "4:11: `scripts` is empty; name at least one",
        ),
        (
            &with_root("keep_alive = \"yes\""),
            "4:14: `keep_alive` must be true or false, not a string",
        ),
        (
            &with_root("tls = { server_name = \"x\" }"),
            "4:7: no server of this upstream speaks TLS; write \"https://…\", or remove `tls`",
        ),
    ]);
}
