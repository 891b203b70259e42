//! HTTP words: where a token stands, what a proxy tells, what a refusal looks like. Knows no sessions and no routes.

pub mod body;
pub mod chunks;
pub mod fields;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod header_lines;
pub mod inflow;
pub mod members;
pub mod original;
pub mod proxy_protocol;
pub mod refusal;
pub mod request_id;
pub mod rewrite;
pub mod tokens;
