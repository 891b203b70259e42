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
    reason = "what a test did not expect fails it, in the harness too"
)]

mod answers;
mod drain;
mod harness;
mod limits;
mod listener;
mod login;
mod proxying;
mod upstream;
mod upstream_failures;
