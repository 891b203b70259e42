//! Why a request got no answer from a backend. Knows what each reason is called to the client.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::StatusCode;

use super::body::BodyCut;
use super::fastcgi::BadRecord;
use crate::domain::refusal::RefusalCode;
use crate::metrics::UpstreamOutcome;
use crate::wire::body::too_large;
use crate::wire::chunks::BadChunk;
use crate::wire::refusal::Refusal;

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It refused, or is not there.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It did not take the connection in time.
    #[error("no connection within {0:?}")]
    Timeout(Duration),
}

/// Why an answer cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The connection ended in the middle of it.
    #[error("the connection ended")]
    Ended,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its head is none of HTTP/1.
    #[error("it is not HTTP")]
    NotHttp(#[source] httparse::Error),
    /// Its head is longer than any should be.
    #[error("its head is too large")]
    HeadTooLarge,
    /// It tells to go on, over and over, and never what came of it.
    #[error("it says to go on without an end")]
    Endless,
    /// Where its body ends is told in two ways, or in none that is understood.
    #[error("the length of its body cannot be known")]
    Framing,
    /// A chunk that is none.
    #[error(transparent)]
    Chunk(#[from] BadChunk),
    /// A record that is none of FastCGI.
    #[error(transparent)]
    Record(#[from] BadRecord),
    /// What comes in the records does not begin as an answer of CGI does.
    #[error("it does not begin with headers as CGI has them")]
    NotCgi,
    /// A FastCGI server has no room for the request.
    #[error("it has no room for the request")]
    Overloaded,
    /// A FastCGI server does not take such requests.
    #[error("it refuses such requests, with the FastCGI status {0}")]
    Refused(u8),
}

/// Why a request got no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The upstream has no server.
    #[error("the upstream has no server")]
    NoServer,
    /// No server could be reached; this is what the last one said.
    #[error("no server of the upstream can be reached: {server}")]
    Unreachable {
        /// The last server that was tried.
        server: String,
        /// What it said.
        source: ConnectError,
    },
    /// The server had closed the connection before anything was sent.
    #[error("the backend closed the connection before the request")]
    Unsent,
    /// The connection broke, or what came is not HTTP.
    #[error("the backend's answer broke off")]
    Failed(#[from] Broken),
    /// It wants to speak another protocol, which nobody asked for.
    #[error("the backend answered with an upgrade that nobody asked for")]
    Upgrade,
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The client's body broke off, stalls, or is too large.
    #[error(transparent)]
    Body(#[from] BodyCut),
}

/// Why a server does not say that it is well.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// There is no connection to it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It gave no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Its answer is not a good one.
    #[error("it answered {0}")]
    Status(StatusCode),
}

/// Why a call of wxgate's own has no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It got no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer broke off.
    #[error("the backend's answer broke off")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// The answer has more bytes than this.
    #[error("the backend's answer is over {0} bytes")]
    TooLarge(usize),
    /// The worker that was to make it has ended.
    #[error("the worker that was to call the backend has ended")]
    Gone,
}

impl ConnectError {
    /// Whether this process has no descriptor left, for which no server can be blamed.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        /// `EMFILE` and `ENFILE`.
        const NO_DESCRIPTOR: [i32; 2] = [24, 23];
        match self {
            Self::Io(error) => error
                .raw_os_error()
                .is_some_and(|code| NO_DESCRIPTOR.contains(&code)),
            Self::Timeout(_) => false,
        }
    }
}

impl SendError {
    /// What metrics call it.
    #[must_use]
    pub fn outcome(&self) -> UpstreamOutcome {
        match self {
            Self::NoServer | Self::Unreachable { .. } => UpstreamOutcome::Unreachable,
            Self::Unsent | Self::Failed(_) | Self::Upgrade => UpstreamOutcome::Failed,
            Self::Timeout(_) => UpstreamOutcome::Timeout,
            Self::Body(_) => UpstreamOutcome::Aborted,
        }
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        let code = match &error {
            SendError::Unreachable { source, .. } if source.is_ours() => RefusalCode::Overloaded,
            SendError::NoServer | SendError::Unreachable { .. } => RefusalCode::UpstreamUnreachable,
            SendError::Failed(Broken::Overloaded) => RefusalCode::Overloaded,
            SendError::Unsent | SendError::Failed(_) | SendError::Upgrade => {
                RefusalCode::UpstreamFailed
            }
            SendError::Timeout(_) => RefusalCode::UpstreamTimeout,
            SendError::Body(BodyCut::TooLarge(limit)) => return too_large(*limit),
            SendError::Body(BodyCut::Broken | BodyCut::Stalled(_)) => RefusalCode::BadRequest,
        };
        Self::because(code, &error)
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let code = match error {
            CallError::Send(error) => return error.into(),
            CallError::Broken(_) | CallError::TooLarge(_) => RefusalCode::UpstreamFailed,
            CallError::Gone => RefusalCode::UpstreamUnreachable,
        };
        Self::because(code, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_names_each_cause_once() {
        let error = SendError::Unreachable {
            server: "127.0.0.1:9000".to_owned(),
            source: io::Error::other("refused").into(),
        };
        assert_eq!(
            error.to_string(),
            "no server of the upstream can be reached: 127.0.0.1:9000"
        );
        assert_eq!(
            Refusal::from(error).reason,
            "no server of the upstream can be reached: 127.0.0.1:9000: refused"
        );
    }
}
