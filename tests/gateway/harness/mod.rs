//! The verbs that tests are written in. A [`World`] is a gateway with everything around it.

mod backend;
mod browser;
mod client;
mod frames;
mod gate;
mod log;
mod multiplexed;
mod process;
pub mod redis;
mod scratch;
mod secured;
mod service;
mod websocket;
mod world;

pub use backend::{Backend, Conversation, Seen, refusing};
pub use browser::Browser;
pub use client::{Answer, Ask, Line};
pub use frames::{Frame, Frames, Verdict, fields_of, kind};
pub use gate::Gate;
pub use log::Log;
pub use multiplexed::Multiplexed;
pub use process::{Ended, Process, wxgate};
pub use scratch::Scratch;
pub use secured::{Farewell, Met, Secured};
pub use service::{SHIPPED, Service, Setup, between_stand_ins};
pub use websocket::{ACCEPT, CLOSE, KEY, PING, TEXT, farewell, frame, masked};
pub use world::{APPID, BASE, GAME_APPID, SECRET, World};

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// How long a test waits for what should come at once. Nothing passes or fails by it but a test that would hang.
pub const LONGEST: Duration = Duration::from_secs(30);

/// After how long without progress a stream counts as stopped. Too short, it would hide a fault, not make one up.
const A_WHILE: Duration = Duration::from_millis(500);

/// Writes as much of `bytes` as is taken, and tells how much that was once nothing was taken for a while.
fn send_while_taken(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let patience = stream.write_timeout().unwrap();
    stream.set_write_timeout(Some(A_WHILE)).unwrap();
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    stream.set_write_timeout(patience).unwrap();
    sent
}
