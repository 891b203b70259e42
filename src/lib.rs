//! wxgate.
pub mod domain;
