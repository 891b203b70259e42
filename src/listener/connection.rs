//! One connection from its first byte to its last: conversations, the rests between them, and an end without loss. Knows
//! no HTTP.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::place::{End, Place};
use super::pulse::Cut;
use super::transport::Transport;
use super::wire::Wire;
use super::{Handler, Unread, http1, http2};

/// How long a connection's last words may take, and how long after them a client may go on sending.
const LINGER: Duration = Duration::from_secs(30);

/// Serves the handler of `place` on `transport` until either side is done with it.
pub(super) async fn drive<H: Handler>(transport: Transport, place: Place<'_, H>) {
    let wire = Rc::new(RefCell::new(Wire::new(transport, Instant::now())));
    let speaks_http2 = wire.borrow().agreed_on_http2()
        || place.h2c && http2::is_begun(&wire, cut(&wire, &place)).await;
    let end = if speaks_http2 {
        Box::pin(http2::talk(&wire, &place)).await
    } else {
        converse(&wire, &place).await
    };
    // A handler that kept a body keeps the connection.
    if let Some(wire) = Rc::into_inner(wire) {
        finish(wire.into_inner(), end, &place).await;
    }
}

/// Answers in HTTP/1 until either side is done.
async fn converse<H: Handler>(wire: &Rc<RefCell<Wire>>, place: &Place<'_, H>) -> End {
    loop {
        // On the heap, with all that answering takes, which goes while the client rests.
        match Box::pin(http1::talk(wire, place)).await {
            End::Rest => {
                if let Some(cut) = rest(wire, place).await {
                    return End::Cut(cut);
                }
            }
            end => return end,
        }
    }
}

/// Waits until the client says something, or until the connection is to be cut.
async fn rest<H>(wire: &RefCell<Wire>, place: &Place<'_, H>) -> Option<Cut> {
    tokio::select! {
        biased;
        cut = cut(wire, place) => Some(cut),
        () = poll_fn(|cx| wire.borrow().poll_readable(cx)) => None,
    }
}

/// Waits until the connection is to be cut, because of its times or because the worker stops.
async fn cut<H>(wire: &RefCell<Wire>, place: &Place<'_, H>) -> Cut {
    let told = place.stop.told();
    if place.stop.is_set() {
        return Cut::Idle;
    }
    let over = async {
        loop {
            let due = wire.borrow().pulse.due(place.limits, Instant::now());
            match due {
                Ok(cut) => return cut,
                Err(later) => sleep_until(later).await,
            }
        }
    };
    tokio::select! {
        cut = over => cut,
        () = told => Cut::Idle,
    }
}

/// Ends a connection, with its last words if there are any.
async fn finish<H: Handler>(mut wire: Wire, end: End, place: &Place<'_, H>) {
    // A client that is gone, or stays but takes nothing, needs no last words.
    let parting = Box::pin(part(&mut wire, end, place));
    let _: Result<io::Result<()>, _> = timeout(LINGER, parting).await;
}

async fn part<H: Handler>(wire: &mut Wire, end: End, place: &Place<'_, H>) -> io::Result<()> {
    let last_words = match end {
        End::Refused(unread) => Some(unread),
        End::Cut(Cut::SlowHead) => Some(Unread::TooSlow),
        End::Over => None,
        // Nothing is on its way that closing could lose.
        End::Rest | End::Cut(Cut::Idle) => return wire.shutdown().await,
        End::Cut(Cut::Blocked) | End::Gone => return Ok(()),
    };
    if let Some(unread) = last_words {
        wire.say(&place.handler.refuse(unread, place.peer)).await?;
    }
    wire.linger().await
}

#[cfg(test)]
mod tests;
