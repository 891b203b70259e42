//! wxgate: a reverse-proxy authentication gateway for WeChat mini-programs.

pub mod admin;
pub mod app;
pub mod config;
pub mod demo;
pub mod domain;
pub mod endpoints;
pub mod explain;
pub mod gateway;
pub mod listener;
pub mod metrics;
pub mod service;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod wechat;
pub mod wire;
