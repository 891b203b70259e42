//! `[admin]`: the operator's listener, which is never the public one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::plan::{AdminPlan, ListenPlace, ListenPlan};
use super::raw::RawAdmin;
use super::secret;
use super::source::Source;
use super::surroundings::Surroundings;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

pub(super) fn plan(
    raw: RawAdmin,
    public: &[ListenPlan],
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> AdminPlan {
    let place = raw.listen.as_ref().map_or(raw.place, |listen| listen.place);
    let listen = source.accept(raw.listen, address).unwrap_or(DEFAULT_LISTEN);
    if public.iter().any(|public| is_shared(public, listen)) {
        let text = format!(
            "`{listen}` is public, because [server] listens on it; give [admin] a port of its own"
        );
        source.problem(place, text);
    }
    AdminPlan {
        listen,
        token: raw
            .token
            .and_then(|token| secret::resolve(token, source, surroundings)),
    }
}

/// A text that is no address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address to listen on; write \"127.0.0.1:9090\" or \"[::1]:9090\"")]
struct NoAddress(String);

fn address(text: &str) -> Result<SocketAddr, NoAddress> {
    text.parse().map_err(|_| NoAddress(text.to_owned()))
}

/// Whether a connection to the one could reach the other; port 0 stands for one that is free.
fn is_shared(public: &ListenPlan, admin: SocketAddr) -> bool {
    match &public.place {
        ListenPlace::Tcp(public) => {
            let has_same_ip = public.ip() == admin.ip()
                || public.ip().is_unspecified()
                || admin.ip().is_unspecified();
            public.port() == admin.port() && admin.port() != 0 && has_same_ip
        }
        ListenPlace::Unix(_) | ListenPlace::Systemd => false,
    }
}
