//! Which sockets have something to do, edge-triggered: what is reported once must be worked off. Knows nothing of what
//! they carry.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// At most so many sockets are reported at a time.
const MOST_EVENTS: usize = 256;

/// An epoll set.
pub struct Poller {
    set: OwnedFd,
    events: Vec<Event>,
}

/// What is reported of one socket.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The number that the socket was added with.
    pub key: usize,
    /// Whether the other side has gone, so that only reading to the end shows everything.
    pub is_closing: bool,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// The system gives none.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(MOST_EVENTS),
        })
    }

    /// Watches `socket` from now on until it is closed, for reading and writing.
    ///
    /// # Errors
    ///
    /// The system watches no more.
    pub fn add(&self, socket: impl AsFd, key: usize) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.set, socket, EventData::new_u64(key as u64), flags)?;
        Ok(())
    }

    /// Watches `listener` for connections, as long as one waits.
    ///
    /// # Errors
    ///
    /// The system watches no more.
    pub fn add_listener(&self, listener: impl AsFd, key: usize) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        epoll::add(&self.set, listener, data, EventFlags::IN)?;
        Ok(())
    }

    /// Waits until a socket has something to do, but for no longer than `longest`; `ready` gets what was found.
    ///
    /// # Errors
    ///
    /// The set is broken.
    pub fn wait(&mut self, longest: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = longest.and_then(|longest| Timespec::try_from(longest).ok());
        self.events.clear();
        match epoll::wait(
            &self.set,
            spare_capacity(&mut self.events),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let gone = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        ready.clear();
        ready.extend(self.events.iter().map(|&Event { flags, data }| Ready {
            key: usize::try_from(data.u64()).unwrap_or(usize::MAX),
            is_closing: flags.intersects(gone),
        }));
        Ok(())
    }
}
