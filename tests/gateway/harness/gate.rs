//! The order of things that happen on several threads.

use std::sync::{Arc, Condvar, Mutex};

use super::LONGEST;

/// Where one thread waits until another lets it pass. Clones are one and the same; once open, it stays open.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open.
    pub fn wait(&self) {
        let is_open = self.0.0.lock().unwrap();
        let waited = self
            .0
            .1
            .wait_timeout_while(is_open, LONGEST, |is_open| !*is_open);
        assert!(*waited.unwrap().0, "nobody opened the gate");
    }
}
