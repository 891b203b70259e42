//! Which heads never became requests: what the library answers by itself shows only in the frames that it sends.

use std::collections::VecDeque;

use h2::Reason;

use super::cursor::Cursor;
use super::frames::{HEADERS, RST_STREAM};
use crate::listener::Unread;

/// How many heads may be undecided: more than there may be requests at a time. Of older ones nothing is told.
const MOST: usize = 256;

/// The heads of a connection of which nobody knows yet whether they are requests.
#[derive(Debug)]
pub(super) struct Heads {
    sent: Cursor,
    /// The streams whose heads came, the oldest first.
    undecided: VecDeque<u32>,
    /// The last stream that was begun.
    last: u32,
    /// Whether one was forgotten.
    is_any_lost: bool,
    /// The streams that were answered before they were asked for, with the reason.
    refused: Vec<(u32, Unread)>,
}

impl Heads {
    pub(super) fn new() -> Self {
        Self {
            sent: Cursor::new(0),
            undecided: VecDeque::new(),
            last: 0,
            is_any_lost: false,
            refused: Vec::new(),
        }
    }

    /// Takes note of a head, or a part of one. What follows a body is none: its stream was begun before.
    pub(super) fn came(&mut self, stream: u32) {
        if stream > self.last {
            self.last = stream;
            self.undecided.push_back(stream);
        }
        if self.undecided.len() > MOST {
            self.undecided.pop_front();
            self.is_any_lost = true;
        }
    }

    /// Takes note of a head that is a request.
    pub(super) fn is_request(&mut self, stream: u32) {
        self.undecided.retain(|undecided| *undecided != stream);
        // Its body may have been refused before it was asked for.
        self.refused.retain(|(refused, _)| *refused != stream);
    }

    /// Whether it is known of all that came what became of them, and was told.
    pub(super) fn are_decided(&self) -> bool {
        self.undecided.is_empty() && self.refused.is_empty() && !self.is_any_lost
    }

    /// Takes note of bytes that went out.
    pub(super) fn note_sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(header) = self.sent.next(&mut bytes) else {
                continue;
            };
            match header.kind {
                HEADERS => self.refuse(header.stream, Unread::HeadersTooLarge),
                // The library writes so short a frame in one piece, or else which of these it is is not told.
                RST_STREAM
                    if bytes.starts_with(&u32::from(Reason::REFUSED_STREAM).to_be_bytes()) =>
                {
                    self.refuse(header.stream, Unread::TooManyAtOnce);
                }
                RST_STREAM => self.refuse(header.stream, Unread::BadStream),
                _ => {}
            }
        }
    }

    /// Why heads never became requests, each told once. Nobody is to be asked any more for what came so far.
    pub(super) fn refused(&mut self) -> Option<Unread> {
        self.refused.pop().map(|(_, reason)| reason)
    }

    fn refuse(&mut self, stream: u32, reason: Unread) {
        let place = self
            .undecided
            .iter()
            .position(|undecided| *undecided == stream);
        if let Some(place) = place {
            self.undecided.remove(place);
            self.refused.push((stream, reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_decided_when_each_is_a_request_or_was_refused_and_told() {
        let mut heads = Heads::new();
        assert!(heads.are_decided());
        heads.came(1);
        heads.came(3);
        heads.is_request(1);
        assert!(!heads.are_decided());
        heads.note_sent(&[0, 0, 4, RST_STREAM, 0, 0, 0, 0, 3, 0, 0, 0, 1]);
        assert!(!heads.are_decided());
        assert_eq!(heads.refused(), Some(Unread::BadStream));
        assert!(heads.are_decided());
    }

    #[test]
    fn heads_of_which_one_was_forgotten_are_never_decided() {
        let mut heads = Heads::new();
        let streams = || (0..=u32::try_from(MOST).unwrap()).map(|n| 2 * n + 1);
        streams().for_each(|stream| heads.came(stream));
        streams().for_each(|stream| heads.is_request(stream));
        assert!(!heads.are_decided());
    }
}
