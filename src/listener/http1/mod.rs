//! HTTP/1.1 with a client: a request is read, its handler asked, its answer written, and so on. Knows nothing of what a
//! request means.

mod answer;
mod body;
mod outgoing;
mod request;
mod watch;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body::Body as _;
use tokio::time::{Instant, sleep_until};

use super::place::{End, Place};
use super::wire::Wire;
use super::{Answer, Asked, Handler};
use crate::wire::inflow::Source as _;

use answer::{Bounds, Told};
use body::Body;
use outgoing::{Outgoing, Ready};
use request::{Reading, Request};
use watch::Watch;

/// What is read at once where little is expected, in bytes.
const SIP: usize = 8 * 1024;
/// What of a body is worth reading away to keep a connection, in bytes.
const LEFTOVER: u64 = 64 * 1024;

/// A conversation on one connection. It is on the heap while it lasts, and rests when it is not needed.
struct Conversation<'a, 's, H> {
    place: &'a Place<'s, H>,
    wire: &'a Rc<RefCell<Wire>>,
    watch: Watch<'a, 's>,
    reading: Reading,
    out: Outgoing,
}

/// Answers requests until the connection is over or rests.
pub(super) async fn talk<H: Handler>(wire: &Rc<RefCell<Wire>>, place: &Place<'_, H>) -> End {
    let mut conversation = Conversation {
        place,
        wire,
        watch: Watch {
            limits: place.limits,
            rounds: place.rounds,
            stop: place.stop,
            alarm: pin!(sleep_until(place.rounds.next(place.limits, Instant::now()))),
            told: pin!(place.stop.told()),
            waker: None,
        },
        reading: Reading::default(),
        out: Outgoing::default(),
    };
    loop {
        if let Err(end) = conversation.turn().await {
            wire.borrow_mut().let_go();
            return end;
        }
    }
}

impl<H: Handler> Conversation<'_, '_, H> {
    /// One request and its answer.
    async fn turn(&mut self) -> Result<(), End> {
        let head = poll_fn(|cx| self.poll_head(cx)).await?;
        let request = Request::parse(&head).map_err(End::Refused)?;
        drop(head);
        self.wire.borrow_mut().pulse.asked();
        let mut bounds = Bounds {
            is_http_1_1: request.is_http_1_1,
            is_to_head: request.head.method == Method::HEAD,
            keeps_alive: request.keeps_alive,
        };
        let body = Body::of(self.wire, request.body, request.awaits_leave);
        let asked = Asked {
            head: request.head,
            body: Body::inflow(body.as_ref()),
            at: Instant::now(),
        };
        let answer = self.ask(asked, body.as_deref()).await?;
        bounds.keeps_alive &= !self.place.stop.is_set() && may_follow(body.as_ref());
        let keeps_alive = self.tell(answer, bounds, body.as_deref()).await?;
        if !keeps_alive {
            return Err(End::Over);
        }
        if let Some(body) = body {
            self.clean_up(&body).await?;
        }
        self.wire.borrow_mut().pulse.answered(Instant::now());
        Ok(())
    }

    /// Waits for the head of a request.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, End>> {
        let wire = &mut *self.wire.borrow_mut();
        loop {
            let most = self.place.limits.max_header_bytes;
            let taken = self.reading.take(&mut wire.buffer, most);
            if let Some(head) = taken.map_err(End::Refused)? {
                return Poll::Ready(Ok(head));
            }
            match wire.poll_fill(SIP, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(End::Over)),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Gone)),
                Poll::Pending => {
                    if !wire.buffer.is_empty() {
                        wire.pulse.began(Instant::now());
                    }
                    let end = ready!(self.watch.poll(&wire.pulse, cx));
                    return Poll::Ready(Err(end));
                }
            }
        }
    }

    /// Lets the handler answer, unless the client goes away meanwhile.
    async fn ask(&mut self, asked: Asked, body: Option<&Body>) -> Result<Answer<H::Body>, End> {
        let place = self.place;
        let mut handling = pin!(place.handler.handle(asked, place.peer));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = handling.as_mut().poll(cx) {
                return Poll::Ready(Ok(answer));
            }
            self.poll_gone(body, cx).map(Err)
        })
        .await
    }

    /// Writes an answer, and tells whether another request may follow.
    async fn tell(
        &mut self,
        answer: Answer<H::Body>,
        bounds: Bounds,
        request_body: Option<&Body>,
    ) -> Result<bool, End> {
        let Answer { response, passing } = answer;
        let (head, body) = response.into_parts();
        if let Some(body) = request_body {
            self.out.first.extend_from_slice(body.withhold_leave());
        }
        let length = body.size_hint().exact();
        let dated = (self.place.dates, Instant::now());
        let told = answer::write(
            &mut self.out.first,
            (&head, &passing),
            length,
            bounds,
            dated,
        );
        drop((head, passing));
        let Told {
            body: mut framed,
            keeps_alive,
        } = told;
        let mut body = Some(body);
        poll_fn(|cx| {
            loop {
                let gathered = self.out.poll_gather(&mut body, &mut framed, cx);
                if self.poll_out(cx)?.is_pending() {
                    return self.watch.poll(&self.wire.borrow().pulse, cx).map(Err);
                }
                match gathered {
                    Poll::Ready(Ready::Some) => {}
                    Poll::Ready(Ready::All) => return Poll::Ready(Ok(keeps_alive)),
                    Poll::Ready(Ready::Broken) => return Poll::Ready(Err(End::Over)),
                    Poll::Pending => return self.poll_gone(request_body, cx).map(Err),
                }
            }
        })
        .await
    }

    /// Writes what is ready, to the last byte.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let wire = &mut *self.wire.borrow_mut();
        ready!(self.out.poll_write(wire, cx)).map_err(|_| End::Gone)?;
        wire.poll_flush(cx).map_err(|_| End::Gone)
    }

    /// Reads away what is left of a request's body, if that is worth it.
    async fn clean_up(&mut self, body: &Body) -> Result<(), End> {
        if body.is_done() {
            return Ok(());
        }
        if !body.is_nearly_done(LEFTOVER) {
            return Err(End::Over);
        }
        self.wire.borrow_mut().pulse.cleans_up(Instant::now());
        poll_fn(|cx| {
            loop {
                match body.poll_data(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(End::Over)),
                    Poll::Ready(None) => return Poll::Ready(Ok(())),
                    Poll::Pending => {
                        return self.watch.poll(&self.wire.borrow().pulse, cx).map(Err);
                    }
                }
            }
        })
        .await
    }

    /// Notices that the client is gone, once nothing more of its request has to come. What it sends ahead is kept, and
    /// then it is not looked for any more.
    fn poll_gone(&mut self, body: Option<&Body>, cx: &mut Context<'_>) -> Poll<End> {
        let wire = &mut *self.wire.borrow_mut();
        if !wire.buffer.is_empty() || body.is_some_and(|body| !body.is_done()) {
            return Poll::Pending;
        }
        // To ask whether there is anything costs less than to try to read it.
        ready!(wire.poll_readable(cx));
        match ready!(wire.poll_fill(SIP, cx)) {
            Ok(1..) => Poll::Pending,
            Ok(0) | Err(_) => Poll::Ready(End::Gone),
        }
    }
}

/// Whether another request may come behind this body, as far as can be told before its answer.
fn may_follow(body: Option<&Rc<Body>>) -> bool {
    body.is_none_or(|body| {
        let is_still_read = Rc::strong_count(body) > 1;
        body.is_done() || is_still_read || body.is_nearly_done(LEFTOVER)
    })
}

#[cfg(test)]
mod tests;
