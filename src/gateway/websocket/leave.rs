//! What a WebSocket ends by, and what both sides are told of it. Knows no bytes but those of a farewell.

use std::time::Duration;

use super::watch::Lapse;
use crate::domain::refusal::RefusalCode;
use crate::store::Gone;
use crate::wire::websocket::Farewell;

/// How long the rest of a frame, and what is said behind it, may take where nobody waits for more.
pub(super) const PARTING: Duration = Duration::from_millis(400);

/// Why the gateway itself ends a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Its session has ended.
    Session(Lapse),
    /// The worker stops.
    Stop,
    /// Nobody has said anything for too long, or somebody takes nothing.
    Idle,
}

/// What a WebSocket ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The client ended its connection.
    Client,
    /// The backend did.
    Backend,
    /// One of the connections broke.
    Lost,
    /// The gateway ended it.
    Left(Leave),
}

impl Leave {
    /// What both sides are told.
    pub(super) const fn farewell(self) -> Farewell {
        match self {
            Self::Session(Lapse::Gone(gone)) => Farewell {
                code: 1008,
                reason: match gone {
                    Gone::Unknown => RefusalCode::SessionInvalid.as_str(),
                    Gone::Replaced => RefusalCode::SessionReplaced.as_str(),
                },
            },
            Self::Session(Lapse::OutOfReach) => Farewell {
                code: 1013,
                reason: RefusalCode::Overloaded.as_str(),
            },
            Self::Stop => Farewell {
                code: 1001,
                reason: "stopping",
            },
            Self::Idle => Farewell {
                code: 1001,
                reason: "idle",
            },
        }
    }

    /// How long parting may take. At a stop the drain sets the bound.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Self::Session(_) | Self::Idle => PARTING,
            Self::Stop => Duration::MAX,
        }
    }
}

impl Ended {
    /// What the access line calls it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Backend => "backend",
            Self::Lost => "lost",
            Self::Left(Leave::Session(_)) => "session",
            Self::Left(Leave::Stop) => "stop",
            Self::Left(Leave::Idle) => "idle",
        }
    }
}
