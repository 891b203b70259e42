//! A request's body on its way to a backend: bounded, streamed, without trailers. Knows nothing of what it says.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::wire::body::Inbound;

/// A body as a sealed request carries it.
#[derive(Debug)]
pub(super) struct SealedBody(Source);

#[derive(Debug)]
enum Source {
    Empty,
    Whole(Option<Bytes>),
    Streaming {
        body: Incoming,
        left: u64,
        flow: Rc<Flow>,
    },
}

/// How a streaming body is getting on, for who waits for the answer to it.
#[derive(Debug)]
pub(super) struct Flow {
    state: Cell<FlowState>,
    moved_at: Cell<Instant>,
    /// How many bytes the body may have.
    pub(super) limit: u64,
}

/// Where a streaming body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlowState {
    /// It is the backend's turn to take more.
    Offered,
    /// It is the client's turn to send more.
    Awaited,
    /// The client sent more than it may.
    TooLarge,
    /// The client broke off.
    Broken,
    /// All of it was taken.
    Done,
}

/// Why a body ended before its end; the flow has the details.
#[derive(Debug, thiserror::Error)]
#[error("the client's body cannot be sent on")]
pub(super) struct BodyCut;

impl SealedBody {
    pub(super) fn new(body: Inbound) -> Self {
        Self(match body {
            Inbound::Whole(bytes) if bytes.is_empty() => Source::Empty,
            Inbound::Whole(bytes) => Source::Whole(Some(bytes)),
            Inbound::Streaming { body, .. } if body.is_end_stream() => Source::Empty,
            Inbound::Streaming { body, limit } => {
                let state = Cell::new(FlowState::Offered);
                let flow = Flow {
                    state,
                    moved_at: Cell::new(Instant::now()),
                    limit,
                };
                Source::Streaming {
                    body,
                    left: limit,
                    flow: Rc::new(flow),
                }
            }
        })
    }

    pub(super) const fn empty() -> Self {
        Self(Source::Empty)
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.0, Source::Empty)
    }

    /// How it is getting on, if it is still on its way.
    pub(super) fn flow(&self) -> Option<Rc<Flow>> {
        match &self.0 {
            Source::Streaming { flow, .. } => Some(Rc::clone(flow)),
            Source::Empty | Source::Whole(_) => None,
        }
    }
}

impl Flow {
    pub(super) fn state(&self) -> FlowState {
        self.state.get()
    }

    /// When it last went on.
    pub(super) fn moved_at(&self) -> Instant {
        self.moved_at.get()
    }

    fn enter(&self, state: FlowState) {
        self.state.set(state);
        self.moved_at.set(Instant::now());
    }

    fn await_client(&self) {
        if self.state.get() == FlowState::Offered {
            self.enter(FlowState::Awaited);
        }
    }
}

impl Body for SealedBody {
    type Data = Bytes;
    type Error = BodyCut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyCut>>> {
        match &mut self.0 {
            Source::Empty => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Source::Streaming { body, left, flow } => {
                let data = match poll_data(Pin::new(body), cx) {
                    Poll::Ready(data) => data,
                    Poll::Pending => {
                        flow.await_client();
                        return Poll::Pending;
                    }
                };
                let is_done = data.is_none() || body.is_end_stream();
                flow.enter(if is_done {
                    FlowState::Done
                } else {
                    FlowState::Offered
                });
                Poll::Ready(data.map(|data| take(data, left, flow)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Empty => true,
            Source::Whole(bytes) => bytes.is_none(),
            Source::Streaming { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Empty => SizeHint::with_exact(0),
            Source::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Source::Streaming { body, .. } => body.size_hint(),
        }
    }
}

/// The next piece of data; trailers, which could pass for headers, are dropped.
pub(super) fn poll_data(
    mut body: Pin<&mut Incoming>,
    cx: &mut Context<'_>,
) -> Poll<Option<hyper::Result<Bytes>>> {
    loop {
        match ready!(body.as_mut().poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}

fn take(data: hyper::Result<Bytes>, left: &mut u64, flow: &Flow) -> Result<Frame<Bytes>, BodyCut> {
    let cut = |state| {
        flow.enter(state);
        BodyCut
    };
    let data = data.map_err(|_| cut(FlowState::Broken))?;
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
    *left = left
        .checked_sub(length)
        .ok_or_else(|| cut(FlowState::TooLarge))?;
    Ok(Frame::data(data))
}
