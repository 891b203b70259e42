//! wxgate: a reverse-proxy authentication gateway for WeChat mini-programs.

pub mod config;
pub mod domain;
pub mod simulator;
pub mod wechat;
