//! A Java application behind the gateway: a real `com.sun.net.httpserver`.

use std::net::Ipv4Addr;
use std::process::Command;

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
    let mut java = Command::new("java");
    java.args(["tests/backends/Backend.java", "0"]);
    Legacy::start(java, |java| {
        let line = java.line("port", |line| line.starts_with("listening on "));
        let port = line.trim_start_matches("listening on ").parse().unwrap();
        (Ipv4Addr::LOCALHOST, port).into()
    })
}
