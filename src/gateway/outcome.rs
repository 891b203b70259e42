//! What goes back to the client: an answer's bytes, and at their end the access line. Knows no meaning.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};

use super::visit::Visit;
use crate::domain::managed_names::X_REQUEST_ID;
use crate::upstream::{self, SendError};
use crate::wire::header_lines::{HeaderLines, write_line};
use crate::wire::inflow::Inflow;
use crate::wire::refusal::has_body;
use crate::wire::request_id::RequestId;

/// What of a refused body is worth reading away to keep a connection, in bytes.
const SHORT: u64 = 64 * 1024;

/// The body of an answer: the gateway's own, or a backend's.
pub(super) enum AnswerBody {
    /// The gateway's own.
    Own(Option<Bytes>),
    /// A backend's, as it comes.
    Upstream(upstream::AnswerBody),
}

impl AnswerBody {
    pub(super) fn own(bytes: Bytes) -> Self {
        Self::Own((!bytes.is_empty()).then_some(bytes))
    }

    pub(super) fn upstream(body: upstream::AnswerBody) -> Self {
        Self::Upstream(body)
    }

    /// Takes the headers that pass from a backend.
    pub(super) fn take_lines(&mut self) -> HeaderLines {
        match self {
            Self::Own(_) => HeaderLines::default(),
            Self::Upstream(body) => body.take_lines(),
        }
    }
}

/// Brings the headers that pass from a backend among those that are seen.
pub(super) fn unfold(answer: &mut Response<AnswerBody>) -> &mut HeaderMap {
    let mut lines = answer.body_mut().take_lines();
    lines.unfold_into(answer.headers_mut());
    answer.headers_mut()
}

/// An answer's body that ends its visit: when the last byte is out, or when it is dropped before.
pub struct OutcomeBody {
    body: AnswerBody,
    visit: Option<Box<Visit>>,
}

impl OutcomeBody {
    pub(super) fn new(body: AnswerBody, visit: Box<Visit>) -> Self {
        let visit = Some(visit);
        Self { body, visit }
    }

    /// No body, of an answer whose visit goes on behind it.
    pub(super) fn nothing() -> Self {
        let body = AnswerBody::Own(None);
        Self { body, visit: None }
    }

    fn end(&mut self, is_whole: bool) {
        if let Some(mut visit) = self.visit.take() {
            visit.is_whole = is_whole;
        }
    }
}

impl Body for OutcomeBody {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        let polled = match &mut self.body {
            AnswerBody::Own(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            AnswerBody::Upstream(body) => Pin::new(body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                if let Some(visit) = &mut self.visit {
                    visit.bytes += u64::try_from(length).unwrap_or(u64::MAX);
                }
            }
            Poll::Ready(Some(Err(_))) => self.end(false),
            Poll::Ready(None) => self.end(true),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            AnswerBody::Own(bytes) => bytes.is_none(),
            AnswerBody::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            AnswerBody::Own(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            AnswerBody::Upstream(body) => body.size_hint(),
        }
    }
}

impl Drop for OutcomeBody {
    fn drop(&mut self) {
        // An answer to HEAD is whole without its body.
        let is_to_head = self.visit.as_ref().is_some_and(|visit| visit.is_to_head());
        self.end(is_to_head || self.is_end_stream());
    }
}

/// What of a request has not been read when it is refused.
pub(super) struct Rest {
    is_long: bool,
}

impl Rest {
    pub(super) fn of(head: &Parts, body: &Inflow) -> Self {
        if body.is_end_stream() {
            return Self { is_long: false };
        }
        let is_awaited = head.headers.contains_key(EXPECT);
        let hint = body.size_hint();
        let is_short = hint.upper().is_some_and(|most| most <= SHORT);
        Self {
            is_long: is_awaited || !is_short,
        }
    }

    /// Ends the connection after the answer rather than read a long body away.
    pub(super) fn close_if_long(&self, headers: &mut HeaderMap) {
        if self.is_long {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// An answer written out as HTTP/1.1, for a connection that ends with it.
pub(super) fn written(answer: Response<Bytes>, request_id: &RequestId) -> Bytes {
    let (mut head, body) = answer.into_parts();
    if has_body(head.status) {
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let reason = head.status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", head.status.as_str()).into_bytes();
    for (name, value) in &head.headers {
        write_line(&mut out, name.as_str(), value.as_bytes());
    }
    write_line(&mut out, X_REQUEST_ID.as_str(), request_id.as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    Bytes::from(out)
}
