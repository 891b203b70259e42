//! A backend's answer on its way to the client. Knows nothing of what it says.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};

use super::error::SendError;
use super::exchange::Exchange;
use super::reply::Reply;
use super::tunnel::Tunnel;
use crate::wire::framing::Framing;
use crate::wire::header_lines::HeaderLines;

/// An answer's body, and the headers that came before it. At its end the connection goes back to its pool; dropped before, the connection ends.
#[derive(Debug)]
pub struct AnswerBody {
    exchange: Option<Box<Exchange>>,
    lines: HeaderLines,
    framing: Framing,
    keeps_alive: bool,
    /// Whether no body comes, but what two ends of a WebSocket say.
    is_switch: bool,
    /// Why it broke off, while what came before is on its way out.
    broken: Option<SendError>,
}

impl AnswerBody {
    /// Takes its headers, which are not among those of the response.
    pub fn take_lines(&mut self) -> HeaderLines {
        std::mem::take(&mut self.lines)
    }

    /// The connection itself, if this is the answer that opens a WebSocket.
    #[must_use]
    pub fn into_tunnel(self) -> Option<Tunnel> {
        let exchange = self.exchange.filter(|_| self.is_switch)?;
        Some(Tunnel::new(exchange.into_lease()))
    }

    fn end(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.end(self.keeps_alive);
        }
    }
}

/// Makes an answer of a reply. One that came before the request's body was whole ends the client's connection: what is
/// left of that body would stand where the next request is looked for. Nor is its connection used again: a server that
/// takes no notice of a body may take it for a request.
pub(super) fn open(reply: Reply, exchange: Box<Exchange>) -> Response<AnswerBody> {
    let is_early = !exchange.request.is_taken();
    let Reply {
        status,
        headers,
        body,
        keeps_alive,
        switch,
    } = reply;
    let is_switch = switch.is_some();
    let mut answer = Response::new(AnswerBody {
        exchange: Some(exchange),
        lines: headers,
        framing: body,
        keeps_alive: keeps_alive && !is_early,
        is_switch,
        broken: None,
    });
    *answer.status_mut() = status;
    if is_early {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(CONNECTION, close);
    }
    if body.is_done() && !is_switch {
        answer.body_mut().end();
    }
    answer
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let Self {
            exchange, framing, ..
        } = &mut *self;
        let Some(open) = exchange else {
            return Poll::Ready(self.broken.take().map(Err));
        };
        match ready!(open.poll_body(framing, cx)) {
            Ok(data) => {
                if data.is_none() || framing.is_done() {
                    self.end();
                }
                Poll::Ready(data.map(|data| Ok(Frame::data(data))))
            }
            Err(error) => {
                // Told at once, it would take along what the client has not got yet.
                self.exchange = None;
                self.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.exchange.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing.left() {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}
