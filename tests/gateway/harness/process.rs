//! Other processes: `wxgate` itself, backends, commands. What they print is kept, line by line.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::LONGEST;

/// `wxgate` with these arguments, and without what the environment of the tests would tell it.
pub fn wxgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxgate"));
    command.args(arguments).stdin(Stdio::null());
    for name in [
        "RUST_LOG",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "CREDENTIALS_DIRECTORY",
        "STATE_DIRECTORY",
        "WXGATE_ADMIN_TOKEN",
    ] {
        command.env_remove(name);
    }
    command
}

/// What a command that has ended leaves behind.
#[derive(Clone, Debug)]
pub struct Ended {
    /// None if a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A process with all its children. What still runs is killed when this is dropped.
pub struct Process {
    child: Child,
    out: Output,
    err: Output,
}

impl Process {
    /// Starts a command. `hint` is what to do if it is not there.
    #[track_caller]
    pub fn start(mut command: Command, hint: &str) -> Self {
        // A group of its own, so that a backend's workers are reached by the signals too.
        command.process_group(0);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; {hint}", command.get_program().display()));
        let out = Output::of(child.stdout.take().unwrap());
        let err = Output::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run(command: Command) -> Ended {
        Self::start(command, "it should be there").wait()
    }

    /// The first line on stdout that fits, once it is printed.
    #[track_caller]
    pub fn line(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let line = self.out.line(fits);
        line.unwrap_or_else(|| panic!("no {what} in:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// The first line on stderr that fits, once it is printed.
    #[track_caller]
    pub fn error_line(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let line = self.err.line(fits);
        line.unwrap_or_else(|| panic!("no {what} in:\n{}\n{}", self.out.text(), self.err.text()))
    }

    /// The first `count` lines on stdout that fit, once they are printed.
    #[track_caller]
    pub fn lines(&self, count: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.out.lines(count, fits);
        assert_eq!(lines.len(), count, "{lines:#?}");
        lines
    }

    /// Stdout so far.
    pub fn text(&self) -> String {
        self.out.text()
    }

    /// The id under which the system has it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`, to this process alone.
    pub fn signal(&self, name: &str) {
        assert!(signal(name, &self.child.id().to_string()));
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        let is_over = self.out.wait_end() && self.err.wait_end();
        let (out, err) = (self.out.text(), self.err.text());
        assert!(is_over, "it does not end:\n{out}\n{err}");
        let code = self.child.wait().unwrap().code();
        Ended { code, out, err }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal("KILL", &format!("-{}", self.child.id()));
            let _ = self.child.wait();
        }
    }
}

fn signal(name: &str, id: &str) -> bool {
    // The shell's own `kill`: there may be no other.
    let mut shell = Command::new("sh");
    let sent = shell.args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", name, id]);
    sent.status().expect("there should be a shell").success()
}

/// What a process prints on one of its outputs.
#[derive(Clone)]
struct Output(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    text: String,
    is_over: bool,
}

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let here = output.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                here.change(|printed| printed.text.push_str(&String::from_utf8_lossy(&line)));
                line.clear();
            }
            here.change(|printed| printed.is_over = true);
        });
        output
    }

    fn change(&self, change: impl FnOnce(&mut Printed)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    fn line(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        self.lines(1, fits).pop()
    }

    /// The first lines that fit, as many as `count` unless no more will come.
    fn lines(&self, count: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        self.wait(|printed| {
            let fitting = printed.text.lines().filter(|line| fits(line));
            found = fitting.take(count).map(str::to_owned).collect();
            found.len() == count || printed.is_over
        });
        found
    }

    fn wait_end(&self) -> bool {
        self.wait(|printed| printed.is_over)
    }

    fn wait(&self, mut is_so: impl FnMut(&Printed) -> bool) -> bool {
        let (printed, changed) = &*self.0;
        let printed = printed.lock().unwrap();
        let waited = changed.wait_timeout_while(printed, LONGEST, |printed| !is_so(printed));
        !waited.unwrap().1.timed_out()
    }
}
