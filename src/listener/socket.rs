//! Listening sockets: one of its own for each worker, so that the kernel spreads connections. Knows no connections.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, TcpKeepalive, Type};

use super::transport::{Accepted, Transport};
use crate::config::plan::{ListenPlace, ListenPlan, ServerPlan};
use crate::domain::peer::Scheme;

/// How many connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// When the kernel asks a silent client whether it is still there, and how often until it gives it up.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBES: u32 = 4;

/// A socket that listens.
#[derive(Debug)]
pub enum Socket {
    /// On an address and port.
    Tcp(TcpListener),
    /// On a file.
    Unix(UnixListener),
}

/// Why a place cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// An address and port.
    #[error("cannot listen on {0}")]
    Tcp(SocketAddr, #[source] io::Error),
    /// A file.
    #[error("cannot listen on unix:{0}")]
    Unix(PathBuf, #[source] io::Error),
    /// What systemd passed.
    #[error("cannot listen on the sockets of systemd")]
    Systemd(#[source] io::Error),
}

/// A socket, and how clients speak there.
#[derive(Debug)]
pub struct Door {
    /// Where they come in.
    pub socket: Socket,
    /// How they come.
    pub entry: Entry,
}

/// How clients come in.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// How they speak.
    pub scheme: Scheme,
    /// Whether a proxy announces each of them.
    pub proxy_protocol: bool,
}

/// Listens wherever `plan` says, and gives each worker its share. Where clients come to be served comes first.
///
/// # Errors
///
/// A place is taken, not allowed, or not there.
pub fn bind(plan: &ServerPlan) -> Result<Vec<Vec<Door>>, BindError> {
    let served = match plan.tls {
        Some(_) => Scheme::Https,
        None => Scheme::Http,
    };
    let mut shares: Vec<Vec<Door>> = (0..plan.workers).map(|_| Vec::new()).collect();
    let served = plan.listen.iter().map(|listen| (listen, served));
    let sent_on = plan.redirect.iter().map(|listen| (listen, Scheme::Http));
    for (
        ListenPlan {
            place,
            proxy_protocol,
        },
        scheme,
    ) in served.chain(sent_on)
    {
        let proxy_protocol = *proxy_protocol;
        for each_worker in bind_place(place, plan.workers)? {
            for (share, socket) in shares.iter_mut().zip(each_worker) {
                let entry = Entry {
                    scheme,
                    proxy_protocol,
                };
                share.push(Door { socket, entry });
            }
        }
    }
    Ok(shares)
}

impl fmt::Display for Socket {
    /// Writes the place as `listen` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self {
            Self::Tcp(listener) => listener.local_addr().map(|address| address.to_string()),
            Self::Unix(listener) => listener.local_addr().map(|address| {
                let path = address.as_pathname().unwrap_or(Path::new(""));
                format!("unix:{}", path.display())
            }),
        };
        f.write_str(place.as_deref().unwrap_or("a socket without a name"))
    }
}

impl Socket {
    /// Where it listens, if that is an address and port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    pub(super) fn into_async(self) -> io::Result<AsyncSocket> {
        Ok(match self {
            Self::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                AsyncSocket::Tcp(listener.try_into()?)
            }
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                AsyncSocket::Unix(listener.try_into()?)
            }
        })
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }
}

/// A socket in the hands of a runtime.
pub(super) enum AsyncSocket {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl AsyncSocket {
    /// Takes the next connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // A connection that is gone already fails here, which its first read will tell as well.
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive());
                Ok(Accepted {
                    transport: Transport::Tcp(stream),
                    address: Some(address.ip()),
                })
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted {
                    transport: Transport::Unix(stream),
                    address: None,
                })
            }
        }
    }
}

/// The kernel asks a client that is silent for long whether it is still there: one that lost its network is found out.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_PROBES)
}

/// Whether a failure to accept concerns the one connection that was to be accepted.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

/// The sockets of one place, in one list of `workers` for each that the place stands for.
fn bind_place(place: &ListenPlace, workers: usize) -> Result<Vec<Vec<Socket>>, BindError> {
    match place {
        ListenPlace::Tcp(address) => {
            let sockets = bind_tcp(*address, workers);
            Ok(vec![
                sockets.map_err(|error| BindError::Tcp(*address, error))?,
            ])
        }
        ListenPlace::Unix(path) => {
            let sockets = bind_unix(path).and_then(|socket| copies(&socket, workers));
            Ok(vec![
                sockets.map_err(|error| BindError::Unix(path.clone(), error))?,
            ])
        }
        ListenPlace::Systemd => {
            let sockets = passed().map_err(BindError::Systemd)?;
            let copied: io::Result<_> = sockets
                .iter()
                .map(|socket| copies(socket, workers))
                .collect();
            copied.map_err(BindError::Systemd)
        }
    }
}

fn bind_tcp(address: SocketAddr, workers: usize) -> io::Result<Vec<Socket>> {
    if address.port() != 0 {
        // Sockets that share a port would let a second gateway take half of the connections unnoticed.
        listen_tcp(address, false)?;
    }
    let first = listen_tcp(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![Socket::Tcp(first)];
    while sockets.len() < workers {
        sockets.push(Socket::Tcp(listen_tcp(address, true)?));
    }
    Ok(sockets)
}

fn listen_tcp(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<Socket> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_behind(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path).map(Socket::Unix)
        }
        bound => bound.map(Socket::Unix),
    }
}

/// Whether `path` is a socket that nobody listens at, as a gateway that was killed leaves behind. Any other file is
/// somebody's, and stays.
fn is_left_behind(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

fn passed() -> io::Result<Vec<Socket>> {
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
            sockets.push(Socket::Tcp(listener));
        } else if let Some(listener) = passed.take_unix_listener(index)? {
            sockets.push(Socket::Unix(listener));
        }
    }
    if sockets.is_empty() {
        let reason = "systemd passed none; a .socket unit must start this service";
        return Err(io::Error::new(ErrorKind::NotFound, reason));
    }
    Ok(sockets)
}

/// One descriptor for each worker, all of the same socket.
fn copies(socket: &Socket, workers: usize) -> io::Result<Vec<Socket>> {
    (0..workers).map(|_| socket.try_clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_gets_a_socket_on_the_same_port() {
        let place = ListenPlace::Tcp("127.0.0.1:0".parse().unwrap());
        let sockets = bind_place(&place, 3).unwrap().remove(0);
        let addresses = sockets.iter().map(|socket| socket.address().unwrap());
        let addresses: Vec<_> = addresses.collect();
        assert_eq!(addresses.len(), 3);
        assert!(
            addresses.iter().all(|address| *address == addresses[0]),
            "{addresses:?}"
        );
    }

    #[test]
    fn a_port_that_another_gateway_listens_on_is_refused() {
        let place = ListenPlace::Tcp("127.0.0.1:0".parse().unwrap());
        let sockets = bind_place(&place, 1).unwrap();
        let address = sockets[0][0].address().unwrap();
        let error = bind_place(&ListenPlace::Tcp(address), 1).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {address}"));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(source, "Address already in use (os error 98)");
    }

    #[test]
    fn a_socket_is_told_as_the_config_has_it() {
        let path = std::env::temp_dir().join(format!("wxgate-place-{}", std::process::id()));
        let file = Socket::Unix(UnixListener::bind(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.to_string(), format!("unix:{}", path.display()));
        let tcp = Socket::Tcp(TcpListener::bind("127.0.0.1:0").unwrap());
        let port = tcp.address().unwrap().port();
        assert_eq!(tcp.to_string(), format!("127.0.0.1:{port}"));
    }
}
