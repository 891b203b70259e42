//! HTTP/2 with a client: the library reads and writes frames, and each stream is a request and its answer. Knows nothing
//! of what a request means.

mod bell;
mod body;
mod cursor;
mod frames;
mod heads;
mod limits;
mod pace;
mod request;
mod stream;
mod tap;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::place::{End, Place};
use super::pulse::Cut;
use super::wire::Wire;
use super::{Handler, Unread};

use bell::Bell;
use frames::Outline;
use pace::Pace;
use stream::Ended;
use tap::Tap;

/// What a client says first, so that no server of HTTP/1 takes it for a request.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How many requests more a client may abandon than it waits for. Abandoning what was just asked is a way to have work
/// done without waiting for it (CVE-2023-44487).
const MOST_ABANDONED: usize = 100;

/// A conversation on one connection.
struct Conversation<'a, 's, H> {
    place: &'a Place<'s, H>,
    wire: &'a RefCell<Wire>,
    outline: Rc<RefCell<Outline>>,
    connection: Connection<Tap, Bytes>,
    /// What is rung when the connection is to be looked at, which costs much more than an answer that is not ready.
    frames: Bell,
    /// What is rung when an answer may go on.
    answers: Bell,
    pace: Pace,
    alarm: Pin<&'a mut Sleep>,
    told: Pin<&'a mut Notified<'s>>,
    /// Who is woken by the alarm and the word that the worker stops.
    waker: Option<Waker>,
    abandoned: usize,
    /// How far the end has come.
    ending: Ending,
}

/// How far the end of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// It goes on.
    Not,
    /// The client was told to ask nothing more here.
    Soft,
    /// The client was told that it is over.
    Hard,
}

/// Whether a client that may speak HTTP/1 as well begins with HTTP/2, unless it is `cut` before that is clear.
pub(super) async fn is_begun(wire: &RefCell<Wire>, cut: impl Future<Output = Cut>) -> bool {
    let mut cut = pin!(cut);
    poll_fn(|cx| {
        loop {
            let mut wire = wire.borrow_mut();
            let there = wire.buffer.len().min(PREFACE.len());
            if !PREFACE.starts_with(wire.buffer.get(..there).unwrap_or_default()) {
                return Poll::Ready(false);
            }
            if there == PREFACE.len() {
                return Poll::Ready(true);
            }
            match wire.poll_fill(PREFACE.len(), cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                Poll::Pending => break,
            }
        }
        cut.as_mut().poll(cx).map(|_| false)
    })
    .await
}

/// Answers requests until the connection is over.
pub(super) async fn talk<H: Handler>(wire: &Rc<RefCell<Wire>>, place: &Place<'_, H>) -> End {
    // The times of HTTP/2 are kept here, but for that in which something is taken.
    wire.borrow_mut().pulse.asked();
    let mut told = pin!(place.stop.told());
    if place.stop.is_set() {
        return End::Cut(Cut::Idle);
    }
    let outline = Rc::new(RefCell::new(Outline::new()));
    let greeting = limits::builder(place.limits).handshake(Tap::new(wire, &outline));
    let greeting = timeout(place.limits.header_timeout, greeting);
    let greeted = tokio::select! {
        greeted = greeting => greeted,
        () = &mut told => return End::Cut(Cut::Idle),
    };
    let connection = match greeted {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return failed(&error, place),
        Err(_) => return End::Cut(Cut::Idle),
    };
    let now = Instant::now();
    let conversation = Conversation {
        place,
        wire,
        outline,
        connection,
        frames: Bell::rung(),
        answers: Bell::rung(),
        pace: Pace::new(now),
        alarm: pin!(sleep_until(now + place.limits.header_timeout)),
        told,
        waker: None,
        abandoned: 0,
        ending: Ending::Not,
    };
    conversation.go_on().await
}

/// Writes down why a connection failed below HTTP.
fn failed<H: Handler>(error: &h2::Error, place: &Place<'_, H>) -> End {
    tracing::debug!(%error, "a connection of HTTP/2 failed");
    if error.is_io() {
        return End::Gone;
    }
    // What its client did is to be seen by whoever reads access lines.
    if error.is_library() {
        let is_flood = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
        tell(
            if is_flood {
                Unread::Flood
            } else {
                Unread::BadFrames
            },
            place,
        );
    }
    End::Over
}

/// Tells of something that never became a request, and whose client was told by the frames of HTTP/2.
fn tell<H: Handler>(unread: Unread, place: &Place<'_, H>) {
    let _ = place.handler.refuse(unread, place.peer);
}

impl<H: Handler> Conversation<'_, '_, H> {
    /// Answers requests until the connection is over, and drops what is not answered by then.
    async fn go_on(mut self) -> End {
        let place = self.place;
        let mut streams = FuturesUnordered::new();
        poll_fn(|cx| {
            self.frames.hush();
            self.answers.hush();
            loop {
                let mut has_had_enough = false;
                if self.frames.take() {
                    let begin = |request, respond| {
                        streams.push(Box::pin(stream::serve(request, respond, place)));
                    };
                    if let Poll::Ready(end) = self.poll_frames(begin) {
                        return Poll::Ready(end);
                    }
                    // Whoever rings while it is looked at wants another turn, and not another look.
                    has_had_enough = self.frames.is_rung();
                }
                self.poll_answers(&mut streams);
                if !has_had_enough && self.frames.is_rung() {
                    continue;
                }
                if self.moves_on(streams.len()) {
                    self.frames.ring();
                    continue;
                }
                if self.frames.listen(cx) | self.answers.listen(cx) {
                    cx.waker().wake_by_ref();
                }
                return self.poll_due(cx);
            }
        })
        .await
    }

    /// Lets the library read and write as far as that goes, and hands what is asked to `begin`.
    fn poll_frames(
        &mut self,
        mut begin: impl FnMut(Request<RecvStream>, SendResponse<Bytes>),
    ) -> Poll<End> {
        let mut cx = Context::from_waker(self.frames.waker());
        loop {
            match self.connection.poll_accept(&mut cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.pace.asked();
                    let stream = respond.stream_id().into();
                    begin(request, respond);
                    self.answers.ring();
                    let mut outline = self.outline.borrow_mut();
                    outline.heads().is_request(stream);
                    // To ask for one that is not there would cost as much as to read it.
                    if outline.heads().are_decided() {
                        return Poll::Pending;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.tell_of_refused();
                    return Poll::Ready(failed(&error, self.place));
                }
                Poll::Ready(None) => return Poll::Ready(End::Over),
                Poll::Pending => {
                    self.tell_of_refused();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Goes on with the answers that can.
    fn poll_answers(&mut self, streams: &mut FuturesUnordered<impl Future<Output = Ended>>) {
        // The library rings as well when it has looked at all of them once: then a second look finds nothing to do.
        for _ in 0..2 {
            if !self.answers.take() {
                return;
            }
            let mut cx = Context::from_waker(self.answers.waker());
            while let Poll::Ready(Some(ended)) = streams.poll_next_unpin(&mut cx) {
                self.abandoned = match ended {
                    Ended::Answered => self.abandoned.saturating_sub(1),
                    Ended::Abandoned => self.abandoned + 1,
                };
            }
        }
    }

    /// Tells of the heads that the library refused, once no request is left that came with them.
    fn tell_of_refused(&self) {
        loop {
            let refused = self.outline.borrow_mut().heads().refused();
            let Some(unread) = refused else { return };
            tell(unread, self.place);
        }
    }

    /// Sees how the connection stands while `open` requests are answered. Tells whether it was told something.
    fn moves_on(&mut self, open: usize) -> bool {
        let now = Instant::now();
        let unfinished = self.outline.borrow().unfinished();
        self.pace.stands(open, unfinished, now);
        let is_too_much = self.outline.borrow().is_flood() || self.abandoned > MOST_ABANDONED;
        match self.pace.due(self.place.limits) {
            _ if is_too_much => self.break_off(Unread::Flood, now),
            Some((at, Cut::SlowHead)) if at <= now => self.break_off(Unread::TooSlow, now),
            Some((at, _)) if at <= now => self.end(Ending::Soft, now),
            _ if self.place.stop.is_set() => self.end(Ending::Soft, now),
            _ => false,
        }
    }

    /// Ends the connection for what its client does.
    fn break_off(&mut self, why: Unread, now: Instant) -> bool {
        let is_told = self.end(Ending::Hard, now);
        if is_told {
            tell(why, self.place);
        }
        is_told
    }

    /// Tells the client that the connection ends, unless it was told that already.
    fn end(&mut self, ending: Ending, now: Instant) -> bool {
        if ending <= self.ending {
            return false;
        }
        self.ending = ending;
        self.pace.leaves(now);
        match ending {
            Ending::Not => {}
            Ending::Soft => self.connection.graceful_shutdown(),
            Ending::Hard => self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
        }
        true
    }

    /// Waits until the connection is to be cut, without another word.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let limits = self.place.limits;
        loop {
            let now = Instant::now();
            let pace = self.pace.due(limits);
            if let Some((_, cut)) = pace.filter(|(at, _)| *at <= now) {
                return Poll::Ready(match cut {
                    // It was told why, if it listens.
                    Cut::SlowHead => End::Gone,
                    Cut::Idle | Cut::Blocked => End::Cut(cut),
                });
            }
            let later = match self.wire.borrow().pulse.due(limits, now) {
                Ok(cut) => return Poll::Ready(End::Cut(cut)),
                Err(later) => later,
            };
            let next = pace.map_or(later, |(at, _)| at.min(later));
            if next < self.alarm.deadline() {
                self.alarm.as_mut().reset(next);
                self.waker = None;
            }
            if !self.is_heard(cx) {
                // The cell says the rest.
                let _ = self.told.as_mut().poll(cx);
                self.waker = Some(cx.waker().clone());
            } else if !self.alarm.is_elapsed() {
                return Poll::Pending;
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.outline.borrow_mut().look();
            self.alarm.as_mut().reset(next.max(now));
            self.waker = None;
        }
    }

    fn is_heard(&self, cx: &Context<'_>) -> bool {
        let waker = self.waker.as_ref();
        waker.is_some_and(|waker| waker.will_wake(cx.waker()))
    }
}

#[cfg(test)]
mod tests;
