//! One process of Redis, and what it leaves behind.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use super::certificates::Certificates;
use super::ports::Ports;
use super::setup::Setup;
use super::{LOOK_EVERY, LOOKS};

/// Runs the server, says its id, and kills it as soon as the one who started it closes the input or is gone. Until then
/// the id is nobody else's, because the shell has not waited for it.
const GUARD: &str = r#"
redis-server "$1/redis.conf" $2 >>"$1/log" 2>&1 </dev/null &
echo "$!"
read -r _
kill -s KILL "$!"
wait
"#;
/// How often a start is tried that finds its port taken.
const TRIES: usize = 10;
/// Seconds that a node may take to answer.
const PATIENCE: &str = "5";
/// Bytes of a log that a failing test shows.
const SHOWN: usize = 1500;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Server,
    Sentinel,
}

/// One server or Sentinel with a directory of its own.
pub(super) struct Node {
    kind: Kind,
    ports: Ports,
    /// Before its directory, because it ends first.
    running: Option<Running>,
    directory: Directory,
}

impl Node {
    /// Starts a node with the config that its ports lead to.
    #[track_caller]
    pub(super) fn start(kind: Kind, config: impl Fn(Ports) -> String) -> Self {
        let directory = Directory::new("node");
        for _ in 0..TRIES {
            let ports = Ports::choose();
            let place = format!("dir {}\n", directory.path().display());
            let text = config(ports) + &place;
            fs::write(directory.path().join("redis.conf"), text).unwrap();
            if let Some(running) = Running::start(kind, directory.path()) {
                return Self {
                    kind,
                    ports,
                    directory,
                    running: Some(running),
                };
            }
        }
        panic!("redis-server does not start:\n{}", log_in(&directory));
    }

    pub(super) fn port(&self) -> u16 {
        self.ports.port()
    }

    pub(super) fn bus_port(&self) -> u16 {
        self.ports.bus()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Ends it and waits until its sockets are gone.
    pub(super) fn kill(&mut self) {
        self.running = None;
    }

    pub(super) fn signal(&self, name: &str) {
        let running = self.running.as_ref().expect("the node does not run");
        // The shell's own `kill`: there may be no other.
        let mut shell = Command::new("sh");
        let sent = shell.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &running.id]);
        assert!(sent.status().unwrap().success());
    }

    /// Starts it again where it was.
    #[track_caller]
    pub(super) fn restart(&mut self) {
        assert!(!self.runs(), "the node runs already");
        for _ in 0..TRIES {
            self.running = Running::start(self.kind, self.directory.path());
            if self.runs() {
                return;
            }
        }
        panic!("it does not start again:\n{}", self.log_end());
    }

    /// What `redis-cli` says to this command.
    pub(super) fn ask(
        &self,
        setup: &Setup,
        certificates: Option<&Certificates>,
        command: &[&str],
    ) -> Result<String, String> {
        if !self.runs() {
            return Err("it does not run".to_owned());
        }
        let mut cli = Command::new("timeout");
        cli.args([PATIENCE, "redis-cli", "-h", "127.0.0.1", "-e", "-p"]);
        cli.arg(self.port().to_string()).stdin(Stdio::null());
        if let Some(certificates) = certificates {
            cli.arg("--tls")
                .arg("--cacert")
                .arg(certificates.authority());
        }
        if let (Kind::Server, Some(password)) = (self.kind, &setup.password) {
            cli.env("REDISCLI_AUTH", password);
            if let Some(user) = &setup.user {
                cli.args(["--user", user]);
            }
        }
        let output = cli
            .args(command)
            .output()
            .expect("redis-cli should be there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(format!("{} {}", text(&output.stdout), text(&output.stderr)))
        }
    }

    /// The end of what it has logged.
    pub(super) fn log_end(&self) -> String {
        format!(
            "--- {:?} {}\n{}",
            self.kind,
            self.port(),
            log_in(&self.directory)
        )
    }
}

fn log_in(directory: &Directory) -> String {
    let log = fs::read(directory.path().join("log")).unwrap_or_default();
    let from = log.len().saturating_sub(SHOWN);
    String::from_utf8_lossy(&log[from..]).into_owned()
}

/// A process; it is killed when this is dropped.
struct Running {
    guard: Child,
    id: String,
}

impl Running {
    /// A process that has opened its port; none if it could not.
    fn start(kind: Kind, directory: &Path) -> Option<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "sh"]).arg(directory);
        shell.arg(match kind {
            Kind::Server => "",
            Kind::Sentinel => "--sentinel",
        });
        // A group of its own: an interrupt ends the test first, and with it the guard's input.
        shell.process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        shell.stderr(Stdio::null());
        let logged = log_length(directory);
        let mut guard = shell.spawn().expect("there should be a shell");
        let mut id = String::new();
        let said = BufReader::new(guard.stdout.take().unwrap()).read_line(&mut id);
        said.expect("the guard says whom it guards");
        let id = id.trim().to_owned();
        let running = Self { guard, id };
        running.is_up(directory, logged).then_some(running)
    }

    /// Waits until it has its port, or has ended without.
    fn is_up(&self, directory: &Path, logged: usize) -> bool {
        for _ in 0..LOOKS {
            let log = fs::read(directory.join("log")).unwrap_or_default();
            let log = String::from_utf8_lossy(log.get(logged..).unwrap_or_default()).into_owned();
            if log.contains("Running mode=") && !log.contains("bind:") {
                return true;
            }
            if self.is_over() {
                return false;
            }
            thread::sleep(LOOK_EVERY);
        }
        false
    }

    /// Whether the process has ended; the shell has not waited for it yet, so it is there as a zombie.
    fn is_over(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id));
        stat.map_or(true, |stat| {
            let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
            state.is_some_and(|rest| rest.starts_with('Z') || rest.starts_with('X'))
        })
    }
}

fn log_length(directory: &Path) -> usize {
    fs::read(directory.join("log")).map_or(0, |log| log.len())
}

impl Drop for Running {
    fn drop(&mut self) {
        // The guard's input ends with this; it kills, waits, and ends itself.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A directory that goes with this.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(what: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("wxgate-redis-{process}-{count}-{what}");
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
