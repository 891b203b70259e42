//! How a subject is started. Knows nothing of processes.

use super::subject::{Subject, WXGATE};

/// How many sessions requests take in turn.
const SESSIONS: usize = 1000;

/// A subject, and what is said of how it is started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) subject: Subject,
    pub(crate) is_tls: bool,
    /// The config of wxgate, with the addresses of [`WXGATE`].
    pub(crate) wxgate: String,
    /// How many sessions there are.
    pub(crate) sessions: usize,
    /// Host and path of requests, which these take in turn; empty where the measurement says what is asked.
    pub(crate) targets: Vec<(String, String)>,
    /// The address of WeChat, where it is another than the backend.
    pub(crate) wechat: Option<String>,
    /// Whether it runs under callgrind, and before a backend that is never faster than it.
    pub(crate) is_counted: bool,
}

impl Setup {
    /// As benches/compare.sh has it.
    pub(crate) fn of(subject: Subject) -> Self {
        Self {
            subject,
            is_tls: false,
            wxgate: WXGATE.to_owned(),
            sessions: SESSIONS,
            targets: Vec::new(),
            wechat: None,
            is_counted: false,
        }
    }
}
