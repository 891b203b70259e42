//! The gateway as its users meet it: real sockets, a simulated WeChat, backends that record what they see.

#![expect(
    unreachable_pub,
    reason = "the harness's verbs are public to the tests, and nobody is beyond them"
)]

mod architecture;
mod commands;
mod demo;
mod docs;
mod harness;
mod java;
mod legacy;
mod login;
mod php;
mod process;
