//! A state file back into a store that is empty: all of it or nothing. Knows nothing of where the file is.
//!
//! One thread reads and opens the chunks, others make users and sessions of them. The sessions are put in order before
//! they go in, so that the least recently used ones are again the first to go.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::super::memory::MemoryStore;
use super::super::sealing::Sealing;
use super::casting::Casting;
use super::chunk::{self, ReadError};
use super::own;
use super::record::{KeptSession, KeptUser, Kind, Malformed, Preface, Totals};
use crate::domain::clock::Timestamp;
use crate::domain::identity::App;
use crate::domain::session::{Session, User};
use crate::domain::token::SkeyDigest;

/// How many chunks may wait to be taken.
const WAITING: usize = 4;
/// The most threads that take them.
const MOST_THREADS: usize = 4;
/// How many sessions a thread puts into the store before another may go on: so far apart may those come to be that were
/// used one after the other.
const AT_ONCE: usize = 64;

/// What came of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// Sessions that are there again.
    pub(super) sessions: u64,
    /// Users that are known again.
    pub(super) users: u64,
    /// Sessions that have ended meanwhile.
    pub(super) ended: u64,
    /// Sessions of apps that the config does not have any more.
    pub(super) of_other_apps: u64,
    /// When the file was begun.
    pub(super) saved_at: Option<Timestamp>,
}

/// Reads all that is in `input` into `store`, as the config of today has it.
pub(super) fn load(
    store: &MemoryStore,
    here: &Here<'_>,
    sealing: Option<&Sealing>,
    input: impl Read,
) -> Result<Loaded, ReadError> {
    let (mut reader, saved_at) = chunk::Reader::begin(input, sealing)?;
    let first = reader.next()?;
    let preface = preface(&first).map_err(|Malformed| ReadError::Damaged(1))?;
    let casting = Casting::of(&preface, here.apps, here.claims);
    let share = || Share::new(store, here, &casting);
    match share_out(reader, share) {
        Ok(shares) => Ok(finish(store, shares, saved_at)),
        Err(error) => {
            store.users().forget_all();
            Err(error)
        }
    }
}

/// What the first chunk says.
fn preface(chunk: &[u8]) -> Result<Preface, Malformed> {
    match Kind::of(chunk)? {
        (Kind::Preface, mut records) => records.preface(),
        (Kind::Users | Kind::Sessions | Kind::Replaced | Kind::End, _) => Err(Malformed),
    }
}

/// The config of today, and what time it is.
pub(super) struct Here<'a> {
    pub(super) apps: &'a [Arc<App>],
    pub(super) claims: &'a [String],
    pub(super) now: Timestamp,
}

/// Reads the chunks while threads take them, and gives back what each of them had, if that is all.
fn share_out<'a>(
    reader: chunk::Reader<'_, impl Read>,
    share: impl Fn() -> Share<'a>,
) -> Result<Vec<Share<'a>>, ReadError> {
    let (sender, chunks) = sync_channel(WAITING);
    let chunks = Mutex::new(chunks);
    let (read, shares) = thread::scope(|scope| {
        let taking = |_| {
            let (share, chunks) = (share(), &chunks);
            scope.spawn(move || share.take_all(chunks))
        };
        let threads: Vec<_> = (0..thread_count()).map(taking).collect();
        let read = read(reader, &sender);
        // Then there are no more chunks.
        drop(sender);
        let shares: Vec<_> = threads.into_iter().map(joined).collect();
        (read, shares)
    });
    let shares = shares.into_iter().collect::<Result<Vec<_>, _>>()?;
    let totals = read?;
    let taken = shares.iter().fold(Totals::default(), |sum, share| Totals {
        users: sum.users + share.taken.users,
        sessions: sum.sessions + share.taken.sessions,
    });
    // Each chunk was sound; so a whole one was never written.
    let is_all = taken == totals;
    is_all.then_some(shares).ok_or(ReadError::Incomplete)
}

/// Sends all chunks up to the one that says that it is the last, and how many records there were.
fn read(
    mut reader: chunk::Reader<'_, impl Read>,
    sender: &SyncSender<(u64, Vec<u8>)>,
) -> Result<Totals, ReadError> {
    let mut number = 1;
    loop {
        number += 1;
        let chunk = reader.next()?;
        let damaged = |Malformed| ReadError::Damaged(number);
        if let (Kind::End, mut records) = Kind::of(&chunk).map_err(damaged)? {
            let totals = records.totals().map_err(damaged)?;
            reader.end()?;
            return Ok(totals);
        }
        // They are taken until the end, whatever they are.
        let _ = sender.send((number, chunk));
    }
}

/// Puts all sessions in, in the order of their use.
fn finish(store: &MemoryStore, shares: Vec<Share<'_>>, saved_at: Timestamp) -> Loaded {
    let mut loaded = Loaded {
        saved_at: Some(saved_at),
        ..Loaded::default()
    };
    let mut sessions = Vec::new();
    for share in shares {
        loaded.users += share.loaded.users;
        loaded.ended += share.loaded.ended;
        loaded.of_other_apps += share.loaded.of_other_apps;
        sessions.extend(share.sessions);
        for (digest, until) in share.replaced {
            store.restore_replaced(digest, until);
        }
    }
    loaded.sessions = sessions.len() as u64;
    sessions.sort_unstable_by_key(|(last_used, ..)| *last_used);
    let in_order = Mutex::new(sessions.into_iter());
    thread::scope(|scope| {
        let put = || {
            loop {
                let next: Vec<_> = own(&in_order).by_ref().take(AT_ONCE).collect();
                if next.is_empty() {
                    return;
                }
                let next = next.into_iter();
                store.restore(next.map(|(_, digest, session)| (digest, session)));
            }
        };
        for _ in 0..thread_count() {
            scope.spawn(put);
        }
    });
    store.tidy();
    loaded
}

fn thread_count() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    cores.min(MOST_THREADS)
}

/// What a thread gives back. It does not panic; if it did, so would this one.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    let ended = thread.join();
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a thread has taken.
struct Share<'a> {
    store: &'a MemoryStore,
    here: &'a Here<'a>,
    casting: &'a Casting,
    taken: Totals,
    loaded: Loaded,
    /// Each with its last use.
    sessions: Vec<(Timestamp, SkeyDigest, Arc<Session>)>,
    /// Each with the time until which it is told that its session made way.
    replaced: Vec<(SkeyDigest, Timestamp)>,
}

impl<'a> Share<'a> {
    fn new(store: &'a MemoryStore, here: &'a Here<'a>, casting: &'a Casting) -> Self {
        Self {
            store,
            here,
            casting,
            taken: Totals::default(),
            loaded: Loaded::default(),
            sessions: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// Takes chunks until there are no more; also behind one that is of no use, as nobody else may take them.
    fn take_all(mut self, chunks: &Mutex<Receiver<(u64, Vec<u8>)>>) -> Result<Self, ReadError> {
        let mut result = Ok(());
        loop {
            let next = own(chunks).recv();
            let Ok((number, chunk)) = next else {
                return result.map(|()| self);
            };
            if result.is_ok() {
                let taken = self.take(&chunk);
                result = taken.map_err(|Malformed| ReadError::Damaged(number));
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Malformed> {
        let (kind, mut records) = Kind::of(chunk)?;
        while !records.is_empty() {
            match kind {
                Kind::Users => {
                    let (user, until) = records.user()?;
                    self.take_user(user, until)?;
                }
                Kind::Sessions => self.take_session(records.digest()?, records.session()?)?,
                Kind::Replaced => {
                    let (digest, until) = records.replaced()?;
                    self.replaced.push((digest, until));
                }
                Kind::Preface | Kind::End => return Err(Malformed),
            }
        }
        Ok(())
    }

    fn take_user(&mut self, user: KeptUser, until: Timestamp) -> Result<(), Malformed> {
        self.taken.users += 1;
        if let Some(app) = self.casting.app(user.app)? {
            let users = self.store.users();
            let is_known = users.restore(app, user.openid, user.keys, until).is_some();
            self.loaded.users += u64::from(is_known);
        }
        Ok(())
    }

    fn take_session(&mut self, digest: SkeyDigest, kept: KeptSession) -> Result<(), Malformed> {
        self.taken.sessions += 1;
        let Some(app) = self.casting.app(kept.user.app)? else {
            self.loaded.of_other_apps += 1;
            return Ok(());
        };
        let limits = self.store.limits();
        let now = self.here.now;
        let account = self.casting.account(kept.account)?;
        // A clock that was set back makes nobody's session longer than a login would.
        let expires_at = kept.expires_at.min(now.after(limits.lifetime));
        let last_used = kept.last_used.min(now);
        let user = self.user_of(app, kept.user, last_used);
        let times = (expires_at, last_used);
        let session = Session::kept(user, kept.unionid, account, times, limits.idle);
        if session.has_ended(now) {
            self.loaded.ended += 1;
        } else {
            let session = Arc::new(session);
            self.sessions.push((last_used, digest, session));
        }
        Ok(())
    }

    /// The user whose session was last used then. One who was not known any more while it lasted is known again.
    fn user_of(&self, app: Arc<App>, user: KeptUser, last_used: Timestamp) -> Arc<User> {
        let KeptUser { openid, keys, .. } = user;
        self.store.users().known_or(app, openid, keys, last_used)
    }
}
