//! The commands of the operator: check, explain, help.

mod websockets;

use std::process::Command;

use crate::harness::{Ended, Process, SHIPPED, Scratch, wxgate};

/// What the shipped config has no example of, with a route for one method on some hosts.
const MORE: &str = r#"
[[routes]]
path = "/wx/logout"
action = "logout"

[[routes]]
path = "/wx/check"
action = "check"

[[routes]]
path = "/feed"
methods = ["GET"]
hosts = ["*.example.com"]
upstream = "php"
auth = "optional"
app = "shop"

[[routes]]
path = "/profile"
upstream = "php"
open_data = "decrypt"

[[routes]]
path = "/phone"
action = "phone"
upstream = "php"
app = "shop"

[[routes]]
path = "/my-number"
action = "phone"
response = { number = "{phone_number}" }
"#;

#[test]
fn check_finds_nothing_wrong_with_the_shipped_config() {
    let ended = told(SHIPPED, &["check"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, "gateway.toml: ok\n");
}

#[test]
fn check_tells_every_problem_by_the_name_that_the_file_was_given() {
    let scratch = Scratch::new();
    scratch.write(
        "a.toml",
        "[server]\nworkers = 0\n\n[[routes]]\npath = \"/a/*/b\"\n",
    );
    let mut check = wxgate(&["check", "--config", "./a.toml"]);
    check.current_dir(scratch.path());
    let ended = Process::run(check);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(ended.err, PROBLEMS);
}

const PROBLEMS: &str = "\
./a.toml:2:11: `workers` must be at least 1
./a.toml:4:1: this route does nothing; give it an `action` or an `upstream`
./a.toml:5:8: `*` may stand only at the end, as a whole segment: \"/static/*\"
";

#[test]
fn explain_shows_what_a_guarded_route_forwards() {
    let forged = [
        "explain",
        "GET",
        "http://api.example.com:8443/orders?page=2&skey=AAAA&q=%E5%95%86",
        "-H",
        "X-OpenId: boss",
        "-H",
        "X_OpenId: boss",
        "-H",
        "X-Skey: AAAA",
        "-H",
        "Authorization: Bearer AAAA",
        "-H",
        "X-Forwarded-For: 10.0.0.1",
        "-H",
        "Cookie: a=1",
        "-H",
        "Connection: X-Hop",
        "-H",
        "X-Hop: 1",
    ];
    assert_eq!(explained(&forged), GUARDED);
}

const GUARDED: &str = "\
route     /*
guard     required: without a session the request is refused
sessions  of every app
upstream  php (127.0.0.1:9000)
forwarded GET /orders?page=2&q=%E5%95%86 HTTP/1.1
          host: api.example.com:8443
          cookie: a=1
          x-forwarded-proto: http
          x-forwarded-for: 192.0.2.1
          x-forwarded-host: api.example.com:8443
          x-request-id: …
          x-openid: OPENID-OF-THE-SESSION
          x-unionid: UNIONID-OF-THE-SESSION
          x-appid: wx0123456789abcdef
";

#[test]
fn explain_shows_what_is_opened_on_the_way() {
    let told = explained(&["explain", "POST", "/profile?a=b&openData=forged"]);
    assert!(told.starts_with(OPENING), "{told}");
}

const OPENING: &str = "\
route     /profile
guard     required: without a session the request is refused
sessions  of every app
open data encryptedData and iv are opened into openData
upstream  php (127.0.0.1:9000)
forwarded POST /profile?a=b HTTP/1.1
";

#[test]
fn explain_shows_what_an_open_route_forwards() {
    assert_eq!(
        explained(&["explain", "HEAD", "/static/a.css", "-H", "X-OpenId: boss"]),
        OPEN
    );
}

const OPEN: &str = "\
route     /static/*
guard     none: every request goes on, without an identity
upstream  php (127.0.0.1:9000)
forwarded HEAD /static/a.css HTTP/1.1
          host: localhost
          x-forwarded-proto: http
          x-forwarded-for: 192.0.2.1
          x-forwarded-host: localhost
          x-request-id: …
";

#[test]
fn explain_shows_what_an_optional_route_of_one_app_forwards() {
    assert_eq!(
        explained(&["explain", "GET", "http://a.example.com/feed"]),
        OPTIONAL
    );
}

const OPTIONAL: &str = "\
route     GET *.example.com /feed
guard     optional: without a session the request goes on without an identity
sessions  of shop
upstream  php (127.0.0.1:9000)
forwarded GET /feed HTTP/1.1
          host: a.example.com
          x-forwarded-proto: http
          x-forwarded-for: 192.0.2.1
          x-forwarded-host: a.example.com
          x-request-id: …
          x-openid: OPENID-OF-THE-SESSION
          x-unionid: UNIONID-OF-THE-SESSION
          x-appid: wx0123456789abcdef
";

#[test]
fn explain_names_the_actions() {
    assert_eq!(
        explained(&["explain", "POST", "/wx/login?code=x"]),
        "route     /wx/login\naction    login to shop\n"
    );
    assert_eq!(
        explained(&["explain", "GET", "/wx/check"]),
        "route     /wx/check\naction    check of a session\n"
    );
    assert_eq!(
        explained(&["explain", "GET", "/wx/logout"]),
        "route     /wx/logout\naction    logout\n"
    );
}

#[test]
fn explain_tells_what_names_the_app_of_a_login() {
    let config = SHIPPED.replace("#app = \"shop\"", "app = \"shop\"") + CHOICE;
    let ended = told(&config, &["explain", "POST", "/wx/any/login"]);
    let action = "action    login to shop or game, by header:x-app, else referer\n";
    let told = format!("route     /wx/any/login\n{action}");
    assert_eq!((ended.out, ended.err.as_str()), (told, ""));
}

const CHOICE: &str = r#"
[apps.game]
appid = "wxfedcba9876543210"
secret = { env = "SHOP_SECRET" }

[[routes]]
path = "/wx/any/login"
action = "login"
app = ["shop", "game"]
app_from = ["header:X-App", "referer"]
"#;

#[test]
fn explain_tells_where_a_phone_number_goes() {
    let told = explained(&["explain", "POST", "/phone?a=b&openData=forged"]);
    let (rule, request) = told.split_once("forwarded ").unwrap();
    assert_eq!(rule, PHONE);
    assert!(request.starts_with("POST /phone?a=b HTTP/1.1\n"), "{told}");
    assert!(
        request.contains("x-openid: OPENID-OF-THE-SESSION"),
        "{told}"
    );
    assert_eq!(explained(&["explain", "POST", "/my-number"]), MY_NUMBER);
    assert_eq!(
        explained(&["explain", "GET", "/phone"]),
        "refused   405 method_not_allowed: the route does not take this method\n"
    );
}

const PHONE: &str = "\
route     /phone
action    phone number for the code in the body
guard     required: without a session the request is refused
sessions  of shop
number    goes on in openData
upstream  php (127.0.0.1:9000)
";

const MY_NUMBER: &str = "\
route     /my-number
action    phone number for the code in the body
guard     required: without a session the request is refused
sessions  of every app
number    goes to the client, in the response
";

#[test]
fn explain_tells_why_a_request_is_refused() {
    assert_eq!(
        explained(&["explain", "DELETE", "/wx/login"]),
        "refused   405 method_not_allowed: the route does not take this method\n"
    );
    assert_eq!(
        explained(&["explain", "GET", "/a/%252e%252e/b"]),
        "refused   400 bad_request: the path is percent-encoded twice\n"
    );
    assert_eq!(
        explained(&["explain", "GET", "/a//b"]),
        "refused   400 bad_request: the path has an empty segment\n"
    );
    assert_eq!(
        explained(&[
            "explain",
            "GET",
            "http://a.example/x",
            "-H",
            "Host: b.example"
        ]),
        "refused   400 bad_request: the target names another host than the Host header\n"
    );
    // The same file without the routes to everything.
    let config = SHIPPED
        .split("[[routes]]\npath = \"/static")
        .next()
        .unwrap();
    let config = format!("{config}{MORE}");
    let ended = told(&config, &["explain", "GET", "/nothing"]);
    assert_eq!(
        ended.out,
        "refused   404 route_not_found: no route has this path and host\n"
    );
    let ended = told(&config, &["explain", "POST", "http://a.example.com/feed"]);
    assert_eq!(
        ended.out,
        "refused   405 method_not_allowed: the route does not take this method\n"
    );
}

#[test]
fn explain_shows_who_is_told_of_a_login_and_what_that_adds() {
    let on_login = "action = \"login\"\non_login = { upstream = \"php\", path = \"/in/wx\", on_failure = \"pass\" }";
    let config = SHIPPED
        .replacen("action = \"login\"", on_login, 1)
        .replace("#claims = { role", "claims = { role");
    let explain = |target| told(&config, &["explain", "POST", target]).out;
    assert_eq!(
        explain("/wx/login"),
        "route     /wx/login\naction    login to shop\n\
         on login  php (127.0.0.1:9000) is told at /in/wx; without its answer within 5s the login goes on\n"
    );
    let closed =
        "refused   404 route_not_found: only wxgate itself calls this path, for on_login\n";
    for target in ["/in/wx", "/in/%77x/deeper"] {
        assert_eq!(explain(target), closed);
    }
    let added = "\x20         x-user-id: USER-ID-OF-THE-SESSION\n          x-user-role: CLAIM-OF-THE-SESSION\n";
    let forwarded = explain("/orders");
    assert!(forwarded.ends_with(added), "{forwarded}");
    assert!(!explain("/static/a.css").contains("x-user"));
}

#[test]
fn what_is_no_method_address_or_header_is_told() {
    for (arguments, words) in [
        (
            &["explain", "G T", "/"][..],
            "invalid value 'G T' for '<METHOD>'",
        ),
        (
            &["explain", "GET", "not an address"],
            "invalid value 'not an address' for '<URL>'",
        ),
        (
            &["explain", "GET", "/", "-H", "X-OpenId"],
            "write it as NAME: VALUE",
        ),
        (&["serve"], "unrecognized subcommand 'serve'"),
    ] {
        let ended = told(SHIPPED, arguments);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""));
        assert!(ended.err.contains(words), "{}", ended.err);
    }
}

#[test]
fn help_names_every_command() {
    let ended = Process::run(wxgate(&["--help"]));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out, HELP);
}

const HELP: &str = "\
A reverse-proxy authentication gateway for WeChat mini-programs

Usage: wxgate [OPTIONS] [COMMAND]

Commands:
  run       Serve, as without a command
  check     Tell every problem of the config, and exit with 1 if there is one
  explain   Tell which route a request falls under and what would be forwarded
  sessions  Show the sessions of a gateway that runs, and end some of them
  demo      Run a gateway, a WeChat simulator and a sample backend on loopback, with a walk-through to paste
  help      Print this message or the help of the given subcommand(s)

Options:
      --config <FILE>  The config file [default: gateway.toml]
  -h, --help           Print help
  -V, --version        Print version
";

#[test]
fn the_version_is_that_of_the_package() {
    let ended = Process::run(wxgate(&["--version"]));
    let version = concat!("wxgate ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), version));
}

/// What `wxgate` says to these arguments, with `config` as gateway.toml and the variables that the shipped one needs.
#[track_caller]
fn told(config: &str, arguments: &[&str]) -> Ended {
    let scratch = Scratch::new();
    scratch.write("gateway.toml", config);
    let mut command: Command = wxgate(arguments);
    command.current_dir(scratch.path());
    command.env("SHOP_SECRET", "the-secret-of-the-shop");
    command.env("WXGATE_ADMIN_TOKEN", "the-token-of-the-operator-in-tests");
    Process::run(command)
}

/// What `wxgate explain` says, less the id that every request gets anew.
#[track_caller]
fn explained(arguments: &[&str]) -> String {
    let places = "token = [\"header:X-Skey\", \"bearer\", \"query:skey\"]";
    let config = SHIPPED.replace("[sessions]", &format!("[sessions]\n{places}"));
    let ended = told(&format!("{config}{MORE}"), arguments);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let id = "x-request-id: ";
    let lines = ended.out.lines().map(|line| match line.split_once(id) {
        Some((before, value)) => {
            assert_eq!(value.len(), 32, "{line}");
            format!("{before}{id}…\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}
