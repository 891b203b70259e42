//! What is asked of every subject, and at what pace. Knows nothing of how they do it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::stage::{Asking, Subject, Way};

/// How many connections there are.
const CONNECTIONS: u32 = 64;
/// With HTTP/2 there are fewer, and as many requests under way: nginx keeps no more connections to the backend.
const HTTP2_CONNECTIONS: u32 = 16;
const HTTP2_STREAMS: u32 = 4;
/// So many are opened at a time; no more, since a client keeps no more tickets to resume by.
const OPENED_AT_A_TIME: u32 = 8;

/// A kind of request, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Case {
    /// GET with an answer of 1 KiB
    #[value(name = "get-1k")]
    #[serde(rename = "get-1k")]
    Get1k,
    /// GET with an answer of 100 KiB
    #[value(name = "get-100k")]
    #[serde(rename = "get-100k")]
    Get100k,
    /// POST of 64 KiB with an answer of 1 KiB
    #[value(name = "post-64k")]
    #[serde(rename = "post-64k")]
    Post64k,
    /// GET with an answer of 1 KiB, under TLS and HTTP/1.1
    #[value(name = "tls-get-1k")]
    #[serde(rename = "tls-get-1k")]
    TlsGet1k,
    /// GET with an answer of 1 KiB, under TLS and HTTP/2
    #[value(name = "tls-h2-get-1k")]
    #[serde(rename = "tls-h2-get-1k")]
    TlsH2Get1k,
    /// A full handshake of TLS, and a GET with an answer of 1 KiB
    #[value(name = "tls-handshake")]
    #[serde(rename = "tls-handshake")]
    TlsHandshake,
    /// A handshake of TLS that resumes a session, and a GET with an answer of 1 KiB
    #[value(name = "tls-resumption")]
    #[serde(rename = "tls-resumption")]
    TlsResumption,
    /// 5,000 connections that wait after one request each
    #[value(name = "idle")]
    #[serde(rename = "idle")]
    Idle,
}

/// When requests go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// At a fixed rate.
    Fixed,
    /// As fast as they are answered.
    Saturated,
}

impl Case {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Get1k => "GET 1 KiB",
            Self::Get100k => "GET 100 KiB",
            Self::Post64k => "POST 64 KiB",
            Self::TlsGet1k => "GET 1 KiB, TLS, h1",
            Self::TlsH2Get1k => "GET 1 KiB, TLS, h2",
            Self::TlsHandshake => "TLS handshake and GET 1 KiB",
            Self::TlsResumption => "TLS resumption and GET 1 KiB",
            Self::Idle => "idle connections",
        }
    }

    /// Whether there is anything to compare with `subject`.
    pub(super) fn has(self, subject: Subject) -> bool {
        match subject {
            Subject::Nginx => false,
            Subject::Wxgate => true,
            Subject::NginxInMemory => matches!(self, Self::Get100k | Self::Post64k),
            Subject::NginxAuthRequest
            | Subject::NginxLua
            | Subject::Haproxy
            | Subject::CaddyForwardAuth => !self.is_tls(),
        }
    }

    pub(super) fn is_tls(self) -> bool {
        match self {
            Self::TlsGet1k | Self::TlsH2Get1k | Self::TlsHandshake | Self::TlsResumption => true,
            Self::Get1k | Self::Get100k | Self::Post64k | Self::Idle => false,
        }
    }

    /// What its figures are of.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::TlsHandshake | Self::TlsResumption => "handshake",
            Self::Get1k
            | Self::Get100k
            | Self::Post64k
            | Self::TlsGet1k
            | Self::TlsH2Get1k
            | Self::Idle => "request",
        }
    }

    /// What the generator is told.
    pub(super) fn asking(self, mode: Mode) -> Asking<'static> {
        let (connections, way) = match self {
            Self::Get1k | Self::Get100k | Self::Post64k | Self::TlsGet1k | Self::Idle => {
                (CONNECTIONS, Way::Kept)
            }
            Self::TlsH2Get1k => (HTTP2_CONNECTIONS, Way::Http2(HTTP2_STREAMS)),
            Self::TlsHandshake => (OPENED_AT_A_TIME, Way::Anew),
            Self::TlsResumption => (OPENED_AT_A_TIME, Way::Resumed),
        };
        Asking {
            path: if self == Self::Get100k {
                "/bytes/102400"
            } else {
                "/bytes/1024"
            },
            body_bytes: if self == Self::Post64k { 64 << 10 } else { 0 },
            connections,
            rate: (mode == Mode::Fixed).then(|| self.rate()),
            way,
        }
    }

    /// Requests a second at a fixed rate: what the slowest subject can do, too.
    pub(super) fn rate(self) -> u32 {
        match self {
            Self::Get1k | Self::TlsGet1k | Self::TlsH2Get1k | Self::Idle => 2000,
            Self::Get100k | Self::Post64k => 1000,
            Self::TlsHandshake | Self::TlsResumption => 500,
        }
    }
}

impl Mode {
    pub(super) const ALL: [Self; 2] = [Self::Fixed, Self::Saturated];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Fixed => "fixed rate",
            Self::Saturated => "saturated",
        }
    }
}
