//! The machine of a measurement, and how busy others kept it.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::subject::Subject;

/// The machine of a measurement, and how busy others kept it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// What subjects say of their version.
    pub(crate) versions: Vec<String>,
    /// The load average of a minute before the first measurement; after that it is the measurement's own.
    pub(crate) load_before: f64,
}

impl Machine {
    /// This one, with the versions of `subjects`.
    pub(crate) fn this(subjects: impl Iterator<Item = Subject>) -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        let mut versions: Vec<_> = subjects.filter_map(version).collect();
        versions.dedup();
        Self {
            cpu: cpu.unwrap_or("unknown").to_owned(),
            cores: cpuinfo.matches("model name").count(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            versions,
            load_before: load.unwrap_or_default(),
        }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            cpu, cores, kernel, ..
        } = self;
        write!(f, "{cpu} with {cores} cores, Linux {kernel}; ")?;
        for version in &self.versions {
            write!(f, "{version}; ")?;
        }
        write!(
            f,
            "load average before the first measurement: {:.1}.",
            self.load_before
        )
    }
}

/// The first line that a peer says of its version, on whichever output.
fn version(subject: Subject) -> Option<String> {
    let (program, arguments) = subject.version_command()?;
    let said = Command::new(program).args(arguments).output().ok()?;
    let said = [said.stdout, said.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next()?;
    let line = line.split(" - ").next()?;
    Some(match subject {
        Subject::CaddyForwardAuth => format!("Caddy {line}"),
        _ => line.to_owned(),
    })
}
