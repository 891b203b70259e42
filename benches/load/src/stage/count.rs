//! User instructions, which callgrind counts and which do not depend on how busy the machine is. Knows nothing of what
//! they are spent on.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::place::{Place, Running};
use super::process::{Process, line};
use crate::load::Report;

/// Slow enough that a subject, fifty times slower than it is, waits for what comes next, as it does when it is not
/// saturated.
const RATE: u32 = 60;
const WARM_UP: u32 = 300;

/// A subject under callgrind that is warm, and counts from now on.
pub(crate) struct Counter<'p> {
    place: &'p Place,
    running: &'p Running,
    dumps: usize,
}

impl<'p> Counter<'p> {
    /// Begins to count; up to now `running` counted nothing, and was faster for it.
    pub(crate) fn begin(place: &'p Place, running: &'p Running) -> anyhow::Result<Self> {
        let mut counter = Self {
            place,
            running,
            dumps: 0,
        };
        counter.control(&["--instr=on"])?;
        counter.ask(WARM_UP)?;
        counter.dump()?;
        Ok(counter)
    }

    /// The user instructions of a request, over so many of them.
    pub(crate) fn count(&mut self, requests: u32) -> anyhow::Result<f64> {
        self.ask(requests)?;
        let profile = self.dump()?;
        let text = fs::read_to_string(&profile).with_context(|| profile.display().to_string())?;
        let sum = text.lines().find_map(|line| line.strip_prefix("summary: "));
        let sum: f64 = sum.context("the profile has no sum")?.trim().parse()?;
        Ok(sum / f64::from(requests))
    }

    /// Sends so many requests, one after the other.
    fn ask(&self, requests: u32) -> anyhow::Result<()> {
        let mut command = self.place.generator(self.running);
        let (rate, most) = (RATE.to_string(), requests.to_string());
        command.args(["--connections", "1", "--warm-up", "0", "--seconds", "600"]);
        command.args(["--rate", &rate, "--most", &most]);
        let (_generator, mut said) = Process::start_talking(&self.place.cores.ends, &command)?;
        ensure!(line(&mut said)? == "open", "the generator does not open");
        let report: Report = serde_json::from_str(&line(&mut said)?)?;
        ensure!(
            report.answers == u64::from(requests) && report.failed() + report.reopened == 0,
            "not every request was answered: {report:?}"
        );
        Ok(())
    }

    /// Ends what is counted so far, and begins anew; the file that has it.
    fn dump(&mut self) -> anyhow::Result<PathBuf> {
        self.control(&["--dump"])?;
        self.dumps += 1;
        let name = format!("profile.{}.{}", self.running.process.id(), self.dumps);
        Ok(self.running.work.join(name))
    }

    fn control(&self, options: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("callgrind_control");
        command
            .args(options)
            .arg(self.running.process.id().to_string());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let is_done = status.context("valgrind is not installed")?.success();
        ensure!(is_done, "callgrind_control does not reach the subject");
        Ok(())
    }
}
