//! The end of a worker: told to every connection, and awaited from every one. Knows no sockets.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Whether a worker is stopping. It belongs to one thread, so that looking at it costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Stop(Rc<State>);

#[derive(Debug, Default)]
struct State {
    is_set: Cell<bool>,
    told: Notify,
    left: Notify,
}

impl Stop {
    /// Tells every connection.
    pub fn set(&self) {
        self.0.is_set.set(true);
        self.0.told.notify_waiters();
    }

    /// Whether the worker is stopping.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set.get()
    }

    /// Wakes who polled it once when the worker stops.
    pub(super) fn told(&self) -> Notified<'_> {
        self.0.told.notified()
    }

    /// Waits until the worker stops.
    pub async fn wait(&self) {
        let told = self.told();
        if !self.is_set() {
            told.await;
        }
    }

    /// Says that a connection has ended.
    pub(super) fn left(&self) {
        self.0.left.notify_waiters();
    }

    /// Waits until `is_empty`, which is asked again whenever a connection has ended.
    pub(super) async fn drained(&self, is_empty: impl Fn() -> bool) {
        loop {
            let left = self.0.left.notified();
            if is_empty() {
                return;
            }
            left.await;
        }
    }
}
