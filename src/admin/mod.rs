//! The operator's listener: life, readiness, metrics, sessions, and what backends ask for. Knows nothing of the requests
//! that the gateway carries.

mod answer;
mod bearer;
mod decrypt;
mod entrance;
mod pages;
pub mod readiness;
mod sessions;
mod views;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::{select, time};
use tracing::{debug, warn};

use crate::domain::clock::Clock;
use crate::domain::secret::Secret;
use crate::metrics::Metrics;
use crate::store::State;
pub use decrypt::Decrypter;
pub use sessions::Sessions;
pub use views::Views;

use pages::Pages;
use readiness::Readiness;

/// Connections at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// Headers of a request.
const MAX_HEADERS: usize = 64;
/// Bytes of a request head; hyper takes no less.
const MAX_HEAD_BYTES: usize = 8192;
/// Until a request head is whole.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A whole connection, which has one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// For what has begun, once it is time to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// After a connection could not be accepted: until another may have freed what was missing.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What the operator's listener shows, and to whom.
#[derive(Debug)]
pub struct Admin {
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` shows.
    pub readiness: Readiness,
    /// What `/api/*` asks for; without it there is no `/api/*`.
    pub token: Option<Secret>,
    /// What `/api/decrypt` opens data with.
    pub decrypter: Decrypter,
    /// What `/api/sessions` is about.
    pub sessions: Sessions,
    /// What is only shown.
    pub views: Views,
    /// By what it is counted how often somebody comes with a wrong token.
    pub clock: Clock,
    /// What `/readyz` complains of, if there is one.
    pub state: Option<Arc<State>>,
}

/// Answers on `listener` until `stop` is done.
pub async fn serve(listener: TcpListener, parts: Admin, stop: impl Future<Output = ()>) {
    let pages = Arc::new(Pages::new(parts));
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let shutdown = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, seat) = select! {
            () = &mut stop => break,
            accepted = accept(&listener, &seats) => accepted,
        };
        let pages = Arc::clone(&pages);
        let watcher = shutdown.watcher();
        tokio::spawn(async move {
            carry(stream, peer, pages, watcher).await;
            drop(seat);
        });
    }
    drop(listener);
    if time::timeout(STOP_TIMEOUT, shutdown.shutdown())
        .await
        .is_err()
    {
        debug!("connections of operators were left behind");
    }
}

/// A connection, whose it is, and its seat, once all are there.
async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, IpAddr, Option<OwnedSemaphorePermit>) {
    // None only if the seats were closed, which nobody does.
    let seat = Arc::clone(seats).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            // One who comes by IPv4 to a socket of both is still who they are.
            Ok((stream, peer)) => return (stream, peer.ip().to_canonical(), seat),
            Err(error) => warn!(%error, "an operator's connection could not be accepted"),
        }
        time::sleep(ACCEPT_PAUSE).await;
    }
}

/// Answers the one request of a connection.
async fn carry(stream: TcpStream, peer: IpAddr, pages: Arc<Pages>, watcher: Watcher) {
    let answer = service_fn(|request| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(pages.answer(request, peer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    match time::timeout(CONNECTION_TIMEOUT, watcher.watch(connection)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "an operator's connection broke"),
        Err(_) => debug!("an operator's connection took too long"),
    }
}

#[cfg(test)]
mod tests;
