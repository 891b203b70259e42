//! One request and the answer to it, over one connection, both ways at once. Knows nothing of other connections.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::Instant;

use super::connection::SIP;
use super::error::{Broken, SendError};
use super::fastcgi::Incoming;
use super::pool::Lease;
use super::reply::Reply;
use super::request::Request;
use crate::domain::managed_names::ManagedNames;
use crate::wire::framing::Framing;

/// What is read at once of a long body, in bytes.
const GULP: usize = 128 * 1024;
/// How many answers before the final one are passed over.
const MOST_PASSED_OVER: usize = 100;

/// A request that is on its way, and the connection that brings the answer.
#[derive(Debug)]
pub(super) struct Exchange {
    lease: Lease,
    pub(super) request: Request,
    /// How much of a body to read at once, in bytes.
    room: usize,
    /// How many answers only said to go on.
    passed_over: usize,
    /// What comes of the answer where a script gives it.
    incoming: Option<Box<Incoming>>,
}

impl Exchange {
    pub(super) fn new(lease: Lease, request: Request) -> Self {
        let incoming = request.run().map(|run| Box::new(Incoming::new(run)));
        Self {
            lease,
            request,
            room: SIP,
            passed_over: 0,
            incoming,
        }
    }

    /// Sends the request as far as it goes, and waits for the head of the answer.
    pub(super) fn poll_reply(
        &mut self,
        hidden: &ManagedNames,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reply, SendError>> {
        self.send(cx)?;
        if self.request.is_unsent() {
            return Poll::Ready(Err(SendError::Unsent));
        }
        loop {
            if let Some(reply) = self.take_reply(hidden)? {
                self.room = if reply.body.left().is_some() {
                    GULP
                } else {
                    SIP
                };
                return Poll::Ready(Ok(reply));
            }
            if ready!(self.lease.connection.poll_fill(SIP, cx)).map_err(Broken::Io)? == 0 {
                return Poll::Ready(Err(Broken::Ended.into()));
            }
        }
    }

    /// Waits until the server has let the request wait for `timeout`, from when it last went on, but not while it is the
    /// client's turn, which has its own time.
    pub(super) fn poll_overdue(&mut self, timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let Self { lease, request, .. } = self;
        let since = || {
            if request.is_awaited() {
                Instant::now()
            } else {
                request.moved_at()
            }
        };
        lease.connection.alarm.poll(|| since() + timeout, cx)
    }

    /// The next data of the answer's body, while the rest of the request goes on; none at its end.
    pub(super) fn poll_body(
        &mut self,
        framing: &mut Framing,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, SendError>> {
        self.send(cx)?;
        loop {
            let buffer = &mut self.lease.connection.buffer;
            let data = match &mut self.incoming {
                Some(incoming) => incoming.take_data(framing, buffer)?,
                None => framing.take(buffer).map_err(Broken::Chunk)?,
            };
            if data.is_some() || framing.is_done() {
                return Poll::Ready(Ok(data));
            }
            if ready!(self.poll_more(framing, cx)).map_err(Broken::Io)? == 0 {
                return Poll::Ready(match framing {
                    Framing::Close if self.incoming.is_none() => Ok(None),
                    Framing::Close | Framing::Length(_) | Framing::Chunks(_) => {
                        Err(Broken::Ended.into())
                    }
                });
            }
        }
    }

    /// The request, of which nothing was sent.
    pub(super) fn into_request(self) -> Request {
        self.request
    }

    /// Gives the connection back after the answer, if it can carry another request.
    pub(super) fn end(mut self: Box<Self>, keeps_alive: bool) {
        let buffer = &mut self.lease.connection.buffer;
        let incoming = self.incoming.as_mut();
        let is_over = incoming.is_none_or(|incoming| incoming.is_over(buffer));
        if keeps_alive && is_over && buffer.is_empty() && self.request.is_taken() {
            self.lease.give_back();
        }
    }

    /// Sends as much of the request as goes now.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), SendError> {
        if self.request.is_sent() && self.lease.connection.is_flushed() {
            return Ok(());
        }
        match self.request.poll_send(&mut self.lease.connection, cx) {
            Poll::Ready(sent) => Ok(sent?),
            Poll::Pending => Ok(()),
        }
    }

    /// Takes the head of the answer, if all of it is there; what only says to go on is passed over.
    fn take_reply(&mut self, hidden: &ManagedNames) -> Result<Option<Reply>, SendError> {
        let (buffer, is_to_head) = (&mut self.lease.connection.buffer, self.request.is_to_head());
        if let Some(incoming) = &mut self.incoming {
            return Ok(incoming.take_reply(buffer, is_to_head, hidden)?);
        }
        while let Some(reply) = Reply::take(buffer, is_to_head, hidden)? {
            if reply.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(SendError::Upgrade);
            }
            if !reply.status.is_informational() {
                return Ok(Some(reply));
            }
            self.passed_over += 1;
            if self.passed_over > MOST_PASSED_OVER {
                return Err(Broken::Endless.into());
            }
        }
        Ok(None)
    }

    /// Reads more of a body: as much as is left, but where little comes at once ever less, since the room that a piece was
    /// given is held for as long as the piece.
    fn poll_more(&mut self, framing: &Framing, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let left = framing.left().unwrap_or(u64::MAX);
        let left = usize::try_from(left).unwrap_or(GULP);
        let room = left.min(self.room).max(SIP);
        let read = ready!(self.lease.connection.poll_fill(room, cx))?;
        self.room = (read * 2).max(self.room / 2).clamp(SIP, GULP);
        Poll::Ready(Ok(read))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::rc::Rc;

    use super::*;
    use crate::config::plan::IdentityPlan;
    use crate::domain::path::RequestPath;
    use crate::domain::peer::{Peer, Scheme};
    use crate::upstream::connection::tests::{connected, meter};
    use crate::upstream::pool::Pool;
    use crate::upstream::seal::{Changes, Outbound, Sealed, Sealer};
    use crate::wire::body::Inbound;
    use crate::wire::request_id::RequestId;

    fn sealed() -> Sealed {
        let sealer = Sealer::new(IdentityPlan::default(), Vec::new(), Vec::new());
        sealer.seal(Outbound {
            head: &mut http::Request::new(()).into_parts().0,
            path: &RequestPath::parse("/").unwrap(),
            body: Inbound::Whole(Bytes::new()),
            peer: &Peer::new(None, Scheme::Http, &[]),
            request_id: &RequestId::generate(),
            identity: None,
            event: None,
            changes: Changes::default(),
        })
    }

    #[tokio::test]
    async fn small_pieces_of_a_long_body_share_their_room() {
        let (connection, mut server) = connected().await;
        let lease = Rc::new(Pool::new(meter())).lease(connection);
        let mut exchange =
            Exchange::new(lease, Request::new(sealed(), Duration::MAX, Instant::now()));
        let hidden = ManagedNames::of_backends([]);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
        server.write_all(head).unwrap();
        let reply = poll_fn(|cx| exchange.poll_reply(&hidden, cx)).await;
        let mut body = reply.unwrap().body;
        let mut pieces = Vec::new();
        for _ in 0..16 {
            server.write_all(b"x").unwrap();
            let piece = poll_fn(|cx| exchange.poll_body(&mut body, cx)).await;
            pieces.push(piece.unwrap().unwrap());
        }
        let places = pieces.iter().map(|piece| piece.as_ptr().addr());
        let (first, last) = (places.clone().min().unwrap(), places.max().unwrap());
        assert!(last - first < GULP, "{first} to {last}");
    }
}
