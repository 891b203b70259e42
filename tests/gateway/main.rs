//! The gateway as its users meet it: real sockets, a simulated WeChat, backends that record what they see.

#![expect(
    unreachable_pub,
    reason = "the harness's verbs are public to the tests, and nobody is beyond them"
)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a verb that cannot go on fails its test, as a test itself may"
)]

mod access_log;
mod admin_page;
mod admin_views;
mod answers;
mod app_choice;
mod architecture;
mod attacks;
mod backend_tls;
mod balance;
mod changes;
mod clients;
mod commands;
mod cors;
mod crowds;
mod demo;
mod desync;
mod dialects;
mod docs;
mod drain;
mod fastcgi;
mod h2;
mod harness;
mod hygiene;
mod java;
mod key_check;
mod legacy;
mod lifecycle;
mod limits;
mod listener;
mod login;
mod on_login;
mod open_data;
mod operators;
mod phone;
mod php;
mod process;
mod proxy_protocol;
mod proxying;
mod rates;
mod recipes;
mod redis;
mod redis_servers;
mod redis_trouble;
mod refusals;
mod replay;
mod restarts;
mod rotation;
mod sessions;
mod sessions_command;
mod strictness;
mod tls;
mod together;
mod tokens;
mod unix_backend;
mod upstream;
mod upstream_failures;
mod verdicts;
mod websocket;
mod wechat_trouble;
