//! `php-fpm`: a PHP application with nothing but wxgate between it and the mini-program.

use super::{LONG, Phone, recipes};
use crate::fastcgi::fpm::Fpm;
use crate::harness::{Backend, Scratch};

const NAME: &str = "php-fpm";
/// A front script, and one beside it.
const INDEX: &str = "<?php echo $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['PATH_INFO'], ' of ', $_SERVER['HTTP_X_OPENID'] ?? 'nobody';";
const NOTIFY: &str = "<?php echo 'notified: ', file_get_contents('php://input');";

/// The recipe before a php-fpm with the recipe's pool; both only find each other elsewhere.
fn start() -> (Fpm, Phone) {
    let file = |end: &str| recipes().join(format!("{NAME}.{end}"));
    let read = |end: &str| std::fs::read_to_string(file(end)).unwrap();
    let scratch = Scratch::new();
    let socket = scratch.path().join("fpm.sock").display().to_string();
    let pool = read("pool.conf");
    let pool = [
        ("/run/php/wxgate.sock", socket.as_str()),
        ("www-data", "root"),
    ]
    .iter()
    .fold(pool, |pool, (from, to)| {
        assert!(pool.contains(from), "the pool has no {from}");
        pool.replace(from, to)
    });
    let fpm = Fpm::of_pool(scratch, &pool);
    fpm.file("index.php", INDEX);
    fpm.file("pay/notify.php", NOTIFY);
    fpm.file("pay/other.php", "<?php echo 'PLANTED';");
    fpm.file("uploads/a.php", "<?php echo 'PLANTED';");
    let root = fpm.root().display().to_string();
    let config = [
        ("127.0.0.1:8080", "127.0.0.1:0"),
        ("127.0.0.1:9090", "127.0.0.1:0"),
        (
            "#base_url = \"https://api.weixin.qq.com\"",
            "base_url = \"WECHAT\"",
        ),
        ("fcgi+unix:/run/php/wxgate.sock", &fpm.server),
        ("/var/www/app/public", &root),
    ]
    .iter()
    .fold(read("toml"), |config, (from, to)| {
        assert!(config.contains(from), "the config has no {from}");
        config.replace(from, to)
    });
    (fpm, Phone::of(&config, Backend::start()))
}

fn log_in(phone: &Phone) -> String {
    let body = format!(r#"{{"code":"{}"}}"#, phone.code());
    let answer = phone.request("POST /wx/login", &[], &body);
    answer.json()["skey"].as_str().unwrap().to_owned()
}

#[test]
fn it_logs_in_calls_is_refused_in_time_and_logs_in_again() {
    let (_fpm, phone) = start();
    let alice = phone.world.openid_of("alice");
    let skey = log_in(&phone);
    let orders = |skey: &str| {
        let own = format!("X-Skey: {skey}");
        phone.request("GET /orders/7?page=1", &[&own, "X_OpenId: boss"], "")
    };
    assert_eq!(orders(&skey).text(), format!("GET /orders/7 of {alice}"));
    phone.world.clock.turn(LONG);
    orders(&skey).refused(401, "session_invalid");
    let again = log_in(&phone);
    assert_eq!(orders(&again).text(), format!("GET /orders/7 of {alice}"));
}

#[test]
fn what_the_config_names_runs_and_nothing_else() {
    let (_fpm, phone) = start();
    let paid = phone.request("POST /pay/notify.php", &["X-OpenId: boss"], "{\"id\":1}");
    assert_eq!(paid.text(), "notified: {\"id\":1}");
    phone
        .request("GET /orders", &[], "")
        .refused(401, "session_missing");
    let own = format!("X-Skey: {}", log_in(&phone));
    for path in ["/uploads/a.php", "/pay/other.php"] {
        let answer = phone.request(&format!("GET {path}"), &[&own], "");
        assert!(
            answer.text().starts_with(&format!("GET {path} of ")),
            "{answer:?}"
        );
    }
}
