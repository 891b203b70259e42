//! FastCGI 1.0 as a web server speaks it: a request as an environment and a stream, an answer as CGI has it. Knows no
//! connections.
//!
//! It is our own, since the crates for it write a request whole before they read a byte of the answer, or keep an answer
//! whole in memory.

mod environment;
mod incoming;
mod params;
mod records;
mod reply;

pub(super) use environment::{drop_ambiguous, shown, write_head};
pub(super) use incoming::Incoming;
pub(super) use records::{END_OF_INPUT, MOST_CONTENT, input};

pub use records::{BadRecord, Ending, Piece, Records};

use crate::config::plan::FastCgiPlan;
use crate::wire::request_id::RequestId;

/// A script that is to run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Whether its server may keep the connection.
    keeps_alive: bool,
    /// The id of the request, under which the log tells what it complains of.
    request_id: RequestId,
}

impl Run {
    pub(super) fn of(scripts: &FastCgiPlan, request_id: &RequestId) -> Self {
        Self {
            keeps_alive: scripts.keep_alive,
            request_id: request_id.clone(),
        }
    }
}
