//! One connection from its first byte to its last: HTTP/1 above, the watched bytes below, and the clock beside them.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep_until, timeout};

use super::pulse::{Cut, Pulse};
use super::transport::Transport;
use super::wire::Wire;
use super::{ConnectionLimits, Handler, Stop, Unread};
use crate::domain::peer::Peer;

/// How long a connection's last words may take, and how long after them a client may go on sending.
const LINGER: Duration = Duration::from_secs(30);
/// What the library may read ahead beyond a head, in bytes.
const READ_AHEAD: usize = 16 * 1024;

/// Why a connection is taken from the library.
enum End {
    /// It is over, and cut from here if anything is said.
    Over(Option<Cut>),
    /// It rests.
    Rest,
}

/// Serves `handler` on `transport` until either side is done with it.
pub(super) async fn drive<H: Handler>(
    transport: Transport,
    peer: Peer,
    handler: Rc<H>,
    limits: ConnectionLimits,
    stop: &Stop,
) {
    let peer = Rc::new(peer);
    let pulse = Rc::new(Pulse::new(Instant::now()));
    let mut wire = {
        let (handler, peer) = (Rc::clone(&handler), Rc::clone(&peer));
        Wire::new(transport, Rc::clone(&pulse), move |unread| {
            handler.refuse(unread, &peer)
        })
    };
    let cut = loop {
        // On the heap, with the 20 KiB that the library keeps for a connection: all of it goes while the client rests.
        let talking = Box::pin(talk(wire, &pulse, &peer, &handler, &limits, stop));
        let (back, end) = talking.await;
        wire = back;
        match end {
            End::Over(cut) => break cut,
            End::Rest => {
                if let Some(cut) = rest(&wire, &pulse, &limits, stop).await {
                    break Some(cut);
                }
            }
        }
    };
    finish(wire, cut).await;
}

/// Lets the library answer requests until the connection is over or rests.
async fn talk<H: Handler, R: Fn(Unread) -> Bytes + Unpin>(
    wire: Wire<R>,
    pulse: &Rc<Pulse>,
    peer: &Rc<Peer>,
    handler: &Rc<H>,
    limits: &ConnectionLimits,
    stop: &Stop,
) -> (Wire<R>, End) {
    let service = service_fn(|request: Request<Incoming>| {
        pulse.asked(request.body().is_end_stream());
        let (handler, peer, pulse) = (Rc::clone(handler), Rc::clone(peer), Rc::clone(pulse));
        async move {
            let answer = handler.handle(request, &peer).await;
            Ok::<_, Infallible>(answer.map(|body| Tracked { body, pulse }))
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The pulse keeps both times, that of a head and that between requests.
        .header_read_timeout(None)
        .max_header_size(limits.max_header_bytes)
        .max_buf_size(limits.max_header_bytes + READ_AHEAD)
        .serve_connection(TokioIo::new(wire), service);
    let end = until_done(pulse, limits, stop, |cx, is_last| {
        let mut connection = Pin::new(&mut connection);
        if is_last {
            connection.as_mut().graceful_shutdown();
        }
        connection.poll(cx)
    });
    let end = end.await;
    let parts = connection.into_parts();
    let mut wire = parts.io.into_inner();
    wire.put_back(parts.read_buf);
    (wire, end)
}

/// Waits until the client says something, or until the connection is to be cut.
async fn rest<R: Fn(Unread) -> Bytes + Unpin>(
    wire: &Wire<R>,
    pulse: &Pulse,
    limits: &ConnectionLimits,
    stop: &Stop,
) -> Option<Cut> {
    let told = stop.told();
    if stop.is_set() {
        return Some(Cut::Idle);
    }
    let over = async {
        loop {
            match pulse.due(limits, Instant::now()) {
                Ok(cut) => return cut,
                Err(later) => sleep_until(later).await,
            }
        }
    };
    tokio::select! {
        () = wire.readable() => None,
        cut = over => Some(cut),
        () = told => Some(Cut::Idle),
    }
}

/// Runs a connection until it is done by itself, to be cut, or at rest. `poll` is told once, when the worker stops, that
/// the request that has begun is the last one.
async fn until_done(
    pulse: &Pulse,
    limits: &ConnectionLimits,
    stop: &Stop,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<hyper::Result<()>>,
) -> End {
    let mut alarm = pin!(sleep_until(Instant::now() + limits.shortest()));
    let mut told = pin!(stop.told());
    let mut is_listening = false;
    let mut is_stopping = false;
    poll_fn(|cx| {
        if !is_listening {
            // Once it was polled, being told wakes this task; the cell says the rest.
            is_listening = true;
            let _ = told.as_mut().poll(cx);
        }
        let is_stop_told = stop.is_set() && !is_stopping;
        is_stopping |= is_stop_told;
        let mut polled = poll(cx, false);
        if is_stop_told && polled.is_pending() && !pulse.is_quiet() {
            polled = poll(cx, true);
        }
        if let Poll::Ready(done) = polled {
            let cut = done.err().and_then(|error| why_broken(&error, pulse));
            return Poll::Ready(End::Over(cut));
        }
        if is_stopping && pulse.is_quiet() {
            return Poll::Ready(End::Over(Some(Cut::Idle)));
        }
        loop {
            ready!(alarm.as_mut().poll(cx));
            let now = Instant::now();
            match pulse.due(limits, now) {
                Ok(cut) => return Poll::Ready(End::Over(Some(cut))),
                Err(_) if pulse.rests(limits, now) => return Poll::Ready(End::Rest),
                Err(later) => alarm.as_mut().reset(later.min(now + limits.shortest())),
            }
        }
    })
    .await
}

fn why_broken(error: &hyper::Error, pulse: &Pulse) -> Option<Cut> {
    tracing::debug!(%error, "a connection broke");
    let is_unreadable = error.is_parse() && pulse.is_between_requests();
    is_unreadable.then_some(Cut::Unreadable)
}

/// Ends a connection, with its last words if there are any.
async fn finish<R: Fn(Unread) -> Bytes + Unpin>(mut wire: Wire<R>, cut: Option<Cut>) {
    let last_words = async {
        match cut {
            Some(Cut::SlowHead) => wire.refuse(Unread::TooSlow).await?,
            Some(Cut::Unreadable) => wire.refuse(Unread::Malformed).await?,
            Some(Cut::Blocked) => return Ok(()),
            // Nothing is on its way that closing could lose.
            Some(Cut::Idle) => return wire.shutdown().await,
            None => {}
        }
        wire.linger().await
    };
    // A client that is gone, or stays but takes nothing, needs no last words.
    let _: Result<std::io::Result<()>, _> = timeout(LINGER, last_words).await;
}

/// The body of an answer, which tells the pulse when it is out of hand.
struct Tracked<B> {
    body: B,
    pulse: Rc<Pulse>,
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Tracked<B> {
    fn drop(&mut self) {
        self.pulse.answered();
    }
}

#[cfg(test)]
mod tests;
