//! What one gateway logs, line by line.

use std::io;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;
use tracing::dispatcher;
use tracing_subscriber::fmt::MakeWriter;
use wxgate::config::plan::{LogFormat, LogPlan};
use wxgate::telemetry;

use super::LONGEST;

/// A log in memory. Clones show the same lines.
#[derive(Clone)]
pub struct Log {
    written: Arc<(Mutex<Vec<u8>>, Condvar)>,
    format: LogFormat,
}

impl Log {
    pub fn new() -> Self {
        Self::of(LogFormat::Json)
    }

    /// A log in lines of text, which only [`Log::text`] reads.
    pub fn of_text() -> Self {
        Self::of(LogFormat::Text)
    }

    fn of(format: LogFormat) -> Self {
        Self {
            written: Arc::default(),
            format,
        }
    }

    /// Runs `start` so that all that it starts logs here, at the finest level that the gateway has.
    pub fn collect<T>(&self, start: impl FnOnce() -> T) -> T {
        let plan = LogPlan {
            format: self.format,
            level: Some("trace".to_owned()),
        };
        let dispatch = telemetry::subscriber(&plan, self.clone()).unwrap();
        dispatcher::with_default(&dispatch, start)
    }

    /// All that was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The first line that fits, once it is written.
    pub fn line(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (bytes, written) = &*self.written;
        let mut found = None;
        let guard = bytes.lock().unwrap();
        let (guard, _) = written
            .wait_timeout_while(guard, LONGEST, |bytes| {
                let text = String::from_utf8_lossy(bytes);
                let lines = text
                    .lines()
                    .filter_map(|line| serde_json::from_str(line).ok());
                found = lines.into_iter().find(|line| fits(line));
                found.is_none()
            })
            .unwrap();
        let text = String::from_utf8_lossy(&guard).into_owned();
        found.unwrap_or_else(|| panic!("no line of {what} in:\n{text}"))
    }

    /// All access lines so far.
    pub fn access_lines(&self) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines
            .filter(|line: &Value| line["target"] == "wxgate::access")
            .collect()
    }

    /// The access line of the request with this id, once it is written.
    pub fn access_line(&self, request_id: &str) -> Value {
        self.line(&format!("the request {request_id}"), |line| {
            line["target"] == "wxgate::access" && line["request_id"] == request_id
        })
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.0.lock().unwrap().extend_from_slice(bytes);
        self.written.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
