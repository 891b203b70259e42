//! A gateway before the simulator, and the clients that log in to it. Knows nothing of what is measured.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};

use super::simulator::Simulator;
use crate::load::Report;
use crate::stage::{Place, Process, Running, Setup, Subject, WXGATE, line};
use crate::usage;

/// Every so many codes, one is sent twice at once.
const EVERY: usize = 10;

/// A gateway whose WeChat is the simulator, and forms that nobody has sent yet.
pub(super) struct Crowd<'p> {
    place: &'p Place,
    pub(super) gateway: Running,
    pub(super) simulator: Simulator,
    forms: PathBuf,
    sent: u64,
}

/// What came of some logins, and the CPU time that they took, in nanoseconds.
pub(super) struct Came {
    pub(super) report: Report,
    pub(super) gateway: u64,
    pub(super) simulator: u64,
}

impl<'p> Crowd<'p> {
    /// Starts both, with so many codes.
    pub(super) fn gather(
        place: &'p Place,
        program: &std::path::Path,
        codes: u64,
    ) -> anyhow::Result<Self> {
        let simulator = Simulator::start(place, program, codes)?;
        let forms = place.directory().join("forms-in-turn");
        let text = fs::read_to_string(&simulator.forms)?;
        fs::write(&forms, some_twice(&text))?;
        let gateway = place.start(&Setup {
            wxgate: config(),
            sessions: 0,
            wechat: Some(simulator.address.clone()),
            ..Setup::of(Subject::Wxgate)
        })?;
        Ok(Self {
            place,
            gateway,
            simulator,
            forms,
            sent: 0,
        })
    }

    /// Sends the next logins, as the generator's `options` say; `most` of them.
    pub(super) fn log_in(&mut self, most: u64, options: &[&str]) -> anyhow::Result<Came> {
        let mut command = self.generator(most);
        command.args(options);
        let (gateway, simulator) = (
            self.gateway.process.family(),
            self.simulator.process.family(),
        );
        let (_generator, mut said) = Process::start_talking(&self.place.cores.ends, &command)?;
        ensure!(line(&mut said)? == "open", "the generator does not open");
        let before = (usage::cpu_time(&gateway), usage::cpu_time(&simulator));
        let report = line(&mut said).context("the logins broke off")?;
        self.sent += most;
        Ok(Came {
            report: serde_json::from_str(&report)?,
            gateway: usage::cpu_time(&gateway).saturating_sub(before.0),
            simulator: usage::cpu_time(&simulator).saturating_sub(before.1),
        })
    }

    fn generator(&self, most: u64) -> Command {
        let mut command = self.place.generator(&self.gateway);
        command.arg("--forms").arg(&self.forms);
        command.args(["--path", "/wx/login", "--warm-up", "0"]);
        command.args([
            "--skip",
            &self.sent.to_string(),
            "--most",
            &most.to_string(),
        ]);
        command
    }

    /// The memory of the gateway now, and the most that it ever was, in KiB.
    pub(super) fn memory(&self) -> anyhow::Result<(u64, u64)> {
        Ok(usage::resident(self.gateway.process.id())?)
    }

    /// The sum of the gateway's metrics with this name and this label.
    pub(super) fn counted(&self, name: &str, label: &str) -> anyhow::Result<u64> {
        let output = self.gateway.output();
        let address = output
            .split("listening for the operator address=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next())
            .context("the gateway has no operator's listener")?;
        let mut stream = TcpStream::connect(address)?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(sum(&page, name, label))
    }
}

/// How many requests these codes make.
pub(super) fn requests(codes: u64) -> u64 {
    codes + codes / EVERY as u64
}

/// The lines of `forms`, every tenth of them twice.
fn some_twice(forms: &str) -> String {
    let lines = forms.lines().enumerate().map(|(number, form)| {
        if number % EVERY == EVERY - 1 {
            format!("{form}\n{form}\n")
        } else {
            format!("{form}\n")
        }
    });
    lines.collect()
}

/// The usual config with a worker for each core, and with codes that are remembered for the usual time.
fn config() -> String {
    WXGATE
        .replace("workers = 1\n", "workers = 2\n")
        .replace("login_replay = \"0s\"", "login_replay = \"10s\"")
}

fn sum(page: &str, name: &str, label: &str) -> u64 {
    let of_name = |line: &&str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('{'))
    };
    let lines = page
        .lines()
        .filter(of_name)
        .filter(|line| line.contains(label));
    let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_code_is_sent_twice() {
        let forms: Vec<_> = (0..25).map(|number| format!("code={number}\n")).collect();
        let sent = some_twice(&forms.concat());
        assert_eq!(u64::try_from(sent.lines().count()).unwrap(), requests(25));
        assert!(
            sent.contains("code=9\ncode=9\ncode=10\ncode=11\n"),
            "{sent}"
        );
    }

    #[test]
    fn metrics_are_added_up_by_name_and_label() {
        let page = "a_total{x=\"ok\"} 3\na_total{y=\"1\",x=\"ok\"} 4\na_total{x=\"no\"} 5\na_total_more{x=\"ok\"} 6\n";
        assert_eq!(sum(page, "a_total", "x=\"ok\""), 7);
    }

    #[test]
    fn the_config_says_what_it_is_to_say() {
        let config = config();
        assert!(config.contains("workers = 2\n") && config.contains("login_replay = \"10s\""));
    }
}
