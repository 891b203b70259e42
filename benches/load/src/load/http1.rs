//! HTTP/1.1 on one connection of the generator: a request at a time, and how far its answer is. Knows nothing of time.

use std::io::{self, ErrorKind};

use super::connection::Answer;
use super::requests::Requests;
use super::stream::Stream;
use super::tls::Terms;
use crate::wire::{self, Body};

/// What is read at a time, and the longest head.
const INPUT: usize = 32 << 10;
/// A body that has more to come than this is thrown away unread.
const WORTH_SKIPPING: u64 = 8 << 10;

/// A connection with at most one request under way.
pub(super) struct Http1 {
    stream: Stream,
    input: Vec<u8>,
    filled: usize,
    phase: Phase,
}

/// How far the request is.
enum Phase {
    /// None is under way.
    Idle,
    /// The request is being written: its number, and how much of it is.
    Writing(usize, usize),
    /// The head of the answer is being read.
    Head,
    /// The body of the answer is being read.
    Body(Answer, Body),
}

impl Http1 {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: vec![0; INPUT],
            filled: 0,
            phase: Phase::Idle,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    pub(super) fn terms(&self) -> Option<Terms> {
        self.stream.terms()
    }

    /// Says that nothing more will be asked.
    pub(super) fn close(mut self) {
        self.stream.close();
    }

    /// Gives back the memory of the buffer, for a connection that only waits from now on.
    pub(super) fn rest(&mut self) {
        self.input = Vec::new();
    }

    /// Begins the request with this number.
    pub(super) fn ask(&mut self, number: usize, requests: &Requests) -> io::Result<()> {
        self.phase = Phase::Writing(number, 0);
        self.write(requests)
    }

    /// Goes on as far as the socket does; the answer if it is whole now.
    ///
    /// # Errors
    ///
    /// The connection has ended, or what it carries is not HTTP.
    pub(super) fn work(
        &mut self,
        is_closing: bool,
        requests: &Requests,
    ) -> io::Result<Option<Answer>> {
        self.write(requests)?;
        loop {
            let is_drained = match self.read() {
                Ok(is_drained) => is_drained && !is_closing,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // What was read may have ended a handshake, after which there is no other sign to write.
                    return self.write(requests).map(|()| None);
                }
                Err(error) => return Err(error),
            };
            if let Some(answer) = self.step()? {
                return Ok(Some(answer));
            }
            if is_drained {
                return Ok(None);
            }
        }
    }

    fn write(&mut self, requests: &Requests) -> io::Result<()> {
        while let Phase::Writing(number, written) = &mut self.phase {
            let parts = requests.parts(*number, *written);
            if parts.iter().all(|part| part.is_empty()) {
                self.phase = Phase::Head;
                break;
            }
            match self.stream.write(parts) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match self.stream.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads once; true if the socket has nothing more for now.
    fn read(&mut self) -> io::Result<bool> {
        let certain = match &self.phase {
            Phase::Body(_, body) => body.certain(),
            _ => 0,
        };
        let room = self.input.len() - self.filled;
        let (count, room) = if certain > WORTH_SKIPPING && self.filled == 0 {
            let room = usize::try_from(certain).unwrap_or(INPUT).min(INPUT);
            let count = self
                .stream
                .skip(self.input.get_mut(..room).unwrap_or_default())?;
            self.skipped(count as u64);
            (count, room)
        } else {
            let count = self
                .stream
                .read(self.input.get_mut(self.filled..).unwrap_or_default())?;
            self.filled += count;
            (count, room)
        };
        match count {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count < room && self.stream.is_plain()),
        }
    }

    fn skipped(&mut self, count: u64) {
        if let Phase::Body(answer, body) = &mut self.phase {
            body.skip(count);
            answer.body_bytes += count;
        }
    }

    /// Goes on with what was read; the answer if it is whole.
    fn step(&mut self) -> io::Result<Option<Answer>> {
        let input = self.input.get(..self.filled).unwrap_or_default();
        let mut used = 0;
        if matches!(self.phase, Phase::Head | Phase::Writing(..)) {
            let Some(head) = wire::answer(input).map_err(io::Error::other)? else {
                return Ok(None);
            };
            used = head.length;
            let answer = Answer {
                stream: 0,
                status: head.what,
                body_bytes: 0,
                closes: head.closes,
            };
            self.phase = Phase::Body(answer, head.body);
        }
        let Phase::Body(answer, body) = &mut self.phase else {
            return Err(io::Error::other("bytes that nobody asked for"));
        };
        let of_body = body
            .take(input.get(used..).unwrap_or_default())
            .map_err(io::Error::other)?;
        answer.body_bytes += of_body as u64;
        used += of_body;
        let whole = body.has_ended().then_some(*answer);
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        if whole.is_some() {
            self.phase = Phase::Idle;
        }
        Ok(whole)
    }
}
