//! One connection of the generator, whatever it speaks. Knows nothing of time.

use std::io;

use super::http1::Http1;
use super::http2::Http2;
use super::plan::Protocol;
use super::requests::Requests;
use super::stream::Stream;
use super::tls::Terms;

/// A connection with at most one request under way on each of its streams; HTTP/1.1 has one.
pub(super) enum Connection {
    Http1(Http1),
    Http2(Box<Http2>),
}

/// An answer that was read to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) stream: usize,
    pub(super) status: u16,
    pub(super) body_bytes: u64,
    /// Whether the connection is of no use any more.
    pub(super) closes: bool,
}

impl Connection {
    /// Speaks `protocol` on `stream`.
    ///
    /// # Errors
    ///
    /// The other side does not speak HTTP/2 that was asked for.
    pub(super) fn open(stream: Stream, protocol: Protocol) -> io::Result<Self> {
        Ok(match protocol {
            Protocol::Http1 => Self::Http1(Http1::new(stream)),
            Protocol::Http2 { streams } => Self::Http2(Box::new(Http2::open(stream, streams)?)),
        })
    }

    /// What it agreed on, if that is TLS.
    pub(super) fn terms(&self) -> Option<Terms> {
        match self {
            Self::Http1(http1) => http1.terms(),
            Self::Http2(http2) => http2.terms(),
        }
    }

    /// The streams that have a request under way.
    pub(super) fn under_way(&self) -> Vec<usize> {
        match self {
            Self::Http1(http1) if http1.is_idle() => Vec::new(),
            Self::Http1(_) => vec![0],
            Self::Http2(http2) => http2.under_way(),
        }
    }

    /// Gives back the memory of buffers, for a connection that only waits from now on.
    pub(super) fn rest(&mut self) {
        if let Self::Http1(http1) = self {
            http1.rest();
        }
    }

    /// Begins the request with this number on `stream`.
    pub(super) fn ask(
        &mut self,
        stream: usize,
        number: usize,
        requests: &Requests,
    ) -> io::Result<()> {
        match self {
            Self::Http1(http1) => http1.ask(number, requests),
            Self::Http2(http2) => http2.ask(stream, number, requests),
        }
    }

    /// Goes on as far as the socket does; `answers` gets those that are whole now.
    ///
    /// # Errors
    ///
    /// The connection has ended, or what it carries is not HTTP.
    pub(super) fn work(
        &mut self,
        is_closing: bool,
        requests: &Requests,
        answers: &mut Vec<Answer>,
    ) -> io::Result<()> {
        match self {
            Self::Http1(http1) => answers.extend(http1.work(is_closing, requests)?),
            Self::Http2(http2) => http2.work(answers)?,
        }
        Ok(())
    }

    /// Says that nothing more will be asked; to close the socket is the drop's work.
    pub(super) fn close(self) {
        if let Self::Http1(http1) = self {
            http1.close();
        }
    }
}
