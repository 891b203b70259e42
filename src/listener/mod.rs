//! Sockets, TLS, connections and their end. Knows nothing of what a request means.

mod addresses;
mod announcement;
mod connection;
mod dates;
mod http1;
mod http2;
mod line;
mod place;
mod pulse;
mod socket;
mod stop;
mod transport;
mod wire;

use std::cell::Cell;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use http_body::Body;
use ipnet::IpNet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::config::plan::ServerPlan;
use crate::domain::peer::{Peer, Scheme};
use crate::metrics::WorkerMetrics;
use crate::wire::header_lines::HeaderLines;
use crate::wire::inflow::Inflow;
use crate::wire::proxy_protocol::NoHeader;

pub use http1::{Reading, Request};
pub use line::{Line, Takeover};
pub use socket::{BindError, Door, Entry, Socket, bind};
pub use stop::Stop;

use addresses::{Addresses, Seat};
use announcement::Unannounced;
use dates::Dates;
use place::{Place, Rounds};
use transport::{Accepted, Transport};

/// How long after an answer a connection begins to rest: pages ask for several things in a row.
const REST: Duration = Duration::from_millis(200);
/// How long accepting rests when the process has no descriptor left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What the listener does not know: the meaning of a request. It is implemented above this room.
pub trait Handler: 'static {
    /// What its answers carry.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static;

    /// Answers a request.
    fn handle(&self, asked: Asked, peer: &Peer) -> impl Future<Output = Answer<Self::Body>>;

    /// The whole answer, head and body in the form of HTTP/1.1, to what never became a request.
    fn refuse(&self, unread: Unread, peer: &Peer) -> Bytes;
}

/// What a client asks.
#[derive(Debug)]
pub struct Asked {
    /// The head.
    pub head: Parts,
    /// The body, as it comes.
    pub body: Inflow,
    /// When the head was whole.
    pub at: Instant,
    /// Whether the connection could be taken over, and its client wants to speak another protocol on it.
    pub upgrades: bool,
}

/// What a client is answered.
#[derive(Debug)]
pub struct Answer<B> {
    /// The answer, as far as the gateway has seen to it.
    pub response: Response<B>,
    /// Headers of a backend's that go out before those of the response.
    pub passing: HeaderLines,
    /// What becomes of the connection behind it, if that is not HTTP any more.
    pub takeover: Option<Takeover>,
}

impl<B> From<Response<B>> for Answer<B> {
    /// An answer of the gateway's own.
    fn from(response: Response<B>) -> Self {
        let passing = HeaderLines::default();
        Self {
            response,
            passing,
            takeover: None,
        }
    }
}

/// Why something that a client sent never became a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is not HTTP/1.
    Malformed,
    /// Its head is over the limit.
    HeadersTooLarge,
    /// Its target is over what a target may ever be.
    UriTooLong,
    /// Its head was not whole in time.
    TooSlow,
    /// Its stream of HTTP/2 begins with what is no head.
    BadStream,
    /// There are too many requests at a time on its connection.
    TooManyAtOnce,
    /// Its connection breaks the rules of HTTP/2.
    BadFrames,
    /// Its connection brings more frames that ask for nothing, or more requests that are taken back, than anybody needs.
    Flood,
    /// There are too many connections.
    TooMany,
    /// There are too many connections from its address.
    TooManyOfOne,
    /// It comes where only proxies do, from one that is not trusted.
    NoProxy,
    /// It comes from a proxy that does not tell whose connection it is.
    Unannounced(NoHeader),
    /// The proxy did not tell that in time.
    SlowAnnouncement,
}

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Until a request head is whole.
    pub header_timeout: Duration,
    /// Between two requests, and while a client takes nothing of its answer.
    pub idle_timeout: Duration,
    /// Between the end of an answer and the rest of its connection, in which that takes little memory.
    pub rest: Duration,
    /// Bytes of a request head.
    pub max_header_bytes: usize,
}

impl ConnectionLimits {
    /// The shortest of these times: how often it is enough to look at a clock.
    fn shortest(&self) -> Duration {
        self.header_timeout.min(self.idle_timeout).min(self.rest)
    }
}

/// How many connections there are, over all workers.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCount {
    all: Arc<AtomicUsize>,
    of_addresses: Addresses,
}

/// One worker's share of the listener.
pub struct Listener<H> {
    handler: Rc<H>,
    limits: ConnectionLimits,
    trusted_proxies: Vec<IpNet>,
    tls: Option<TlsAcceptor>,
    h2c: bool,
    max_connections: usize,
    max_connections_per_address: Option<usize>,
    count: ConnectionCount,
    here: Cell<usize>,
    metrics: Arc<WorkerMetrics>,
    stop: Stop,
    dates: Dates,
    rounds: Rounds,
}

impl<H: Handler> Listener<H> {
    /// Serves `handler` as `plan` says; connections count towards `count` with those of the other workers.
    #[must_use]
    pub fn new(
        plan: &ServerPlan,
        handler: Rc<H>,
        count: ConnectionCount,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            handler,
            limits: ConnectionLimits {
                header_timeout: plan.header_timeout,
                idle_timeout: plan.idle_timeout,
                rest: REST,
                max_header_bytes: plan.max_header_bytes,
            },
            trusted_proxies: plan.trusted_proxies.clone(),
            tls: plan
                .tls
                .as_ref()
                .map(|tls| TlsAcceptor::from(Arc::clone(&tls.config))),
            h2c: plan.h2c,
            max_connections: plan.max_connections,
            max_connections_per_address: plan.max_connections_per_address,
            count,
            here: Cell::new(0),
            metrics,
            stop: Stop::default(),
            dates: Dates::default(),
            rounds: Rounds::default(),
        }
    }

    /// Accepts and serves until `stopping` is done, then lets connections finish for `drain` at most.
    ///
    /// # Errors
    ///
    /// A socket cannot be given to the runtime.
    pub async fn serve(
        self,
        doors: Vec<Door>,
        stopping: impl Future<Output = ()>,
        drain: Duration,
    ) -> io::Result<()> {
        let listener = Rc::new(self);
        let mut accepting = tokio::task::JoinSet::new();
        for Door { socket, entry } in doors {
            let accept = Rc::clone(&listener).accept(socket.into_async()?, entry);
            accepting.spawn_local(accept);
        }
        stopping.await;
        accepting.shutdown().await;
        listener.stop.set();
        let drained = listener.stop.drained(|| listener.here.get() == 0);
        if tokio::time::timeout(drain, drained).await.is_err() {
            tracing::warn!(
                connections = listener.here.get(),
                "connections were cut off"
            );
        }
        Ok(())
    }

    async fn accept(self: Rc<Self>, socket: socket::AsyncSocket, entry: Entry) {
        loop {
            match socket.accept().await {
                Ok(accepted) => self.take(accepted, entry),
                Err(error) if socket::is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn take(self: &Rc<Self>, accepted: Accepted, entry: Entry) {
        let Accepted { transport, address } = accepted;
        let peer = Peer::new(address, entry.scheme, &self.trusted_proxies);
        if entry.proxy_protocol {
            return self.take_from_proxy(transport, address, &peer);
        }
        let guest = self
            .seat(address, &peer)
            .and_then(|seat| Guest::enter(self, seat));
        match guest {
            Ok(guest) => drop(tokio::task::spawn_local(guest.stay(transport, peer))),
            Err(unread) => self.turn_away(transport, unread, &peer),
        }
    }

    /// Takes a connection that is to be announced by the proxy at its other end. Whoever may open a unix socket is one.
    fn take_from_proxy(
        self: &Rc<Self>,
        transport: Transport,
        address: Option<IpAddr>,
        proxy: &Peer,
    ) {
        if address.is_some() && !proxy.is_trusted() {
            self.handler.refuse(Unread::NoProxy, proxy);
            return;
        }
        match Guest::enter(self, Seat::default()) {
            Ok(guest) => {
                // Until it is announced, it is the connection of one who may say nothing for others.
                let nobody = Peer::new(address, proxy.scheme(), &[]);
                tokio::task::spawn_local(guest.stay_once_announced(transport, nobody));
            }
            Err(unread) => self.turn_away(transport, unread, proxy),
        }
    }

    /// A place among the connections of an address. A proxy in front has those of many clients.
    fn seat(&self, address: Option<IpAddr>, peer: &Peer) -> Result<Seat, Unread> {
        let address = address.filter(|_| !peer.is_trusted());
        let most = self.max_connections_per_address;
        let seat = self.count.of_addresses.enter(address, most);
        seat.ok_or(Unread::TooManyOfOne)
    }

    fn turn_away(&self, transport: Transport, unread: Unread, peer: &Peer) {
        let last_words = self.handler.refuse(unread, peer);
        // Under TLS, words in the clear would be none, and a handshake is more than is left for one too many.
        if peer.scheme() == Scheme::Http {
            transport.dismiss(&last_words);
        }
    }
}

/// One connection, counted while it lasts.
struct Guest<H: Handler>(Rc<Listener<H>>, Seat);

impl<H: Handler> Guest<H> {
    fn enter(listener: &Rc<Listener<H>>, seat: Seat) -> Result<Self, Unread> {
        let before = listener.count.all.fetch_add(1, Ordering::Relaxed);
        if before >= listener.max_connections {
            listener.count.all.fetch_sub(1, Ordering::Relaxed);
            return Err(Unread::TooMany);
        }
        listener.here.set(listener.here.get() + 1);
        listener.metrics.connection_opened();
        Ok(Self(Rc::clone(listener), seat))
    }

    /// Stays as the client that the proxy announces; `nobody` is the proxy itself, where it announces none.
    async fn stay_once_announced(mut self, mut transport: Transport, nobody: Peer) {
        let listener = Rc::clone(&self.0);
        let within = listener.limits.header_timeout;
        let peer = match announcement::read(&mut transport, within).await {
            Ok(None) => nobody,
            Ok(Some(client)) => {
                let peer = Peer::new(Some(client), nobody.scheme(), &listener.trusted_proxies);
                match listener.seat(Some(client), &peer) {
                    Ok(seat) => self.1 = seat,
                    Err(unread) => return listener.turn_away(transport, unread, &peer),
                }
                peer
            }
            Err(Unannounced::Gone) => return,
            Err(Unannounced::Refused(unread)) => {
                // Whatever it speaks, it is not what is spoken here.
                listener.handler.refuse(unread, &nobody);
                return;
            }
        };
        self.stay(transport, peer).await;
    }

    async fn stay(self, transport: Transport, peer: Peer) {
        let Self(listener, _) = &self;
        let tls = listener
            .tls
            .as_ref()
            .filter(|_| peer.scheme() == Scheme::Https);
        let handshake = transport.secure(tls);
        match tokio::time::timeout(listener.limits.header_timeout, handshake).await {
            Ok(Ok(transport)) => {
                let place = Place {
                    handler: &*listener.handler,
                    peer: &peer,
                    limits: &listener.limits,
                    stop: &listener.stop,
                    dates: &listener.dates,
                    rounds: &listener.rounds,
                    h2c: listener.h2c,
                };
                connection::drive(transport, place).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }
}

impl<H: Handler> Drop for Guest<H> {
    fn drop(&mut self) {
        let Self(listener, seat) = self;
        // Before the counts tell that there is room.
        seat.leave();
        listener.count.all.fetch_sub(1, Ordering::Relaxed);
        listener.here.set(listener.here.get().saturating_sub(1));
        listener.metrics.connection_closed();
        listener.stop.left();
    }
}
