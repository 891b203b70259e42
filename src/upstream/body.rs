//! A request's body on its way to a backend: bounded, streamed, without trailers. Knows nothing of what it says.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;

use super::alarm::Alarm;
use crate::wire::body::Inbound;
use crate::wire::inflow::Inflow;

/// A body as a sealed request carries it.
#[derive(Debug)]
pub(super) enum SealedBody {
    /// None, or nothing more of it.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// What the client's connection brings.
    Streaming(Box<Flow>),
    /// It ended before its end, and will never look whole.
    Cut(BodyCut),
}

/// A body that streams, and how it is getting on.
#[derive(Debug)]
pub(super) struct Flow {
    incoming: Inflow,
    left: u64,
    limit: u64,
    /// If it is the client's turn to send more: since when.
    awaited_since: Option<Instant>,
    /// What tells that the client takes too long, once it was waited for.
    alarm: Alarm,
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyCut {
    /// The client sent more bytes than this.
    #[error("the body is over {0} bytes")]
    TooLarge(u64),
    /// The client broke off.
    #[error("the client's body broke off")]
    Broken,
    /// The client sent nothing more for this time.
    #[error("the client's body did not go on for {0:?}")]
    Stalled(Duration),
}

impl SealedBody {
    pub(super) fn new(body: Inbound) -> Self {
        match body {
            Inbound::Whole(bytes) if bytes.is_empty() => Self::Empty,
            Inbound::Whole(bytes) => Self::Whole(bytes),
            Inbound::Streaming { body, .. } if body.is_end_stream() => Self::Empty,
            Inbound::Streaming { body, limit } => Self::Streaming(Box::new(Flow {
                incoming: body,
                left: limit,
                limit,
                awaited_since: None,
                alarm: Alarm::default(),
            })),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// How many bytes it has; none if nobody knows before its end.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Whole(bytes) => Some(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Streaming(flow) => flow.incoming.size_hint().exact(),
            Self::Cut(_) => None,
        }
    }

    /// The next piece, for which a client may take as long as `patience`; after the last one it is empty.
    pub(super) fn poll_piece(
        &mut self,
        patience: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, BodyCut>> {
        match self {
            Self::Empty => Poll::Ready(Ok(Bytes::new())),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Ok(bytes))
            }
            Self::Streaming(flow) => {
                let piece = ready!(flow.poll_piece(patience, cx));
                match &piece {
                    Ok(piece) if !piece.is_empty() && !flow.incoming.is_end_stream() => {}
                    Ok(_) => *self = Self::Empty,
                    Err(cut) => *self = Self::Cut(*cut),
                }
                Poll::Ready(piece)
            }
            Self::Cut(cut) => Poll::Ready(Err(*cut)),
        }
    }

    /// Whether it is the client's turn to send more of it.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Streaming(flow) => flow.awaited_since.is_some(),
            Self::Empty | Self::Whole(_) | Self::Cut(_) => false,
        }
    }
}

impl Flow {
    /// The next piece, or an empty one at the end.
    fn poll_piece(
        &mut self,
        patience: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, BodyCut>> {
        loop {
            let Poll::Ready(piece) = self.incoming.poll_data(cx) else {
                return self.poll_stalled(patience, cx).map(Err);
            };
            self.awaited_since = None;
            let piece = piece.transpose().map_err(|_| BodyCut::Broken)?;
            let is_last = piece.is_none();
            let piece = piece.unwrap_or_default();
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            let left = self.left.checked_sub(length);
            self.left = left.ok_or(BodyCut::TooLarge(self.limit))?;
            if is_last || !piece.is_empty() {
                return Poll::Ready(Ok(piece));
            }
        }
    }

    /// Waits for the client no longer than `patience`.
    fn poll_stalled(&mut self, patience: Duration, cx: &mut Context<'_>) -> Poll<BodyCut> {
        let due = *self.awaited_since.get_or_insert_with(Instant::now) + patience;
        ready!(self.alarm.poll(|| due, cx));
        Poll::Ready(BodyCut::Stalled(patience))
    }
}
