//! The body of a request as its stream brings it. Knows nothing of what it says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Response, StatusCode};

use crate::wire::inflow::{Broken, Source};

/// What a stream is answered with, shared by those who answer and those who ask for its body.
pub(super) type Respond = Rc<RefCell<SendResponse<Bytes>>>;

/// A body that comes. That its length is what was told is the library's to hold.
#[derive(Debug)]
pub(super) struct Body {
    incoming: RefCell<RecvStream>,
    /// How many bytes have still to come, if that was told.
    left: Cell<Option<u64>>,
    /// What tells a client that waits for it to go on.
    leave: RefCell<Option<Respond>>,
    is_broken: Cell<bool>,
}

impl Body {
    /// What `incoming` brings: as many bytes as were told, if they were. A client may wait for `leave` to send them.
    pub(super) fn new(incoming: RecvStream, told: Option<u64>, leave: Option<Respond>) -> Self {
        Self {
            incoming: RefCell::new(incoming),
            left: Cell::new(told),
            leave: RefCell::new(leave),
            is_broken: Cell::new(false),
        }
    }

    fn give_leave(&self) {
        if let Some(respond) = self.leave.take() {
            let mut go_on = Response::new(());
            *go_on.status_mut() = StatusCode::CONTINUE;
            // Too late, or nobody there: both show elsewhere.
            let _ = respond.borrow_mut().send_informational(go_on);
        }
    }
}

impl Source for Body {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self.is_broken.get() {
            return Poll::Ready(Some(Err(Broken::Reset)));
        }
        let mut incoming = self.incoming.borrow_mut();
        let polled = incoming.poll_data(cx);
        if polled.is_pending() {
            self.give_leave();
        }
        Poll::Ready(match ready!(polled) {
            None => {
                self.left.set(Some(0));
                None
            }
            Some(Ok(data)) => {
                // What is taken may be sent anew; a stream that is gone needs no telling.
                let _ = incoming.flow_control().release_capacity(data.len());
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let left = self.left.get();
                self.left.set(left.map(|left| left.saturating_sub(length)));
                Some(Ok(data))
            }
            Some(Err(_)) => {
                self.is_broken.set(true);
                Some(Err(Broken::Reset))
            }
        })
    }

    fn left(&self) -> Option<u64> {
        if self.incoming.borrow().is_end_stream() {
            return Some(0);
        }
        self.left.get()
    }
}
