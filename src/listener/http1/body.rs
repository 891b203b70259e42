//! The body of a request, read off the connection as its handler asks for it. Knows nothing of what it says.

use std::cell::{Cell, RefCell};
use std::io::IoSlice;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::SIP;
use crate::listener::wire::Wire;
use crate::wire::framing::Framing;
use crate::wire::inflow::{Broken, Inflow, Source};

/// What is read at once of a body that comes fast, in bytes.
const GULP: usize = 64 * 1024;
/// What tells a client that its body is wanted.
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A body that comes, shared by the conversation and the handler.
#[derive(Debug)]
pub(super) struct Body {
    wire: Rc<RefCell<Wire>>,
    framing: Cell<Framing>,
    /// What of the leave to send it has still to be said; none if no more has to go out.
    leave: Cell<Option<&'static [u8]>>,
    /// How much to read at once, in bytes.
    room: Cell<usize>,
    broken: Cell<Option<Broken>>,
}

impl Body {
    /// What `framing` frames; none if that is nothing.
    pub(super) fn of(
        wire: &Rc<RefCell<Wire>>,
        framing: Framing,
        awaits_leave: bool,
    ) -> Option<Rc<Self>> {
        let body = || Self {
            wire: Rc::clone(wire),
            framing: Cell::new(framing),
            leave: Cell::new(awaits_leave.then_some(GO_ON)),
            room: Cell::new(SIP),
            broken: Cell::new(None),
        };
        (!framing.is_done()).then(|| Rc::new(body()))
    }

    /// The handler's share of it.
    pub(super) fn inflow(body: Option<&Rc<Self>>) -> Inflow {
        match body {
            Some(body) => Inflow::Coming(Rc::<Self>::clone(body)),
            None => Inflow::Empty,
        }
    }

    /// Whether nothing more of it comes.
    pub(super) fn is_done(&self) -> bool {
        self.framing.get().is_done()
    }

    /// Whether what is left of it is no more than `most` bytes, so that the connection may go on behind it.
    pub(super) fn is_nearly_done(&self, most: u64) -> bool {
        let is_short = self.framing.get().left().is_some_and(|left| left <= most);
        is_short && self.leave.get().is_none() && self.broken.get().is_none()
    }

    /// Ends it: a handler that kept its share, against all custom, does not read what comes behind.
    pub(super) fn end(&self) {
        self.broken.set(Some(Broken::Ended));
    }

    /// Does not ask for it any more, since an answer begins and leave to go on would stand within. What goes before the
    /// answer is the rest of leave that was half given.
    pub(super) fn withhold_leave(&self) -> &'static [u8] {
        match self.leave.take() {
            None => &[],
            Some(leave) if leave.len() < GO_ON.len() => leave,
            Some(_) => {
                self.end();
                &[]
            }
        }
    }

    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
        let mut wire = self.wire.borrow_mut();
        loop {
            let mut framing = self.framing.get();
            let data = framing.take(&mut wire.buffer);
            self.framing.set(framing);
            if let Some(data) = data? {
                self.leave.set(None);
                return Poll::Ready(Ok(data));
            }
            if framing.is_done() {
                return Poll::Ready(Ok(Bytes::new()));
            }
            ready!(self.poll_leave(&mut wire, cx))?;
            let left = framing.left().unwrap_or(u64::MAX);
            let left = usize::try_from(left).unwrap_or(GULP);
            let room = left.min(self.room.get()).max(SIP);
            let read = ready!(wire.poll_fill(room, cx)).map_err(|e| Broken::Io(e.kind()))?;
            if read == 0 {
                return Poll::Ready(Err(Broken::Ended));
            }
            // The room that a piece was given is held for as long as the piece.
            let room = if read < room { room / 2 } else { room * 2 };
            self.room.set(room.clamp(SIP, GULP));
        }
    }

    /// Tells a client that waits for it to go on.
    fn poll_leave(&self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while let Some(leave) = self.leave.get() {
            if leave.is_empty() {
                ready!(wire.poll_flush(cx)).map_err(|error| Broken::Io(error.kind()))?;
                self.leave.set(None);
            } else {
                let written = ready!(wire.poll_write(&[IoSlice::new(leave)], cx));
                let written = written.map_err(|error| Broken::Io(error.kind()))?;
                self.leave
                    .set(Some(leave.get(written..).unwrap_or_default()));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Source for Body {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(broken) = self.broken.get() {
            return Poll::Ready(Some(Err(broken)));
        }
        let data = ready!(self.poll_read(cx));
        if let Err(broken) = data {
            self.broken.set(Some(broken));
        }
        Poll::Ready(Some(data).filter(|data| data.as_ref() != Ok(&Bytes::new())))
    }

    fn left(&self) -> Option<u64> {
        self.framing.get().left()
    }
}
