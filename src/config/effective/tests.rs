//! The config as operators read it back.

use super::*;
use crate::config::{Surroundings, read};

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0", "unix:/run/w.sock"]
max_body = "3MiB"
[admin]
listen = "127.0.0.1:9090"
token = { env = "TOKEN" }
[limits]
logins_per_address = "30/m"
[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SECRET" }
[sessions]
idle = "90s"
token = ["header:X-Skey", "cookie:sk"]
encryption_keys = [{ env = "KEY" }]
[upstreams.php]
servers = ["http://127.0.0.1:9000", "unix:/run/php.sock"]
health = { path = "/healthz" }
[upstreams.fpm]
servers = ["fcgi://127.0.0.1:9001"]
root = "/var/www"
script = "index.php"
scripts = ["api.php", "admin/*.php"]
[[routes]]
path = "/login"
action = "login"
response = { skey = "{skey}", fixed = 1 }
on_login = { upstream = "php", path = "/in" }
[[routes]]
path = "/*"
hosts = ["a.example"]
upstream = "php"
request_headers = { set = { Authorization = "Bearer of-the-backend" }, remove = ["X-Debug"] }
response_headers = { set = { X-Frame-Options = "DENY" } }
cors = { origins = ["https://h5.example.com"] }
[refusals]
session_invalid = { status = 200, body = { errmsg = "{message}" } }
"#;

/// What must not be seen.
const SECRETS: [&str; 3] = [
    "the-secret-of-the-shop",
    "the-token-of-the-operator-in-tests",
    "abababababababababababababababababababababababababababababababab",
];

fn told() -> Value {
    told_of(CONFIG)
}

fn told_of(config: &str) -> Value {
    let mut surroundings = Surroundings::of_process();
    for (name, secret) in ["SECRET", "TOKEN", "KEY"].into_iter().zip(SECRETS) {
        let (name, secret) = (name.to_owned(), secret.to_owned());
        surroundings.variables.insert(name, secret);
    }
    effective(&read("test.toml", config, &surroundings).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn no_password_of_a_redis_is_told() {
    let store = "encryption_keys = [{ env = \"KEY\" }]\nstore = { redis_sentinel = [\"redis://:of-sentinels@a:26379\"], \
        master = \"m\", username = \"gate\", password = { env = \"TOKEN\" } }";
    let config = CONFIG.replace("encryption_keys = [{ env = \"KEY\" }]", store);
    let text = told_of(&config).to_string();
    assert!(text.contains("a:26379"), "{text}");
    for secret in SECRETS.iter().chain(&["of-sentinels"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn what_was_left_out_is_told_as_it_holds() {
    let told = told();
    assert_eq!(told["server"]["max_body"], "3MiB");
    assert_eq!(told["server"]["header_timeout"], "10s");
    assert_eq!(told["sessions"]["lifetime"], "7d");
    assert_eq!(told["sessions"]["idle"], "90s");
    assert_eq!(
        told["sessions"]["token"],
        json!(["header:x-skey", "cookie:sk"])
    );
    assert_eq!(told["limits"]["logins_per_address"]["every_seconds"], 2.0);
    assert_eq!(told["limits"]["requests_per_user"], Value::Null);
    assert_eq!(told["upstreams"]["php"]["balance"], "round-robin");
    assert_eq!(told["upstreams"]["php"]["health"]["path"], "/healthz");
    let scripts = &told["upstreams"]["fpm"]["fastcgi"]["scripts"];
    assert_eq!(scripts, &json!(["api.php", "admin/*.php"]));
    let login = &told["routes"][0];
    assert_eq!(login["response"], json!({"skey": "{skey}", "fixed": 1}));
    assert_eq!(login["on_login"]["upstream"], "php");
    let all = &told["routes"][1];
    assert_eq!(
        (&all["auth"], &all["upstream"]),
        (&json!("required"), &json!("php"))
    );
    assert_eq!(all["cors"]["origins"], json!(["https://h5.example.com"]));
    assert_eq!(all["response_headers"]["set"]["x-frame-options"], "DENY");
    let invalid = &told["refusals"]["session_invalid"];
    assert_eq!(
        invalid,
        &json!({"status": 200, "body": {"errmsg": "{message}"}})
    );
}

#[test]
fn no_secret_is_told() {
    let told = told();
    let text = told.to_string();
    for secret in SECRETS.iter().chain(&["of-the-backend"]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(told["admin"]["token"], HIDDEN);
    assert_eq!(told["apps"]["shop"]["secret"], HIDDEN);
    assert_eq!(told["sessions"]["encryption_keys"], json!([HIDDEN]));
    assert_eq!(
        told["routes"][1]["request_headers"]["set"]["authorization"],
        HIDDEN
    );
}

#[test]
fn quantities_are_written_in_the_largest_unit_that_fits() {
    let spans = [0, 1, 1500, 90_000, 3_600_000, 86_400_000];
    let told = spans.map(|millis| span(Duration::from_millis(millis)));
    assert_eq!(told, ["0s", "1ms", "1500ms", "90s", "1h", "1d"]);
    let told = [0, 1, 1024, 3 << 20].map(amount);
    assert_eq!(told, ["0B", "1B", "1KiB", "3MiB"]);
}
