//! The clock beside a conversation, and the word that the worker stops. Knows no bytes.

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::futures::Notified;
use tokio::time::{Instant, Sleep};

use crate::listener::place::{End, Rounds};
use crate::listener::pulse::{Cut, Pulse};
use crate::listener::{ConnectionLimits, Stop};

/// Looks at a pulse now and then: often enough for every time that it keeps, and never because of one request.
pub(super) struct Watch<'a, 's> {
    pub(super) limits: &'a ConnectionLimits,
    pub(super) rounds: &'a Rounds,
    pub(super) stop: &'a Stop,
    pub(super) alarm: Pin<&'a mut Sleep>,
    pub(super) told: Pin<&'a mut Notified<'s>>,
    /// Who is woken when there is something to look at.
    pub(super) waker: Option<Waker>,
}

impl Watch<'_, '_> {
    /// Waits until the pulse says that the conversation is to end.
    pub(super) fn poll(&mut self, pulse: &Pulse, cx: &mut Context<'_>) -> Poll<End> {
        if self.stop.is_set() && pulse.is_quiet() {
            return Poll::Ready(End::Cut(Cut::Idle));
        }
        let is_heard = self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if is_heard && !self.alarm.is_elapsed() {
            // To say once more who is to be woken would cost more than all else here.
            return Poll::Pending;
        }
        self.listen(cx);
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let now = Instant::now();
            match pulse.due(self.limits, now) {
                Ok(cut) => return Poll::Ready(End::Cut(cut)),
                Err(_) if pulse.rests(self.limits, now) => return Poll::Ready(End::Rest),
                Err(later) => {
                    let next = self.rounds.next(self.limits, now);
                    self.alarm.as_mut().reset(later.min(next));
                }
            }
        }
    }

    fn listen(&mut self, cx: &mut Context<'_>) {
        self.waker = Some(cx.waker().clone());
        // The cell says the rest.
        let _ = self.told.as_mut().poll(cx);
    }
}
