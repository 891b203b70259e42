//! wxgate: a reverse-proxy authentication gateway for WeChat mini-programs.

pub mod admin;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod telemetry;
