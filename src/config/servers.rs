//! `servers` of an upstream: each address, as it is written. Knows no other key.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use http::uri::Authority;

use super::plan::{ServerAddress, Spot};
use super::surroundings::Surroundings;
use crate::domain::peer::Scheme;

/// The longest path of a unix socket that the system takes, in bytes.
const LONGEST_PATH: usize = 107;

/// Why a text is no server.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoServer {
    #[error(
        "`{0}` is no server; write \"http://HOST:PORT\" or \"https://HOST:PORT\", without path, query and user, \
         \"unix:/PATH\", or for FastCGI \"fcgi://HOST:PORT\" or \"fcgi+unix:/PATH\""
    )]
    Form(String),
    #[error("`{written}` is no server; write \"{right}\"")]
    Near { written: String, right: String },
    #[error("`{0}` is too long for a unix socket, whose path has at most {LONGEST_PATH} bytes")]
    TooLong(String),
    #[error("the name `{name}` does not resolve: {error}")]
    Unresolved {
        name: String,
        #[source]
        error: io::Error,
    },
}

/// Other spellings of the beginning, as other proxies have them, and ours.
const NEAR: [(&str, &str); 14] = [
    ("unix://", "unix:"),
    ("http://unix:", "unix:"),
    ("http+unix://", "unix:"),
    ("unix/", "unix:"),
    ("fcgi://unix:", "fcgi+unix:"),
    ("fcgi:unix:", "fcgi+unix:"),
    ("fcgi+unix://", "fcgi+unix:"),
    ("unix+fcgi:", "fcgi+unix:"),
    ("fcgi:///", "fcgi+unix:"),
    ("fastcgi://unix:", "fcgi+unix:"),
    ("fastcgi+unix:", "fcgi+unix:"),
    ("fastcgi:unix:", "fcgi+unix:"),
    ("fastcgi:///", "fcgi+unix:"),
    ("fastcgi://", "fcgi://"),
];

pub(super) fn server(text: &str, surroundings: &Surroundings) -> Result<ServerAddress, NoServer> {
    let Some(address) = address(text) else {
        return Err(near(text).unwrap_or_else(|| NoServer::Form(text.to_owned())));
    };
    match address.spot() {
        Spot::Unix(path) if path.as_os_str().len() > LONGEST_PATH => {
            Err(NoServer::TooLong(text.to_owned()))
        }
        Spot::Unix(_) => Ok(address),
        Spot::Tcp { host, port } => match resolve(host, port, surroundings) {
            Ok(()) => Ok(address),
            Err(error) => Err(NoServer::Unresolved {
                name: host.to_owned(),
                error,
            }),
        },
    }
}

fn resolve(host: &str, port: u16, surroundings: &Surroundings) -> io::Result<()> {
    if host.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    (surroundings.look_up)(host, port)
}

fn address(text: &str) -> Option<ServerAddress> {
    let after = |start| text.strip_prefix(start);
    if let Some(path) = after("unix:") {
        socket(path).map(ServerAddress::unix)
    } else if let Some(path) = after("fcgi+unix:") {
        let socket = socket(path).map(ServerAddress::unix);
        socket.map(ServerAddress::with_fast_cgi)
    } else if let Some(rest) = after("fcgi://") {
        let authority = authority(rest).filter(|authority| authority.port().is_some())?;
        Some(ServerAddress::new(Scheme::Http, authority).with_fast_cgi())
    } else if let Some(rest) = after("https://") {
        Some(ServerAddress::new(Scheme::Https, authority(rest)?))
    } else {
        let rest = after("http://")?;
        Some(ServerAddress::new(Scheme::Http, authority(rest)?))
    }
}

/// The path of a unix socket.
fn socket(path: &str) -> Option<PathBuf> {
    let is_one = path.starts_with('/') && !path.starts_with("//") && !path.ends_with('/');
    let is_clean = !path.contains(|c: char| c.is_control());
    (is_one && is_clean).then(|| PathBuf::from(path))
}

fn authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    let host = authority.host();
    let is_bare = authority.as_str() == host;
    let has_port = authority.port_u16().is_some_and(|port| port > 0);
    let has_user = authority.as_str().contains('@');
    (!host.is_empty() && !has_user && (is_bare || has_port)).then_some(authority)
}

/// What may have been meant.
fn near(text: &str) -> Option<NoServer> {
    let meant = |(wrong, right): &(&str, &str)| {
        let rest = text.strip_prefix(wrong)?.trim_start_matches('/');
        let slash = if right.ends_with(':') { "/" } else { "" };
        Some(format!("{right}{slash}{rest}"))
    };
    let right = NEAR
        .iter()
        .filter_map(meant)
        .find(|right| address(right).is_some())?;
    let written = text.to_owned();
    Some(NoServer::Near { written, right })
}
