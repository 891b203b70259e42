//! How the proxies in front ask whether a request may pass. Knows no headers.

use http::StatusCode;

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// `auth_request` of nginx.
    AuthRequest,
    /// `forward_auth` of Caddy and `ForwardAuth` of Traefik.
    ForwardAuth,
    /// `ext_authz` of Envoy over HTTP.
    ExtAuthz {
        /// The segments of the path below which the paths of the requests stand.
        depth: usize,
    },
}

impl Front {
    /// As configs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthRequest => "auth-request",
            Self::ForwardAuth => "forward-auth",
            Self::ExtAuthz { .. } => "ext-authz",
        }
    }

    /// The status that lets a request pass: Envoy takes no other than 200.
    #[must_use]
    pub const fn pass(self) -> StatusCode {
        match self {
            Self::AuthRequest | Self::ForwardAuth => StatusCode::NO_CONTENT,
            Self::ExtAuthz { .. } => StatusCode::OK,
        }
    }

    /// Whether an answer of this status keeps a request from passing.
    #[must_use]
    pub fn is_refusal(status: StatusCode) -> bool {
        status.is_client_error() || status.is_server_error()
    }
}
