//! HTTP/2 on one connection of the generator: a few streams at a time, each with a request. Knows nothing of time.
//!
//! h2 is driven by the events of the generator's own loop and needs no runtime: whoever works on the connection polls it
//! until it waits for the socket, which is then reported anew.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::Request;

use super::connection::Answer;
use super::requests::Requests;
use super::stream::Stream;
use super::tls::Terms;

/// As much as browsers let come before they must say that they have read it.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A connection and its streams.
pub(super) struct Http2 {
    connection: Connection<Stream, Bytes>,
    sender: SendRequest<Bytes>,
    streams: Vec<Exchange>,
    terms: Option<Terms>,
    /// What it asks, each time: a connection is of one user, whose headers HPACK says once.
    request: Option<Request<()>>,
    has_more: Arc<HasMore>,
}

/// How far a stream's request is.
enum Exchange {
    /// None is under way.
    Idle,
    /// The head of the answer is awaited.
    Head(ResponseFuture),
    /// The body of the answer is being read.
    Body(Answer, RecvStream),
}

/// Set where h2 has something to do that needs no word from the socket.
#[derive(Default)]
struct HasMore(AtomicBool);

impl Wake for HasMore {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Http2 {
    /// Ends the handshake of `stream`, and says what HTTP/2 begins with.
    pub(super) fn open(mut stream: Stream, streams: usize) -> io::Result<Self> {
        stream.shake_hands()?;
        let terms = stream.terms();
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let begun = pin!(builder.handshake(stream));
        // A socket that nothing was written to has room for it.
        let Poll::Ready(begun) = begun.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err(io::Error::other("the socket takes nothing"));
        };
        let (sender, connection) = begun.map_err(io::Error::other)?;
        Ok(Self {
            connection,
            sender,
            streams: (0..streams).map(|_| Exchange::Idle).collect(),
            terms,
            request: None,
            has_more: Arc::default(),
        })
    }

    pub(super) fn terms(&self) -> Option<Terms> {
        self.terms
    }

    pub(super) fn under_way(&self) -> Vec<usize> {
        let streams = self.streams.iter().enumerate();
        let under_way = streams.filter(|(_, exchange)| !matches!(exchange, Exchange::Idle));
        under_way.map(|(stream, _)| stream).collect()
    }

    /// Begins a request on `stream`: the one with this number, if it is the connection's first.
    pub(super) fn ask(
        &mut self,
        stream: usize,
        number: usize,
        requests: &Requests,
    ) -> io::Result<()> {
        let request = match self.request.take() {
            Some(request) => request,
            None => requests.http2(number)?,
        };
        self.request = Some(request.clone());
        let ready = self
            .sender
            .poll_ready(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(())) = ready else {
            return Err(io::Error::other("the other side allows no more streams"));
        };
        let sent = self.sender.send_request(request, true);
        let (answer, _) = sent.map_err(io::Error::other)?;
        if let Some(exchange) = self.streams.get_mut(stream) {
            *exchange = Exchange::Head(answer);
        }
        self.drive()
    }

    pub(super) fn work(&mut self, answers: &mut Vec<Answer>) -> io::Result<()> {
        self.drive()?;
        for (stream, exchange) in self.streams.iter_mut().enumerate() {
            if let Some(answer) = exchange.go_on(stream)? {
                answers.push(answer);
            }
        }
        if self.has_more.0.load(Ordering::Relaxed) {
            self.drive()?;
        }
        Ok(())
    }

    /// Reads and writes as far as the socket does.
    fn drive(&mut self) -> io::Result<()> {
        let waker = Waker::from(Arc::clone(&self.has_more));
        let mut context = Context::from_waker(&waker);
        loop {
            self.has_more.0.store(false, Ordering::Relaxed);
            match Pin::new(&mut self.connection).poll(&mut context) {
                Poll::Ready(Ok(())) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Err(error)) => return Err(io::Error::other(error)),
                Poll::Pending if self.has_more.0.load(Ordering::Relaxed) => {}
                Poll::Pending => return Ok(()),
            }
        }
    }
}

impl Exchange {
    /// Goes on with what was read; the answer if it is whole.
    fn go_on(&mut self, stream: usize) -> io::Result<Option<Answer>> {
        let mut context = Context::from_waker(Waker::noop());
        if let Self::Head(answer) = self {
            let Poll::Ready(answer) = Pin::new(answer).poll(&mut context) else {
                return Ok(None);
            };
            let (head, body) = answer.map_err(io::Error::other)?.into_parts();
            let answer = Answer {
                stream,
                status: head.status.as_u16(),
                body_bytes: 0,
                closes: false,
            };
            *self = Self::Body(answer, body);
        }
        let Self::Body(answer, body) = self else {
            return Ok(None);
        };
        while let Poll::Ready(piece) = body.poll_data(&mut context) {
            let Some(piece) = piece else {
                let whole = *answer;
                *self = Self::Idle;
                return Ok(Some(whole));
            };
            let length = piece.map_err(io::Error::other)?.len();
            answer.body_bytes += length as u64;
            let released = body.flow_control().release_capacity(length);
            released.map_err(io::Error::other)?;
        }
        Ok(None)
    }
}
