//! A PHP application behind the gateway without a web server between: real php-fpm.

mod answers;
pub mod fpm;
mod peer;
mod scripts;

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Ask, World};
use crate::legacy::sha256;
use fpm::{Fpm, SAMPLES};

/// The names under which an identity is forged.
const FORGED: [&str; 5] = [
    "X-OpenId",
    "X_OpenId",
    "X.OpenId",
    "x-OPENID",
    "X-WX-OPENID",
];

fn forged(ask: Ask) -> Ask {
    FORGED
        .iter()
        .fold(ask, |ask, name| ask.header(name, "boss"))
}

/// What the sample told of the request that reached it.
fn told(world: &World, ask: &Ask) -> Value {
    let answer = world.ask(ask);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn after_a_login_a_script_sees_one_openid_whatever_the_client_pretends() {
    for fpm in [Fpm::start(), Fpm::at_a_port()] {
        let world = fpm.guarded("index.php");
        let skey = world.skey_of("alice");
        let ask = forged(Ask::get("/orders").header("Connection", "X-OpenId"));
        let seen = told(&world, &ask.skey(&skey));
        assert_eq!(seen["openid"], world.openid_of("alice"));
        assert!(!seen.to_string().contains("boss"), "{seen}");
        assert!(!seen.to_string().contains(&skey), "{seen}");
        let seen = told(&world, &forged(Ask::get("/open/x")));
        assert_eq!(seen["openid"], Value::Null);
        assert!(!seen.to_string().contains("boss"), "{seen}");
    }
}

#[test]
fn without_a_session_no_script_runs() {
    let fpm = Fpm::start();
    let world = fpm.guarded("index.php");
    world.get("/orders").refused(401, "session_missing");
    let sent = r#"wxgate_upstream_requests_total{upstream="php",outcome="ok"}"#;
    assert_eq!(world.count(sent), 0);
}

#[test]
fn a_script_is_told_of_the_request_as_a_web_server_would_tell_it() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    let skey = world.skey_of("alice");
    let target = "/%E5%95%86%E5%93%81/1?name=a+b%20c&q=2";
    let ask = Ask::new("PUT", target)
        .skey(&skey)
        .header("Cookie", "a=1")
        .header("Cookie", "b=2");
    let ask = ask
        .header("Accept", "x/y")
        .header("Accept", "z/*")
        .header("Content-Type", "text/x");
    let ask = ask
        .header("Proxy", "http://evil")
        .header("X-Custom", "c")
        .header("Content_Length", "7");
    let seen = told(&world, &ask.header("X_Custom", "d").body("four"));
    let expected = json!({
        "REQUEST_METHOD": "PUT",
        "REQUEST_URI": target,
        "QUERY_STRING": "name=a+b%20c&q=2",
        "SCRIPT_NAME": "/scripts.php",
        "SCRIPT_FILENAME": format!("{SAMPLES}/scripts.php"),
        "DOCUMENT_ROOT": SAMPLES,
        "PATH_INFO": "/商品/1",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "4",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "api.example.com",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_SCHEME": "http",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": "wxgate",
        "REDIRECT_STATUS": "200",
        "HTTP_HOST": "api.example.com",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_ACCEPT": "x/y, z/*",
        "HTTP_X_CUSTOM": "c",
        "HTTP_X_OPENID": world.openid_of("alice"),
        "HTTP_X_FORWARDED_FOR": "127.0.0.1",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{name} in {seen:#}");
    }
    for absent in [
        "HTTP_PROXY",
        "HTTPS",
        "HTTP_CONTENT_LENGTH",
        "HTTP_CONTENT_TYPE",
        "HTTP_X_SKEY",
    ] {
        assert_eq!(seen[absent], Value::Null, "{absent}");
    }
}

#[test]
fn a_script_is_told_of_tls_and_of_the_client_as_a_trusted_proxy_tells_them() {
    let fpm = Fpm::start();
    let config = fpm.config(
        Path::new(SAMPLES),
        "script = \"scripts.php\"\nhost = \"api.internal:8443\"",
    );
    let trusting = "workers = 1\ntrusted_proxies = [\"127.0.0.1\"]";
    let world = World::of(&config.replace("workers = 1", trusting));
    let ask = Ask::get("/open/x").header("X-Forwarded-Proto", "https");
    let seen = told(&world, &ask.header("X-Forwarded-For", "192.0.2.7"));
    let named = |name: &str| seen[name].as_str().unwrap().to_owned();
    assert_eq!(
        (named("HTTPS"), named("REQUEST_SCHEME")),
        ("on".to_owned(), "https".to_owned())
    );
    assert_eq!(named("REMOTE_ADDR"), "192.0.2.7");
    assert_eq!(
        (named("SERVER_NAME"), named("SERVER_PORT")),
        ("api.internal".to_owned(), "8443".to_owned())
    );
    assert_eq!(
        (named("HTTP_HOST"), named("HTTP_X_FORWARDED_HOST")),
        ("api.internal:8443".to_owned(), "api.example.com".to_owned())
    );
}

#[test]
fn bodies_arrive_byte_for_byte() {
    let fpm = Fpm::start();
    let world = fpm.guarded("index.php");
    let skey = world.skey_of("alice");
    for length in [0, 1, 64 << 10, 65_535, 65_536, 5 << 20] {
        let body: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        let seen = told(&world, &Ask::post("/orders").skey(&skey).body(&body));
        assert_eq!(
            seen["body"],
            json!({"length": length, "sha256": sha256(&body)})
        );
    }
}

#[test]
fn a_body_that_does_not_tell_its_length_is_measured_first_up_to_a_bound() {
    let fpm = Fpm::start();
    let config = fpm.config(Path::new(SAMPLES), "max_chunked_body = \"100KiB\"");
    let world = World::of(&config);
    let ask = |length: usize| {
        let chunk = format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
        let mut line = world.connect();
        let ask = Ask::post("/open/x")
            .header("Transfer-Encoding", "chunked")
            .bytes();
        line.send(&[ask, chunk.into_bytes()].concat());
        line.answer()
    };
    let body = "x".repeat(100 << 10);
    let answer = ask(body.len());
    assert_eq!(
        answer.json()["body"],
        json!({"length": body.len(), "sha256": sha256(body.as_bytes())})
    );
    ask(body.len() + 1).refused(413, "body_too_large");
}

#[test]
fn large_answers_arrive_whole() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    for count in [1, 65_535, 20 << 20] {
        let answer = world.get(&format!("/open/x?do=bytes&count={count}"));
        assert!(answer.is_whole && answer.status == 200);
        assert_eq!(answer.body.len(), count);
        assert!(answer.body.iter().all(|byte| *byte == b'x'));
    }
}

#[test]
fn the_status_and_the_headers_are_the_scripts() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    for status in [201, 404, 500] {
        let answer = world.get(&format!("/open/x?do=status&status={status}"));
        assert_eq!((answer.status, answer.text().as_str()), (status, "said"));
        assert_eq!(answer.header("status"), None);
    }
    for status in [204, 304] {
        let mut line = world.connect();
        let answer = line.ask(&Ask::get(&format!("/open/x?do=status&status={status}")));
        assert_eq!(answer.status, status);
        assert_eq!(
            line.ask(&Ask::get("/open/x")).status,
            200,
            "nothing is left over"
        );
    }
    let answer = world.get("/open/x?do=location&to=/there");
    assert_eq!(
        (answer.status, answer.header("location")),
        (302, Some("/there"))
    );
    let answer = world.get("/open/x?do=headers");
    assert_eq!(answer.values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.header("x-kept"), Some("yes"));
    for hidden in ["x-openid", "x_unionid", "x-private"] {
        assert_eq!(answer.header(hidden), None, "{answer:?}");
    }
    let mut line = world.connect();
    let answer = line.ask(&Ask::new("HEAD", "/open/x"));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        line.ask(&Ask::get("/open/x")).status,
        200,
        "nothing is left over"
    );
}

#[test]
fn what_a_script_complains_of_is_a_line_of_the_log_and_nothing_to_the_client() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    let complaint = |target: &str, text: &str| {
        let answer = world.get(target);
        assert!(!answer.text().contains("wrong"), "{answer:?}");
        assert_eq!(answer.text(), text);
        let id = answer.header("x-request-id").unwrap().to_owned();
        let line = world.log.line("complaint", |line| {
            line["fields"]["said"].is_string() && line["fields"]["request_id"] == id.as_str()
                || line["said"].is_string() && line["request_id"] == id.as_str()
        });
        (answer.status, line)
    };
    let (status, line) = complaint("/open/x?do=complain", "done");
    assert_eq!((status, line["level"].as_str()), (200, Some("WARN")));
    let line = line.to_string();
    assert!(
        line.contains("something [31m is wrong really wrong"),
        "{line}"
    );
    let (_, line) = complaint("/open/x?do=complain-much", "done");
    let length = line.to_string().matches('w').count();
    assert!((900..1100).contains(&length), "{length}");
    let (status, line) = complaint("/open/x?do=fail", "");
    assert_eq!(status, 500);
    assert!(line.to_string().contains("nothing works"), "{line}");
}

#[test]
fn a_script_that_is_not_there_is_what_php_says_of_it() {
    let fpm = Fpm::start();
    let world = World::of(&fpm.config(&fpm.root(), ""));
    let answer = world.get("/open/x");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (404, "File not found.\n")
    );
}

#[test]
fn php_that_was_killed_is_unreachable_until_it_is_back() {
    let mut fpm = Fpm::start();
    let world = fpm.guarded("index.php");
    assert_eq!(world.get("/open/x").status, 200);
    fpm.kill();
    world.get("/open/x").refused(502, "upstream_unreachable");
    fpm.run();
    assert_eq!(world.get("/open/x").status, 200);
}

#[test]
fn a_script_that_dies_has_failed_and_what_it_began_to_say_is_cut() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    let ask = Ask::post("/open/x?do=die").body("");
    world.ask(&ask).refused(502, "upstream_failed");
    let answer = world.ask(&ask.to("/open/x?do=die&after=begun"));
    assert_eq!((answer.status, answer.is_whole), (200, false), "{answer:?}");
    assert_eq!(answer.text(), "begun");
}

#[test]
fn a_length_that_a_script_tells_is_held() {
    let fpm = Fpm::start();
    let world = fpm.guarded("scripts.php");
    let ask = |told: usize, count: usize| {
        let mut line = world.connect();
        let answer = line.ask(&Ask::get(&format!(
            "/open/x?do=length&told={told}&count={count}"
        )));
        (
            answer.header("content-length").map(str::to_owned),
            answer.body.len(),
            answer.is_whole,
        )
    };
    assert_eq!(ask(7, 7), (Some("7".to_owned()), 7, true));
    assert_eq!(ask(7, 9), (Some("7".to_owned()), 7, true));
    assert_eq!(ask(9, 7), (Some("9".to_owned()), 7, false));
}

#[test]
fn connections_are_kept_where_the_config_says_so_and_only_there() {
    const IDLE: &str = r#"wxgate_upstream_connections{upstream="php",state="idle"}"#;
    let fpm = Fpm::start();
    for (keys, kept) in [("", 0), ("keep_alive = true", 1)] {
        let world = World::of(&fpm.config(Path::new(SAMPLES), keys));
        for length in [0, 100_000, 3] {
            let body = "x".repeat(length);
            let seen = told(&world, &Ask::post("/open/x").body(&body));
            assert_eq!(seen["body"]["sha256"], sha256(body.as_bytes()));
            let answer = world.ask(&Ask::new("HEAD", "/open/x"));
            assert_eq!(answer.status, 200);
        }
        assert_eq!(told(&world, &Ask::get("/open/x"))["method"], "GET");
        world.await_count(IDLE, kept);
    }
}

#[test]
fn a_script_is_told_of_a_login() {
    let fpm = Fpm::start();
    fpm.file(
        "in.php",
        "<?php if ($_SERVER['HTTP_X_WXGATE_EVENT'] === 'login' && $_SERVER['PATH_INFO'] === '/in')\n\
         echo json_encode(['user_id' => 'u-' . $_SERVER['HTTP_X_OPENID']]);",
    );
    fpm.file("index.php", "<?php echo $_SERVER['HTTP_X_USER_ID'];");
    let told = "action = \"login\"\non_login = { upstream = \"php\", path = \"/in.php/in\" }";
    let config = fpm.config(&fpm.root(), "scripts = [\"in.php\"]");
    let world = World::of(&config.replace("action = \"login\"", told));
    let skey = world.skey_of("alice");
    let answer = world.get_as(&skey, "/orders");
    assert_eq!(answer.text(), format!("u-{}", world.openid_of("alice")));
}
