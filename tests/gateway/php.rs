//! A PHP application behind the gateway: real `php -S`.

use std::net::SocketAddr;
use std::process::Command;

use crate::harness::Process;
use crate::legacy::{self, Legacy};

#[test]
fn after_a_login_it_sees_one_openid_whatever_the_client_pretends() {
    legacy::sees_one_openid(&start());
}

#[test]
fn without_a_session_nothing_reaches_it() {
    legacy::sees_nothing_without_a_session(&start());
}

#[test]
fn path_query_and_method_arrive_as_they_were_sent() {
    legacy::sees_the_request_as_it_was_sent(&start());
}

#[test]
fn bodies_arrive_byte_for_byte() {
    legacy::sees_bodies_byte_for_byte(&start());
}

#[test]
fn many_users_at_the_same_time_are_each_seen_as_themselves() {
    legacy::sees_each_of_many_as_themselves(&start());
}

#[track_caller]
fn start() -> Legacy {
    let mut php = Command::new("php");
    php.args(["-d", "enable_post_data_reading=0", "-S", "127.0.0.1:0"]);
    php.arg("tests/backends/index.php");
    php.env("PHP_CLI_SERVER_WORKERS", "4");
    Legacy::start(php, address)
}

/// Where a `php -S` listens, once it does.
#[track_caller]
pub fn address(php: &Process) -> SocketAddr {
    let started = |line: &str| line.contains("Development Server (http://");
    let line = php.error_line("address", started);
    let address = line.split(['/', ')']).find_map(|word| word.parse().ok());
    address.unwrap_or_else(|| panic!("no address in {line}"))
}
