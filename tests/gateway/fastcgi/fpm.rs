//! A php-fpm of a test's own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{BASE, Process, Scratch, World};

/// A running php-fpm with two workers, and a directory for its scripts.
pub struct Fpm {
    process: Option<Process>,
    pub scratch: Scratch,
    listen: String,
    pub server: String,
}

/// Where the scripts of the tests lie.
pub const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/backends");

impl Fpm {
    /// One at a unix socket.
    pub fn start() -> Self {
        Self::with("")
    }

    /// The same with more directives for its pool.
    pub fn with(directives: &str) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.path().join("fpm.sock").display().to_string();
        let pool = pool(&socket, directives);
        let server = format!("fcgi+unix:{socket}");
        Self::of(scratch, socket, server, &pool)
    }

    /// One at a free port.
    pub fn at_a_port() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let pool = pool(&address, "");
        let server = format!("fcgi://{address}");
        Self::of(Scratch::new(), address, server, &pool)
    }

    /// One with this pool, which listens at the socket `fpm.sock` in `scratch`.
    pub fn of_pool(scratch: Scratch, pool: &str) -> Self {
        let socket = scratch.path().join("fpm.sock").display().to_string();
        let server = format!("fcgi+unix:{socket}");
        Self::of(scratch, socket, server, pool)
    }

    #[track_caller]
    fn of(scratch: Scratch, listen: String, server: String, pool: &str) -> Self {
        let config = format!("[global]\nerror_log = /dev/stderr\ndaemonize = no\n{pool}\n");
        scratch.write("fpm.conf", &config);
        std::fs::create_dir(scratch.path().join("public")).unwrap();
        let mut fpm = Self {
            process: None,
            scratch,
            listen,
            server,
        };
        fpm.run();
        fpm
    }

    /// Starts it, and waits until it takes requests.
    #[track_caller]
    pub fn run(&mut self) {
        let mut command = Command::new(program());
        let config = self.scratch.path().join("fpm.conf");
        // It may be root that runs the tests, and nobody else can read what they write.
        command
            .args(["-n", "-R", "-y"])
            .arg(config)
            .stdin(Stdio::null());
        let process = Process::start(command, "tests/run.sh installs what the tests need");
        process.error_line("readiness", |line| {
            line.contains("ready to handle connections")
        });
        self.process = Some(process);
    }

    /// Kills it with all its workers.
    pub fn kill(&mut self) {
        self.process = None;
        let _ = std::fs::remove_file(&self.listen);
    }

    /// Writes a script or another file below its root.
    pub fn file(&self, name: &str, text: &str) {
        let file = self.root().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// The root of its own scripts.
    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("public")
    }

    /// The base config before it, with more keys of the upstream.
    pub fn config(&self, root: &Path, keys: &str) -> String {
        let servers = format!(
            "servers = [\"{}\"]\nroot = \"{}\"\n{keys}",
            self.server,
            root.display()
        );
        BASE.replace("servers = [\"BACKEND\"]", &servers)
    }

    /// A gateway before the script of the tests with this name.
    pub fn guarded(&self, script: &str) -> World {
        let keys = format!("script = \"{script}\"");
        World::of(&self.config(Path::new(SAMPLES), &keys))
    }
}

/// A pool of two workers, with more directives.
fn pool(listen: &str, directives: &str) -> String {
    format!(
        "[www]\nuser = root\ngroup = root\nlisten = {listen}\npm = static\npm.max_children = 2\n\
         php_admin_flag[display_errors] = off\nphp_admin_flag[log_errors] = on\n\
         php_admin_flag[enable_post_data_reading] = off\n{directives}"
    )
}

/// Debian names it by its version.
#[track_caller]
fn program() -> PathBuf {
    let directories = ["/usr/sbin", "/usr/bin", "/usr/local/sbin"];
    let files = directories.iter().flat_map(std::fs::read_dir);
    let mut files = files.flatten().filter_map(|file| Some(file.ok()?.path()));
    let is_fpm = |file: &PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("php-fpm"))
    };
    files
        .find(is_fpm)
        .expect("no php-fpm; tests/run.sh installs what the tests need")
}
