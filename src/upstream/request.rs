//! A request on its way out: head, body, framing. Knows nothing of the answer.

use std::io::IoSlice;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::body::{BodyCut, SealedBody};
use super::connection::Connection;
use super::fastcgi::{END_OF_INPUT, MOST_CONTENT, Run, input};
use super::seal::Sealed;

/// What ends a chunk.
const CRLF: Bytes = Bytes::from_static(b"\r\n");
/// What ends a body in chunks.
const LAST_CHUNK: Bytes = Bytes::from_static(b"0\r\n\r\n");

/// What of a request has still to be sent.
#[derive(Debug)]
pub(super) struct Request {
    head: Vec<u8>,
    /// How much of the head is out.
    gone: usize,
    /// What goes out next behind it: what frames and makes up a piece of the body.
    pieces: [Bytes; 3],
    body: SealedBody,
    is_to_head: bool,
    wrapping: Wrapping,
    /// The script that answers, if one does.
    run: Option<Box<Run>>,
    progress: Progress,
    is_deaf: bool,
    moved_at: Instant,
    /// How long a client may let its body rest.
    patience: Duration,
}

/// What is put around the pieces of a body.
#[derive(Debug)]
enum Wrapping {
    Nothing,
    Chunks,
    /// Records of FastCGI, each of which takes only so much: this is what is left of a piece.
    Records(Bytes),
}

/// How much of a request is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Nothing,
    /// All that one write took.
    Some,
    /// What several writes took, with waiting between them.
    Much,
}

impl Request {
    /// A request of which nothing is out yet at `now`. A client may let its body rest for `patience`.
    pub(super) fn new(sealed: Sealed, patience: Duration, now: Instant) -> Self {
        let is_to_head = sealed.is_to_head();
        let (mut head, body, run) = sealed.into_parts();
        let wrapping = match (&run, body.length()) {
            (None, Some(_)) => Wrapping::Nothing,
            (None, None) => Wrapping::Chunks,
            (Some(_), _) => Wrapping::Records(Bytes::new()),
        };
        if run.is_some() && body.is_empty() {
            head.extend_from_slice(&END_OF_INPUT);
        }
        Self {
            head,
            gone: 0,
            pieces: [Bytes::new(), Bytes::new(), Bytes::new()],
            is_to_head,
            wrapping,
            run,
            body,
            progress: Progress::Nothing,
            is_deaf: false,
            moved_at: now,
            patience,
        }
    }

    /// Sends as much as goes, until all is out. A server that is gone is left to reading to tell: what it said before it
    /// went comes first, for one that refuses a large body often answers and closes at once, and the next write fails.
    pub(super) fn poll_send(
        &mut self,
        connection: &mut Connection,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyCut>> {
        loop {
            // A piece that is there already goes out together with what stands before it.
            let piece = self.poll_piece(cx)?;
            while self.is_any_left() && !self.is_deaf {
                ready!(self.poll_write(connection, cx));
            }
            let flushed = self.poll_flush(connection, cx);
            if self.is_sent() {
                return flushed.map(Ok);
            }
            ready!(piece);
        }
    }

    /// Whether all of it is out, or nobody listens any more.
    pub(super) fn is_sent(&self) -> bool {
        self.is_deaf || (self.body.is_empty() && !self.is_any_left() && !self.is_any_kept())
    }

    /// Whether the server was gone before anything of it was out.
    pub(super) fn is_unsent(&self) -> bool {
        self.is_deaf && self.progress == Progress::Nothing
    }

    /// Whether the server took it all.
    pub(super) fn is_taken(&self) -> bool {
        self.is_sent() && !self.is_deaf
    }

    /// The same request for another connection at `now`, if it is unsent, or may be sent again and has no body.
    pub(super) fn again(self, now: Instant) -> Self {
        Self {
            gone: 0,
            progress: Progress::Nothing,
            is_deaf: false,
            moved_at: now,
            ..self
        }
    }

    /// Whether the answer to it has no body, whatever its head says.
    pub(super) fn is_to_head(&self) -> bool {
        self.is_to_head
    }

    /// The script that answers, if one does.
    pub(super) fn run(&self) -> Option<&Run> {
        self.run.as_deref()
    }

    /// Whether it is the client's turn to send more of the body.
    pub(super) fn is_awaited(&self) -> bool {
        self.body.is_awaited()
    }

    /// When it last went on: a piece of the body came, or some of it was taken.
    pub(super) fn moved_at(&self) -> Instant {
        self.moved_at
    }

    /// Takes the next piece of the body, once the one before is out.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyCut>> {
        let [_, data, end] = &self.pieces;
        if data.has_remaining() || end.has_remaining() {
            return Poll::Ready(Ok(()));
        }
        if self.body.is_empty() || self.is_any_kept() {
            self.wrap_kept();
            return Poll::Ready(Ok(()));
        }
        let piece = ready!(self.body.poll_piece(self.patience, cx))?;
        if self.progress != Progress::Nothing {
            self.moved_at = Instant::now();
        }
        let [size, data, end] = &mut self.pieces;
        match &mut self.wrapping {
            Wrapping::Nothing => {}
            Wrapping::Chunks => {
                if !piece.is_empty() {
                    *size = Bytes::from(format!("{:x}\r\n", piece.len()));
                    *end = CRLF;
                }
                if self.body.is_empty() {
                    *end = if piece.is_empty() {
                        LAST_CHUNK
                    } else {
                        Bytes::from_static(b"\r\n0\r\n\r\n")
                    };
                }
            }
            Wrapping::Records(kept) => {
                if piece.is_empty() {
                    *end = END_OF_INPUT;
                }
                *kept = piece;
                self.wrap_kept();
                return Poll::Ready(Ok(()));
            }
        }
        *data = piece;
        Poll::Ready(Ok(()))
    }

    /// Makes a record of what is kept, as much as one takes.
    fn wrap_kept(&mut self) {
        let Wrapping::Records(kept) = &mut self.wrapping else {
            return;
        };
        if kept.is_empty() {
            return;
        }
        let content = kept.split_to(kept.len().min(MOST_CONTENT));
        let is_last = kept.is_empty() && self.body.is_empty();
        let end = if is_last { END_OF_INPUT } else { Bytes::new() };
        self.pieces = [input(content.len()), content, end];
    }

    /// Whether some of a piece waits for a record of its own.
    fn is_any_kept(&self) -> bool {
        match &self.wrapping {
            Wrapping::Records(kept) => kept.has_remaining(),
            Wrapping::Nothing | Wrapping::Chunks => false,
        }
    }

    fn poll_write(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<()> {
        let [size, data, end] = &self.pieces;
        let slices = [self.head_left(), size, data, end].map(IoSlice::new);
        let has_body = self.pieces.iter().any(Bytes::has_remaining);
        let slices = slices
            .get(..if has_body { 4 } else { 1 })
            .unwrap_or_default();
        match ready!(connection.poll_write(slices, cx)) {
            Ok(mut count) if count > 0 => {
                let of_head = count.min(self.head_left().len());
                self.gone += of_head;
                count -= of_head;
                for piece in &mut self.pieces {
                    let taken = count.min(piece.remaining());
                    piece.advance(taken);
                    count -= taken;
                }
                if self.progress == Progress::Much || !self.is_sent() {
                    self.progress = Progress::Much;
                    self.moved_at = Instant::now();
                } else {
                    self.progress = Progress::Some;
                }
            }
            Ok(_) | Err(_) => {
                self.is_deaf = true;
                if !connection.fails_whole() {
                    self.progress = Progress::Much;
                }
            }
        }
        Poll::Ready(())
    }

    /// What TLS keeps back goes out before anything is waited for.
    fn poll_flush(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(connection.poll_flush(cx)).is_err() {
            self.is_deaf = true;
        }
        Poll::Ready(())
    }

    fn is_any_left(&self) -> bool {
        !self.head_left().is_empty() || self.pieces.iter().any(Bytes::has_remaining)
    }

    fn head_left(&self) -> &[u8] {
        self.head.get(self.gone..).unwrap_or_default()
    }
}
