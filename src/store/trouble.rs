//! What keeps a store from answering. Knows no requests.

use std::borrow::Cow;
use std::time::Duration;

use crate::domain::refusal::RefusalCode;
use crate::wire::refusal::Refusal;

/// When a client may come again whose session could not be asked for.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether a store can be asked. What is wrong is in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All is well.
    Up,
    /// What is in it can be had, but nothing be written: no login, and no logout.
    ReadOnly(String),
    /// It cannot be asked, or not all of it.
    Down(String),
}

/// The store cannot be asked now: that says nothing of the sessions that are in it. Written, it is the reason, for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sessions cannot be asked for: {reason}")]
pub struct Trouble {
    reason: Cow<'static, str>,
}

impl Trouble {
    /// Trouble for this reason, which names nothing secret.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        Self { reason }
    }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::because(RefusalCode::Overloaded, &trouble).retry_after(RETRY_AFTER)
    }
}
