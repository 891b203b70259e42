//! What grows, and which figures are looked at while it does. Knows nothing of how they are found.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Routes of the config
    Routes,
    /// Sessions that are kept
    Sessions,
    /// Connections of clients
    Connections,
    /// Bytes of an answer
    Sizes,
}

/// One figure while something grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Panel {
    RoutesInstructions,
    RoutesCpu,
    SessionsTime,
    SessionsMemory,
    SessionsInstructions,
    ConnectionsCpu,
    ConnectionsMemory,
    SizesCpu,
    SizesCpuPerMib,
}

/// Whose figure a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Wxgate,
    Nginx,
    Find,
    Open,
    Close,
}

impl Panel {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::RoutesInstructions | Self::RoutesCpu => Kind::Routes,
            Self::SessionsTime | Self::SessionsMemory | Self::SessionsInstructions => {
                Kind::Sessions
            }
            Self::ConnectionsCpu | Self::ConnectionsMemory => Kind::Connections,
            Self::SizesCpu | Self::SizesCpuPerMib => Kind::Sizes,
        }
    }

    /// The figure and its unit.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::RoutesInstructions | Self::SessionsInstructions => "instructions a request",
            Self::RoutesCpu | Self::ConnectionsCpu | Self::SizesCpu => "µs of CPU a request",
            Self::SessionsTime => "ns in the store",
            Self::SessionsMemory => "bytes a session",
            Self::ConnectionsMemory => "KiB a busy connection",
            Self::SizesCpuPerMib => "µs of CPU a MiB",
        }
    }

    /// How many digits behind the point say something.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::RoutesCpu | Self::ConnectionsCpu | Self::SizesCpu | Self::ConnectionsMemory => 1,
            Self::RoutesInstructions
            | Self::SessionsInstructions
            | Self::SessionsTime
            | Self::SessionsMemory
            | Self::SizesCpuPerMib => 0,
        }
    }
}

impl Kind {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Sessions => "sessions",
            Self::Connections => "connections",
            Self::Sizes => "bytes of an answer",
        }
    }

    /// A size as people write it.
    pub(super) fn write(self, size: u64) -> String {
        let (step, names) = match self {
            Self::Sizes => (1 << 10, ["", "K", "M"]),
            Self::Routes | Self::Sessions | Self::Connections => (1000, ["", "k", "M"]),
        };
        let (mut size, mut names) = (size, names.iter().copied().peekable());
        while size >= step && size.is_multiple_of(step) && names.len() > 1 {
            size /= step;
            names.next();
        }
        format!("{size}{}", names.next().unwrap_or_default())
    }
}

impl Line {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Wxgate => "wxgate",
            Self::Nginx => "nginx, no auth",
            Self::Find => "find",
            Self::Open => "open",
            Self::Close => "close",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_people_write_them() {
        for (kind, size, written) in [
            (Kind::Routes, 1000, "1k"),
            (Kind::Connections, 256, "256"),
            (Kind::Sessions, 1_000_000, "1M"),
            (Kind::Sizes, 0, "0"),
            (Kind::Sizes, 10 << 10, "10K"),
            (Kind::Sizes, 10 << 20, "10M"),
        ] {
            assert_eq!(kind.write(size), written);
        }
    }
}
