//! The body of a request as the client's connection brings it, whichever way that speaks. Knows nothing of what it says.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::chunks::BadChunk;

/// A request's body that streams. What follows it, trailers, could pass for headers, and is dropped where it is read.
#[derive(Debug)]
pub enum Inflow {
    /// None.
    Empty,
    /// What a connection brings, or a stream of one.
    Coming(Rc<dyn Source>),
}

/// Where the data of a body comes from.
pub trait Source: Debug {
    /// The next data; none at the end.
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>>;

    /// How many bytes are left, if that is known.
    fn left(&self) -> Option<u64>;
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection ended in the middle of it.
    #[error("the connection ended")]
    Ended,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Io(io::ErrorKind),
    /// Its stream was reset, or did not bring what it promised.
    #[error("the stream was reset")]
    Reset,
    /// A chunk that is none.
    #[error(transparent)]
    Chunk(#[from] BadChunk),
}

impl Inflow {
    /// The next data; none at the end.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Coming(source) => source.poll_data(cx),
        }
    }
}

impl Body for Inflow {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = self.poll_data(cx);
        polled.map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Coming(source) => source.left() == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Coming(source) => source
                .left()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
