//! All users and sessions into a state file, while they go on being used. Knows nothing of where the file is.
//!
//! One thread goes over them and says each in bytes, another seals the chunks and writes them. Between them are a few
//! chunks and nothing more, however many sessions there are.

use std::io::Write;
use std::mem;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::super::memory::MemoryStore;
use super::super::sealing::Sealing;
use super::chunk::{self, WriteError, Writer};
use super::record::{self, Kind, Preface, Totals};
use crate::domain::clock::Timestamp;

/// How many chunks may wait to be sealed and written.
const WAITING: usize = 4;

/// Writes all that `store` has, and gives back what it was written to and how much there was.
pub(super) fn save<W: Write + Send>(
    store: &MemoryStore,
    preface: &Preface,
    sealing: Option<&Sealing>,
    now: Timestamp,
    out: W,
) -> Result<(W, Totals), WriteError> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::scope(|scope| {
        let writing = scope.spawn(move || write(out, sealing, now, &receiver));
        let totals = say_all(store, preface, now, sender);
        // The thread does not panic; if it did, so would this one.
        let written = writing
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((written?, totals))
    })
}

fn write<W: Write>(
    out: W,
    sealing: Option<&Sealing>,
    now: Timestamp,
    chunks: &Receiver<Vec<u8>>,
) -> Result<W, WriteError> {
    let mut writer = Writer::begin(out, sealing, now)?;
    for chunk in chunks {
        writer.write(&chunk)?;
    }
    Ok(writer.finish())
}

/// Says everything; less if nobody writes it any more, who then says why.
fn say_all(
    store: &MemoryStore,
    preface: &Preface,
    now: Timestamp,
    sender: SyncSender<Vec<u8>>,
) -> Totals {
    let mut totals = Totals::default();
    let mut filling = Filling::new(sender);
    let _ = filling.say(Kind::Preface, |out| record::put_preface(preface, out));
    // Users before the sessions that are theirs.
    store.users().each(now, |user, until| {
        totals.users += 1;
        filling.say(Kind::Users, |out| record::put_user(user, until, out))
    });
    store.each_session(|digest, session| {
        if session.has_ended(now) {
            return ControlFlow::Continue(());
        }
        totals.sessions += 1;
        filling.say(Kind::Sessions, |out| {
            record::put_digest(digest, out);
            record::put_session(session, out);
        })
    });
    for (digest, until) in store.each_replaced() {
        let said = filling.say(Kind::Replaced, |out| {
            record::put_replaced(&digest, until, out);
        });
        if said.is_break() {
            break;
        }
    }
    let _ = filling.say(Kind::End, |out| record::put_totals(totals, out));
    let _ = filling.send();
    totals
}

/// The chunk that is being filled.
struct Filling {
    sender: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Filling {
    fn new(sender: SyncSender<Vec<u8>>) -> Self {
        Self {
            sender,
            chunk: Vec::new(),
        }
    }

    /// Puts a record into a chunk of its kind; breaks off once nobody takes chunks any more.
    fn say(&mut self, kind: Kind, put: impl FnOnce(&mut Vec<u8>)) -> ControlFlow<()> {
        let is_other = self.chunk.first() != Some(&(kind as u8));
        if is_other || self.chunk.len() >= chunk::USUAL {
            self.send()?;
            self.chunk = Vec::with_capacity(chunk::USUAL + 1024);
            self.chunk.push(kind as u8);
        }
        put(&mut self.chunk);
        ControlFlow::Continue(())
    }

    fn send(&mut self) -> ControlFlow<()> {
        let chunk = mem::take(&mut self.chunk);
        if chunk.is_empty() || self.sender.send(chunk).is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}
