//! Processes on cores of their own, that end with the run. Knows nothing of what they serve.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::usage;

/// How often, and how many times, a port is tried.
const TRY_EVERY: Duration = Duration::from_millis(50);
const TRIES: usize = 600;

/// A running process; it is told to stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

/// What a process says, line by line.
pub(crate) type Said = BufReader<ChildStdout>;

impl Process {
    /// Starts `command` on `cores`, with both outputs in the file `output`.
    pub(crate) fn start(cores: &[usize], command: &Command, output: &Path) -> anyhow::Result<Self> {
        let output = File::create(output)?;
        let mut pinned = pinned(cores, command);
        pinned
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output);
        Self::spawn(pinned)
    }

    /// Starts `command` on `cores`, to be listened to.
    pub(crate) fn start_talking(
        cores: &[usize],
        command: &Command,
    ) -> anyhow::Result<(Self, Said)> {
        let mut pinned = pinned(cores, command);
        pinned.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Self::spawn(pinned)?;
        let out = process
            .child
            .stdout
            .take()
            .context("the process has no output")?;
        Ok((process, BufReader::new(out)))
    }

    fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let child = command
            .spawn()
            .with_context(|| format!("{command:?} does not start"))?;
        Ok(Self { child })
    }

    /// The process and all that it started.
    pub(crate) fn family(&self) -> Vec<u32> {
        usage::family(self.child.id())
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closing it is the sign to end for a process that waits for it.
    pub(crate) fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until something listens at `port` of loopback.
    pub(crate) fn wait_for(&mut self, port: u16) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once: {status}");
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            thread::sleep(TRY_EVERY);
        }
        bail!("nothing listens at port {port}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs no sign. A SIGTERM, since nginx must end its workers.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Ok(None)) = (pid, self.child.try_wait()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        drop(self.child.wait());
    }
}

/// The next line that a process says.
pub(crate) fn line(said: &mut Said) -> io::Result<String> {
    let mut line = String::new();
    if said.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// A port of loopback that nothing listens at.
pub(crate) fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(listener.local_addr()?.port())
}

fn pinned(cores: &[usize], command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    let cores: Vec<_> = cores.iter().map(usize::to_string).collect();
    pinned.args(["--cpu-list", &cores.join(",")]);
    pinned.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => pinned.env(name, value),
            None => pinned.env_remove(name),
        };
    }
    pinned
}
