//! A backend's answer on its way to the client. Knows nothing of what it says.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::body::{FlowState, poll_data};
use super::pool::Lease;
use super::send::Answered;
use crate::wire::headers::ManagedNames;

/// An answer's body. At its end the connection goes back to its pool; dropped before, the connection ends.
#[derive(Debug)]
pub struct AnswerBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl AnswerBody {
    fn new(incoming: Incoming, lease: Lease) -> Self {
        let mut body = Self {
            incoming,
            lease: Some(lease),
        };
        body.give_back_at_end();
        body
    }

    fn give_back_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.lease.take().into_iter().for_each(Lease::give_back);
        }
    }
}

/// Takes off an answer what is not for the client. One that came before the request's body was whole ends the client's
/// connection: what is left of that body would stand where the next request is looked for.
pub(super) fn open(answered: Answered, hidden: &ManagedNames) -> Response<AnswerBody> {
    let Answered {
        answer,
        lease,
        flow,
    } = answered;
    let is_early = flow.is_some_and(|flow| flow.state() != FlowState::Done);
    let mut answer = answer.map(|incoming| AnswerBody::new(incoming, lease));
    let headers = answer.headers_mut();
    hidden.strip(headers);
    if is_early {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = poll_data(Pin::new(&mut self.incoming), cx);
        match &polled {
            Poll::Ready(None) => self.lease.take().into_iter().for_each(Lease::give_back),
            Poll::Ready(Some(Ok(_))) => self.give_back_at_end(),
            Poll::Ready(Some(Err(_))) => drop(self.lease.take()),
            Poll::Pending => {}
        }
        polled.map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
