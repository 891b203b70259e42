//! Where a comparison takes place: the backend, the session service, a directory, and the subjects that run in it.
//! Knows nothing of figures.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tempfile::TempDir;

use super::process::{Process, Said, free_port, line};
use super::subject::{Names, Subject};
use crate::load::{SERVER_NAME, trust};

/// How many sessions requests take in turn.
const SESSIONS: usize = 1000;
/// What peers know a session's user by.
const OPENID: &str = "oBench0123456789abcdefghijkl";

/// The cores of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    /// For the proxy alone.
    pub proxy: usize,
    /// For the generator, the backend and the session service.
    pub ends: usize,
}

/// What all measurements share.
#[derive(Debug)]
pub struct Place {
    pub(super) cores: Cores,
    wxgate: PathBuf,
    tools: PathBuf,
    backend: Service,
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
pub(super) struct Running {
    pub(super) subject: Subject,
    pub(super) process: Process,
    port: u16,
    work: PathBuf,
    is_tls: bool,
}

impl Place {
    /// Starts what is behind every proxy; `tools` is the directory of the generator and the backend.
    ///
    /// # Errors
    ///
    /// One of them does not start.
    pub fn open(cores: Cores, wxgate: PathBuf, tools: PathBuf) -> anyhow::Result<Self> {
        Ok(Self {
            cores,
            wxgate,
            backend: Service::start(cores, &tools)?,
            auth: Service::start(cores, &tools)?,
            tools,
            directory: TempDir::with_prefix("wxgate-compare-")?,
        })
    }

    /// Starts `subject`, with sessions that it knows.
    pub(super) fn start(&self, subject: Subject, is_tls: bool) -> anyhow::Result<Running> {
        let port = free_port()?;
        let work = self.directory.path().join(format!("{subject:?}-{port}"));
        fs::create_dir(&work)?;
        write_certificate(&work)?;
        let made_up = (0..SESSIONS)
            .map(|number| format!("{number:043}"))
            .collect::<Vec<_>>();
        let map: Vec<_> = made_up
            .iter()
            .map(|skey| format!("{skey} {OPENID}\n"))
            .collect();
        fs::write(work.join("sessions.map"), map.concat())?;
        fs::write(work.join("tokens"), made_up.join("\n"))?;
        let process = self.spawn(subject, &work, port, is_tls);
        let process = process.with_context(|| subject.title().to_owned())?;
        let running = Running {
            subject,
            process,
            port,
            work,
            is_tls,
        };
        if subject == Subject::Wxgate {
            running.log_in().context("logins at wxgate")?;
        }
        Ok(running)
    }

    fn spawn(
        &self,
        subject: Subject,
        work: &Path,
        port: u16,
        is_tls: bool,
    ) -> anyhow::Result<Process> {
        let names = Names {
            work,
            port,
            backend: &self.backend.address,
            auth: &self.auth.address,
            is_tls,
        };
        let (program, arguments, config) = subject.command(&self.wxgate);
        let config = work.join(config);
        fs::write(&config, subject.config(&names))?;
        let mut command = Command::new(program);
        command.args(arguments).arg(config);
        command
            .env("SHOP_SECRET", "secret")
            .env("GOMAXPROCS", "1")
            .env("HOME", work);
        let output = work.join("output");
        let mut process = Process::start(self.cores.proxy, &command, &output)?;
        let listens = process.wait_for(port);
        listens.with_context(|| fs::read_to_string(&output).unwrap_or_default())?;
        Ok(process)
    }

    /// The generator, told to ask `running`.
    pub(super) fn generator(&self, running: &Running) -> Command {
        let mut command = Command::new(self.tools.join("load"));
        command
            .arg("--target")
            .arg(format!("127.0.0.1:{}", running.port));
        command.arg("--tokens").arg(running.work.join("tokens"));
        if running.is_tls {
            command.arg("--tls").arg(running.work.join("cert.pem"));
        }
        command
    }

    /// The processes at the far end: the backend and the session service.
    pub(super) fn far_end(&self) -> Vec<u32> {
        [&self.backend, &self.auth]
            .map(|service| service.process.family())
            .concat()
    }
}

impl Service {
    fn start(cores: Cores, tools: &Path) -> anyhow::Result<Self> {
        let command = Command::new(tools.join("backend"));
        let (process, mut said) = Process::start_talking(cores.ends, &command)?;
        let address = line(&mut said)?;
        Ok(Self {
            process,
            address,
            _said: said,
        })
    }
}

impl Running {
    /// Replaces the made-up tokens by those of real logins.
    fn log_in(&self) -> anyhow::Result<()> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_nodelay(true)?;
        let skeys = if self.is_tls {
            let config = trust(&self.work.join("cert.pem"))?;
            let name = ServerName::try_from(SERVER_NAME)?;
            let tls = ClientConnection::new(Arc::clone(&config), name)?;
            log_in_all(&mut StreamOwned::new(tls, socket))?
        } else {
            let mut socket = socket;
            log_in_all(&mut socket)?
        };
        Ok(fs::write(self.work.join("tokens"), skeys.join("\n"))?)
    }
}

fn log_in_all(stream: &mut (impl Read + Write)) -> anyhow::Result<Vec<String>> {
    (0..SESSIONS).map(|number| log_in(stream, number)).collect()
}

fn log_in(stream: &mut (impl Read + Write), number: usize) -> anyhow::Result<String> {
    let code = format!("code={number:032}");
    let length = code.len();
    write!(
        stream,
        "POST /wx/login HTTP/1.1\r\nHost: shop.example.com\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{code}"
    )?;
    stream.flush()?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    while answer.last() != Some(&b'}') {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    let answer = String::from_utf8(answer)?;
    let skey = answer
        .split("\"skey\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    Ok(skey
        .with_context(|| format!("no skey in {answer}"))?
        .to_owned())
}

fn write_certificate(work: &Path) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()])?;
    fs::write(work.join("cert.pem"), made.cert.pem())?;
    Ok(fs::write(
        work.join("key.pem"),
        made.signing_key.serialize_pem(),
    )?)
}
