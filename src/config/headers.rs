//! Which header names a config may give a meaning of their own. Knows no values.

use http::HeaderName;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};

use super::plan::{IdentityPlan, SessionsPlan};
use crate::domain::managed_names::{ManagedNames, X_REQUEST_ID, fold};
use crate::domain::token::TokenPlace;

/// Names that HTTP, or what wxgate itself says, depends on, folded.
const RESERVED: [&str; 32] = [
    "accept",
    "accept_encoding",
    "authorization",
    "connection",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2_settings",
    "keep_alive",
    "location",
    "origin",
    "proxy",
    "proxy_authenticate",
    "proxy_authorization",
    "proxy_connection",
    "range",
    "referer",
    "retry_after",
    "server",
    "set_cookie",
    "te",
    "trailer",
    "transfer_encoding",
    "upgrade",
    "user_agent",
    "x_original_url",
    "x_real_ip",
    "x_request_id",
    "x_rewrite_url",
    "x_wxgate_event",
];

/// The same for names that begin so.
const RESERVED_PREFIXES: [&str; 5] = ["access_control_", "content_", "if_", "sec_", "x_forwarded_"];

/// Whether HTTP or wxgate itself needs the header.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let name = fold(name.as_str());
    let name = String::from_utf8_lossy(&name);
    RESERVED.contains(&name.as_ref())
        || RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Where a header stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// In what a backend gets.
    Request,
    /// In what a client gets.
    Response {
        /// Whether the route itself says which pages may read it.
        has_cors: bool,
    },
}

/// The names that wxgate alone sets or takes away, in every spelling.
pub(super) struct Managed {
    from_clients: ManagedNames,
    from_backends: ManagedNames,
}

impl Managed {
    pub(super) fn of(identity: &IdentityPlan, sessions: &SessionsPlan) -> Self {
        let tokens = sessions.token.iter().filter_map(|place| match place {
            TokenPlace::Header(name) if name != AUTHORIZATION => Some(name.clone()),
            _ => None,
        });
        let names = identity.names().chain([CONTENT_LENGTH]);
        let clients = names.clone().chain(tokens);
        let clients = clients.chain(sessions.beside.iter().cloned());
        Self {
            from_clients: ManagedNames::of_clients(clients),
            from_backends: ManagedNames::of_backends(names.chain([X_REQUEST_ID])),
        }
    }

    pub(super) fn cover(&self, name: &HeaderName, side: Side) -> bool {
        let names = match side {
            Side::Request => &self.from_clients,
            Side::Response { .. } => &self.from_backends,
        };
        !names.sieve([]).passes(name.as_str().as_bytes())
    }
}
