//! One request and the answer to it, over one connection, both ways at once. Knows nothing of other connections.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;

use super::error::{Broken, SendError};
use super::pool::Lease;
use super::reply::{Framing, Reply};
use super::request::Request;
use crate::wire::headers::ManagedNames;

/// What is read at once where little is expected, in bytes.
const SIP: usize = 8 * 1024;
/// What is read at once of a long body, in bytes.
const GULP: usize = 128 * 1024;

/// A request that is on its way, and the connection that brings the answer.
#[derive(Debug)]
pub(super) struct Exchange {
    lease: Lease,
    pub(super) request: Request,
    /// How much to read at once, in bytes.
    room: usize,
}

impl Exchange {
    pub(super) fn new(lease: Lease, request: Request) -> Self {
        Self {
            lease,
            request,
            room: SIP,
        }
    }

    /// Sends the request as far as it goes, and waits for the head of the answer; what only says to go on is passed over.
    pub(super) fn poll_reply(
        &mut self,
        hidden: &ManagedNames,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reply, SendError>> {
        if let Poll::Ready(Err(cut)) = self.poll_send(cx) {
            return Poll::Ready(Err(cut));
        }
        if self.request.is_unsent() {
            return Poll::Ready(Err(SendError::Unsent));
        }
        let connection = &mut self.lease.connection;
        loop {
            let is_to_head = self.request.is_to_head();
            let reply = Reply::take(&mut connection.buffer, is_to_head, hidden);
            match reply? {
                Some(reply) if reply.status == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Err(SendError::Upgrade));
                }
                Some(reply) if reply.status.is_informational() => continue,
                Some(reply) => return Poll::Ready(Ok(reply)),
                None => {}
            }
            if ready!(connection.poll_fill(SIP, cx)).map_err(Broken::Io)? == 0 {
                return Poll::Ready(Err(SendError::Failed(Broken::Ended)));
            }
        }
    }

    /// The next data of the answer's body, while the rest of the request goes on; none at its end.
    pub(super) fn poll_body(
        &mut self,
        framing: &mut Framing,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, SendError>>> {
        if let Poll::Ready(Err(cut)) = self.poll_send(cx) {
            return Poll::Ready(Some(Err(cut)));
        }
        loop {
            let buffer = &mut self.lease.connection.buffer;
            match framing.take(buffer) {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(None) if framing.is_done() => return Poll::Ready(None),
                Ok(None) => {}
                Err(broken) => return Poll::Ready(Some(Err(broken.into()))),
            }
            let ended = Err(SendError::Failed(Broken::Ended));
            return match ready!(self.poll_more(framing, cx)) {
                Ok(0) if *framing == Framing::Close => Poll::Ready(None),
                Ok(0) => Poll::Ready(Some(ended)),
                Ok(_) => continue,
                Err(broken) => Poll::Ready(Some(Err(broken.into()))),
            };
        }
    }

    /// The request, of which nothing was sent.
    pub(super) fn into_request(self) -> Request {
        self.request.again()
    }

    /// Gives the connection back after the answer, if it can carry another request.
    pub(super) fn end(self, keeps_alive: bool) {
        if keeps_alive && self.request.is_taken() && self.lease.connection.buffer.is_empty() {
            self.lease.give_back();
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if self.request.is_sent() {
            return Poll::Ready(Ok(()));
        }
        let sent = self.request.poll_send(&mut self.lease.connection, cx);
        sent.map_err(SendError::Body)
    }

    /// Reads more of a body: as much as is left, or twice as much as before where that was all that there was room for.
    fn poll_more(
        &mut self,
        framing: &Framing,
        cx: &mut Context<'_>,
    ) -> Poll<Result<usize, Broken>> {
        let left = framing
            .left()
            .map(|left| usize::try_from(left).unwrap_or(GULP));
        let room = left.unwrap_or(self.room).clamp(SIP, GULP);
        let read = ready!(self.lease.connection.poll_fill(room, cx))?;
        if read >= self.room {
            self.room = (self.room * 2).min(GULP);
        }
        Poll::Ready(Ok(read))
    }
}
