//! Where a measurement takes place: the backends, the session service, a directory, and the subjects that run in it.
//! Knows nothing of figures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::log_in::log_in;
use super::process::{Process, Said, free_port, line};
use super::setup::Setup;
use super::subject::{Names, Subject};
use crate::load::SERVER_NAME;

/// What peers know a session's user by.
const OPENID: &str = "oBench0123456789abcdefghijkl";
/// The most tokens that requests take in turn, evenly from among all sessions.
const MOST_TOKENS: usize = 1000;
/// How late the backend of a counted subject answers, in microseconds.
const COUNTED_DELAY: &str = "4000";

/// The cores of a measurement.
#[derive(Debug, Clone)]
pub struct Cores {
    /// For the proxy.
    pub proxy: Vec<usize>,
    /// For the generator, the backend and the session service.
    pub ends: Vec<usize>,
}

impl Cores {
    /// One for each.
    #[must_use]
    pub fn apart() -> Self {
        Self {
            proxy: vec![0],
            ends: vec![1],
        }
    }

    /// The same two for all.
    #[must_use]
    pub fn together() -> Self {
        Self {
            proxy: vec![0, 1],
            ends: vec![0, 1],
        }
    }
}

/// What all measurements share.
#[derive(Debug)]
pub struct Place {
    pub(crate) cores: Cores,
    wxgate: PathBuf,
    tools: PathBuf,
    backend: Service,
    slow_backend: Service,
    auth: Service,
    directory: TempDir,
}

/// A backend, and where it listens.
#[derive(Debug)]
struct Service {
    process: Process,
    address: String,
    /// Kept, so that it can say what it likes.
    _said: Said,
}

/// A subject that serves.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) subject: Subject,
    pub(crate) process: Process,
    pub(crate) work: PathBuf,
    port: u16,
    pub(crate) is_tls: bool,
    has_targets: bool,
}

impl Place {
    /// Starts what is behind every proxy. The generator and the backend lie beside this program.
    ///
    /// # Errors
    ///
    /// One of them does not start, or there is no `wxgate`.
    pub fn open(cores: Cores, wxgate: PathBuf) -> anyhow::Result<Self> {
        ensure!(wxgate.exists(), "there is no {}", wxgate.display());
        let own = std::env::current_exe()?;
        let tools = own
            .parent()
            .context("this program lies nowhere")?
            .to_owned();
        Ok(Self {
            wxgate,
            backend: Service::start(&cores, &tools, &[])?,
            slow_backend: Service::start(&cores, &tools, &["--delay-us", COUNTED_DELAY])?,
            auth: Service::start(&cores, &tools, &[])?,
            cores,
            tools,
            directory: TempDir::with_prefix("wxgate-benches-")?,
        })
    }

    /// Where a run may have files of its own.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a subject, with sessions that it knows.
    pub(crate) fn start(&self, setup: &Setup) -> anyhow::Result<Running> {
        let subject = setup.subject;
        let port = free_port()?;
        let work = self.directory.path().join(format!("{subject:?}-{port}"));
        fs::create_dir(&work)?;
        write_certificate(&work)?;
        write_made_up_sessions(&work, setup.sessions)?;
        let targets = setup.targets.iter();
        let targets: Vec<_> = targets
            .map(|(host, path)| format!("{host} {path}\n"))
            .collect();
        fs::write(work.join("targets"), targets.concat())?;
        let process = self.spawn(setup, &work, port);
        let process = process.with_context(|| subject.title().to_owned())?;
        let running = Running {
            subject,
            process,
            port,
            work,
            is_tls: setup.is_tls,
            has_targets: !setup.targets.is_empty(),
        };
        if subject == Subject::Wxgate {
            let logged_in = running.log_in(setup.sessions);
            logged_in.with_context(|| format!("logins at wxgate: {}", running.output()))?;
        }
        Ok(running)
    }

    fn spawn(&self, setup: &Setup, work: &Path, port: u16) -> anyhow::Result<Process> {
        let backend = if setup.is_counted {
            &self.slow_backend
        } else {
            &self.backend
        };
        let names = Names {
            work,
            port,
            backend: &backend.address,
            wechat: setup.wechat.as_deref().unwrap_or(&self.backend.address),
            auth: &self.auth.address,
            is_tls: setup.is_tls,
        };
        let (program, arguments, config) = setup.subject.command(&self.wxgate);
        let config = work.join(config);
        fs::write(&config, setup.subject.config(&names, &setup.wxgate))?;
        let mut command = if setup.is_counted {
            counted(&program, work)
        } else {
            Command::new(program)
        };
        command.args(arguments).arg(config);
        command
            .env("SHOP_SECRET", "secret")
            .env("GOMAXPROCS", "1")
            .env("HOME", work);
        let output = work.join("output");
        let mut process = Process::start(&self.cores.proxy, &command, &output)?;
        let listens = process.wait_for(port);
        listens.with_context(|| fs::read_to_string(&output).unwrap_or_default())?;
        Ok(process)
    }

    /// The generator, told to ask `running`.
    pub(crate) fn generator(&self, running: &Running) -> Command {
        let mut command = Command::new(self.tools.join("load"));
        command
            .arg("--target")
            .arg(format!("127.0.0.1:{}", running.port));
        command.arg("--tokens").arg(running.work.join("tokens"));
        if running.is_tls {
            command.arg("--tls").arg(running.work.join("cert.pem"));
        }
        if running.has_targets {
            command.arg("--targets").arg(running.work.join("targets"));
        }
        command
    }

    /// The processes at the far end: the backends and the session service.
    pub(crate) fn far_end(&self) -> Vec<u32> {
        [&self.backend, &self.slow_backend, &self.auth]
            .map(|service| service.process.family())
            .concat()
    }
}

impl Service {
    fn start(cores: &Cores, tools: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(tools.join("backend"));
        command.args(arguments);
        let (process, mut said) = Process::start_talking(&cores.ends, &command)?;
        let address = line(&mut said)?;
        Ok(Self {
            process,
            address,
            _said: said,
        })
    }
}

impl Running {
    /// What it has said so far.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.work.join("output")).unwrap_or_default()
    }

    /// Replaces the made-up tokens by those of real logins.
    fn log_in(&self, sessions: usize) -> anyhow::Result<()> {
        let certificate = self.is_tls.then(|| self.work.join("cert.pem"));
        let skeys = log_in(self.port, sessions, certificate.as_deref())?;
        let step = skeys.len().div_ceil(MOST_TOKENS).max(1);
        let skeys: Vec<_> = skeys.into_iter().step_by(step).collect();
        Ok(fs::write(self.work.join("tokens"), skeys.join("\n"))?)
    }
}

fn counted(program: &str, work: &Path) -> Command {
    let profile = work.join("profile.%p");
    let mut command = Command::new("valgrind");
    // Threads that valgrind lets run in turn as fairly as it can: none starves.
    command.args(["--tool=callgrind", "--instr-atstart=no", "--fair-sched=try"]);
    command.arg(format!("--callgrind-out-file={}", profile.display()));
    command.arg(program);
    command
}

fn write_made_up_sessions(work: &Path, count: usize) -> anyhow::Result<()> {
    let skeys: Vec<_> = (0..count).map(|number| format!("{number:043}")).collect();
    let map = skeys.iter().map(|skey| format!("{skey} {OPENID}\n"));
    fs::write(work.join("sessions.map"), map.collect::<String>())?;
    Ok(fs::write(work.join("tokens"), skeys.join("\n"))?)
}

fn write_certificate(work: &Path) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
    fs::write(work.join("cert.pem"), made.cert.pem())?;
    Ok(fs::write(
        work.join("key.pem"),
        made.signing_key.serialize_pem(),
    )?)
}
