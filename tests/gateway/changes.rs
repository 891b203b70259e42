//! What the config changes of a request on its way, and what it does not touch.

mod headers;
mod host;
mod prefix;

use crate::harness::{Process, Scratch, wxgate};

/// What `wxgate explain` says of a request under a config.
#[track_caller]
fn explained(config: &str, arguments: &[&str]) -> String {
    let scratch = Scratch::new();
    scratch.write("gateway.toml", config);
    let mut command = wxgate(&[&["explain"], arguments].concat());
    command.current_dir(scratch.path());
    let ended = Process::run(command);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended.out
}
