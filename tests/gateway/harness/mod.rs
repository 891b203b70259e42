//! The verbs that tests are written in. A [`World`] is a gateway with everything around it.

mod backend;
mod client;
mod log;
mod process;
mod service;
mod world;

pub use backend::{Backend, Conversation, Seen};
pub use client::{Answer, Ask, Line};
pub use log::Log;
pub use process::{Ended, Process, Scratch, wxgate};
pub use service::{SHIPPED, Service, Setup};
pub use world::{APPID, BASE, GAME_APPID, SECRET, World};

use std::time::Duration;

/// How long a test waits for what should come at once. Nothing passes or fails by it but a test that would hang.
pub const LONGEST: Duration = Duration::from_secs(30);
