//! HTTP words: which headers must go, where a token stands, what a refusal looks like. Knows no sessions and no routes.

pub mod body;
pub mod chunks;
pub mod client;
pub mod fields;
pub mod framing;
pub mod head;
pub mod headers;
pub mod inflow;
pub mod members;
pub mod original;
pub mod refusal;
pub mod request_id;
pub mod rewrite;
pub mod tokens;
