//! The simulator of WeChat as a process, which benches/inside/simulator.rs is. Knows nothing of the gateway.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};

use anyhow::Context;
use serde::Deserialize;

use crate::stage::{Place, Process, Said, line};

/// A running simulator; it ends when this is dropped.
pub(super) struct Simulator {
    pub(super) process: Process,
    pub(super) address: String,
    /// A form for each login.
    pub(super) forms: PathBuf,
    input: ChildStdin,
    said: Said,
}

/// What it says of itself, so far.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Told {
    pub(super) calls: u64,
    pub(super) connections: u64,
}

impl Simulator {
    /// Starts `program`, ready for so many logins.
    pub(super) fn start(place: &Place, program: &Path, logins: u64) -> anyhow::Result<Self> {
        let forms = place.directory().join("forms");
        let mut command = Command::new(program);
        command.arg("--forms").arg(&forms);
        command.arg("--logins").arg(logins.to_string());
        let (mut process, mut said) = Process::start_talking(&place.cores.ends, &command)?;
        let address = line(&mut said).context("the simulator does not start")?;
        let input = process.input().context("the simulator has no input")?;
        Ok(Self {
            process,
            address,
            forms,
            input,
            said,
        })
    }

    /// Tells it what to do, and hears its counts.
    pub(super) fn tell(&mut self, what: &str) -> anyhow::Result<Told> {
        writeln!(self.input, "{what}")?;
        Ok(serde_json::from_str(&line(&mut self.said)?)?)
    }
}
