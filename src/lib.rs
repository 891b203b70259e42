//! wxgate: a reverse-proxy authentication gateway for WeChat mini-programs.

pub mod config;
pub mod domain;
pub mod endpoints;
pub mod listener;
pub mod simulator;
pub mod store;
pub mod upstream;
pub mod wechat;
pub mod wire;
