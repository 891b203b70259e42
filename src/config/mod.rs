//! The config: what is written (raw) becomes what is meant (plan). Knows nothing of what is done with it.

pub mod plan;
