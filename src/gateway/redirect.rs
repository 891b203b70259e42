//! Sending those who come in the clear to where TLS is. Knows no routes.

use bytes::Bytes;
use http::header::LOCATION;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::Gateway;
use crate::config::plan::{ListenPlace, ListenPlan, ServerPlan};
use crate::domain::host::Host;
use crate::domain::path::RequestPath;
use crate::domain::peer::{Peer, Scheme};

/// The port of `https` where none is named.
const USUAL_PORT: u16 = 443;

impl Gateway {
    /// The answer that sends a client to the same place under TLS, if it came in the clear although TLS is served. The
    /// method and the body stay what they are.
    pub(super) fn to_tls(
        &self,
        head: &Parts,
        host: Host<'_>,
        path: &RequestPath<'_>,
        peer: &Peer,
    ) -> Option<Response<Bytes>> {
        let server = &self.shared.plan.server;
        if server.tls.is_none() || peer.scheme() == Scheme::Https {
            return None;
        }
        // What was checked to be a host, a path and a query has nothing that a header may not have.
        let place = HeaderValue::try_from(place(head, host, path, server)).ok()?;
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
        answer.headers_mut().insert(LOCATION, place);
        Some(answer)
    }
}

fn place(head: &Parts, host: Host<'_>, path: &RequestPath<'_>, server: &ServerPlan) -> String {
    let (name, path) = (host.name(), path.sent());
    // Whoever names no port came to the usual one, and finds the other usual one.
    let port = server
        .listen
        .iter()
        .find_map(port)
        .filter(|_| host.has_port());
    let port = match port {
        None | Some(USUAL_PORT) => String::new(),
        Some(port) => format!(":{port}"),
    };
    match head.uri.query() {
        None => format!("https://{name}{port}{path}"),
        Some(query) => format!("https://{name}{port}{path}?{query}"),
    }
}

fn port(listen: &ListenPlan) -> Option<u16> {
    match &listen.place {
        ListenPlace::Tcp(address) => Some(address.port()),
        ListenPlace::Unix(_) | ListenPlace::Systemd => None,
    }
}
