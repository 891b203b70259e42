//! What went wrong with a command. Knows nothing of what it was for.

use std::io;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::Trouble;

/// Why a command was not answered, or not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// There is no connection, or it broke.
    #[error("{0}")]
    Away(String),
    /// No answer came in time.
    #[error("it does not answer in time")]
    Slow,
    /// It answers with an error, of which this is the code, in a few words.
    #[error("it refuses: {code} {words}")]
    Refused {
        /// Such as OOM or READONLY.
        code: String,
        /// As Redis puts it.
        words: String,
    },
    /// It answers with what nobody asked for.
    #[error("its answer makes no sense: {0}")]
    Garbage(&'static str),
    /// Too many wait already.
    #[error("too many ask for sessions at a time")]
    Full,
    /// What was asked for was ended while it was being made.
    #[error("it was revoked while it was being opened")]
    Revoked,
    /// It cannot be sealed.
    #[error("{0}")]
    Unsealed(String),
}

impl Fault {
    /// What metrics call it.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Away(_) => "unreachable",
            Self::Slow => "timeout",
            Self::Refused { .. } | Self::Revoked | Self::Unsealed(_) => "refused",
            Self::Garbage(_) => "garbage",
            Self::Full => "full",
        }
    }

    /// The code of an error that says that the server takes no writes, or nothing at all, for now.
    pub(super) fn refused_code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<&RedisError> for Fault {
    fn from(error: &RedisError) -> Self {
        if error.is_timeout() {
            return Self::Slow;
        }
        match error.kind() {
            ErrorKind::Io => Self::Away(error.to_string()),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Self::Garbage("it is no RESP"),
            _ if error.is_connection_dropped() => Self::Away(error.to_string()),
            kind => {
                let words = error.detail().unwrap_or_default().to_owned();
                let code = match (error.code(), kind) {
                    (Some(code), _) => code.to_owned(),
                    (None, ErrorKind::Server(ServerErrorKind::BusyLoading)) => "LOADING".to_owned(),
                    (None, _) => "ERR".to_owned(),
                };
                Self::Refused { code, words }
            }
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self::from(&error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::new(format!("Redis: {fault}"))
    }
}
