//! The users who have logged in of late, with their keys. Knows nothing of their sessions.

mod kept;

use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashTable;

use crate::domain::clock::{Timestamp, millis};
use crate::domain::identity::{App, WechatId};
use crate::domain::session::{KeyRing, SessionKey, User, UserKeys};

/// Into how many generations a lifetime falls. More of them would forget a user closer to when they may be forgotten, and
/// make it slower to find that one is unknown.
const GENERATIONS: u32 = 7;
/// The most users that a generation of a shard has as a rule: as many as a table of 8192 places takes. One more would
/// double it, and while it grows, logins wait.
const ROOM: u64 = 7168;
/// The most shards. Only with more users than these have room for does a generation have more than [`ROOM`].
const MOST_SHARDS: u64 = 256;

/// Users by app and openid: from each login on for a lifetime at least, unless about as many others as there may be
/// sessions have logged in since.
///
/// A user costs a pointer here and nothing that tells their age: whoever logs in moves to the youngest generation, and
/// it is the oldest one that is forgotten, all at once.
pub(super) struct Users {
    /// All but the last.
    shards: Box<[Mutex<Shard>]>,
    last: Mutex<Shard>,
    /// Its key is random, so that nobody can choose openids that meet.
    hasher: RandomState,
    /// The most users of a generation of a shard.
    room: usize,
    /// How long a generation is the youngest: from one multiple of this to the next.
    span: Span,
}

/// The time of a generation, in milliseconds; never zero. A whole lifetime needs no more than [`GENERATIONS`].
#[derive(Clone, Copy)]
struct Span(u64);

/// Some of the users. Each is in one generation.
struct Shard {
    youngest: Generation,
    since: Timestamp,
    /// The younger ones first.
    older: VecDeque<Generation>,
    /// The number of the youngest; each older one has the one before.
    turn: u64,
    /// How often the users of a youngest generation have all taken new places.
    moves: u64,
}

/// Users who logged in at about the same time.
type Generation = HashTable<Arc<User>>;

impl Users {
    /// Nobody yet, and room for `capacity`.
    pub(super) fn new(capacity: u64, lifetime: Duration, now: Timestamp) -> Self {
        let of_generation = capacity.div_ceil(GENERATIONS.into());
        let shards = of_generation.div_ceil(ROOM).clamp(1, MOST_SHARDS);
        let span = Span::of(lifetime);
        let new = || Mutex::new(Shard::new(span.begin(now)));
        Self {
            shards: (1..shards).map(|_| new()).collect(),
            last: new(),
            hasher: RandomState::new(),
            room: usize::try_from(of_generation.div_ceil(shards)).unwrap_or(usize::MAX),
            span,
        }
    }

    /// The user who logs in, with `key` as their newest one.
    pub(super) fn log_in(
        &self,
        app: Arc<App>,
        openid: WechatId,
        key: SessionKey,
        now: Timestamp,
    ) -> Arc<User> {
        let hash = self.hash(app.index, &openid);
        let mut shard = self.shard(hash);
        let is_full = shard.youngest.len() >= self.room;
        let forgotten = shard.grow_older(now, self.span, is_full);
        let known = shard.find_youngest(hash, app.index, &openid);
        let user = known.unwrap_or_else(|| {
            let older = shard.take(hash, app.index, &openid);
            let user = older.unwrap_or_else(|| {
                let keys = KeyRing::new(key.clone());
                Arc::new(User { app, openid, keys })
            });
            self.put_youngest(&mut shard, hash, Arc::clone(&user));
            user
        });
        user.keys.renew(key);
        drop(shard);
        drop(forgotten);
        user
    }

    /// The keys of a user of the app at this place, unless they are unknown.
    pub(super) fn keys(&self, app: usize, openid: &WechatId) -> Option<UserKeys> {
        let hash = self.hash(app, openid);
        let shard = self.shard(hash);
        let user = shard.find(hash, app, openid);
        user.map(|user| user.keys.keys())
    }

    /// Forgets those whose last login is too long ago. It is enough to do so now and then.
    pub(super) fn tidy(&self, now: Timestamp) {
        for shard in self.shards.iter().chain([&self.last]) {
            let forgotten = lock(shard).grow_older(now, self.span, false);
            drop(forgotten);
        }
    }

    fn put_youngest(&self, shard: &mut Shard, hash: u64, user: Arc<User>) {
        let have_moved = Cell::new(false);
        let hash_of = |user: &Arc<User>| {
            have_moved.set(true);
            self.hash(user.app.index, &user.openid)
        };
        let place = shard.youngest.entry(hash, |_| false, hash_of);
        place.insert(user);
        shard.moves += u64::from(have_moved.get());
    }

    fn hash(&self, app: usize, openid: &WechatId) -> u64 {
        self.hasher.hash_one((app, openid.as_bytes()))
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The table of a generation takes the lowest and the highest bits for itself.
        let [_, _, _, a, b, ..] = hash.to_be_bytes();
        let middle = usize::from(u16::from_be_bytes([a, b]));
        let shard = self.shards.get(middle % (self.shards.len() + 1));
        lock(shard.unwrap_or(&self.last))
    }
}

impl Span {
    fn of(lifetime: Duration) -> Self {
        Self(millis(lifetime).div_ceil(GENERATIONS.into()).max(1))
    }

    /// When the generation began that is the youngest at `now`.
    fn begin(self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis() - now.as_millis() % self.0)
    }
}

impl Shard {
    fn new(since: Timestamp) -> Self {
        Self {
            youngest: Generation::new(),
            since,
            older: VecDeque::new(),
            // As if there had been all older ones already, so that each of them has a number.
            turn: GENERATIONS.into(),
            moves: 0,
        }
    }

    /// Begins a generation if the youngest is full or has been it for a span. Gives back the one that is forgotten for
    /// it, to be dropped where nobody waits for that.
    fn grow_older(&mut self, now: Timestamp, span: Span, is_full: bool) -> Option<Generation> {
        let begun = span.begin(now);
        if !is_full && begun <= self.since {
            return None;
        }
        let youngest = std::mem::take(&mut self.youngest);
        self.since = begun;
        self.turn += 1;
        self.older.push_front(youngest);
        let are_too_many = self.older.len() > GENERATIONS as usize;
        are_too_many.then(|| self.older.pop_back())?
    }

    fn find(&self, hash: u64, app: usize, openid: &WechatId) -> Option<&Arc<User>> {
        let mut generations = [&self.youngest].into_iter().chain(&self.older);
        generations.find_map(|users| users.find(hash, |user| is(user, app, openid)))
    }

    fn find_youngest(&self, hash: u64, app: usize, openid: &WechatId) -> Option<Arc<User>> {
        let found = self.youngest.find(hash, |user| is(user, app, openid));
        found.cloned()
    }

    fn take(&mut self, hash: u64, app: usize, openid: &WechatId) -> Option<Arc<User>> {
        let mut generations = [&mut self.youngest].into_iter().chain(&mut self.older);
        generations.find_map(|users| {
            let found = users.find_entry(hash, |user| is(user, app, openid)).ok()?;
            Some(found.remove().0)
        })
    }
}

fn is(user: &User, app: usize, openid: &WechatId) -> bool {
    user.app.index == app && user.openid == *openid
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_hours(7);

    /// Users, and what time it is for them.
    struct Town {
        users: Users,
        now: Timestamp,
        app: Arc<App>,
    }

    impl Town {
        fn new(capacity: u64) -> Self {
            let now = Timestamp::from_millis(0);
            let app = App {
                name: "shop".to_owned(),
                appid: WechatId::parse("wx1").unwrap(),
                index: 0,
            };
            Self {
                users: Users::new(capacity, LIFETIME, now),
                now,
                app: Arc::new(app),
            }
        }

        fn log_in(&self, user: &str, key: &str) -> Arc<User> {
            let (app, key) = (Arc::clone(&self.app), SessionKey::new(key));
            let openid = WechatId::parse(user).unwrap();
            self.users.log_in(app, openid, key, self.now)
        }

        fn knows(&self, user: &str) -> bool {
            let openid = WechatId::parse(user).unwrap();
            self.users.keys(0, &openid).is_some()
        }

        /// Lets a time pass, and tidies every minute.
        fn wait(&mut self, hours: u64) {
            for _ in 0..hours * 60 {
                self.now = self.now.after(Duration::from_mins(1));
                self.users.tidy(self.now);
            }
        }

        fn kept(&self) -> usize {
            let shards = self.users.shards.iter().chain([&self.users.last]);
            let kept = |shard| {
                let shard = lock(shard);
                let older = shard.older.iter().map(HashTable::len);
                shard.youngest.len() + older.sum::<usize>()
            };
            shards.map(kept).sum()
        }
    }

    #[test]
    fn a_user_who_logs_in_again_is_the_same_and_kept_once() {
        let mut town = Town::new(1000);
        let first = town.log_in("alice", "k1");
        town.wait(3);
        let again = town.log_in("alice", "k2");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &town.log_in("bob", "k1")));
        assert_eq!(first.keys.keys().current, SessionKey::new("k2"));
        assert_eq!(town.kept(), 2);
    }

    #[test]
    fn a_user_is_known_for_a_lifetime_from_the_last_login_on_and_forgotten_soon_after() {
        let mut town = Town::new(1000);
        // Late in a generation and early in one.
        town.log_in("alice", "k");
        town.log_in("bob", "k");
        town.wait(3);
        town.log_in("alice", "k");
        town.wait(4);
        assert!(town.knows("alice") && town.knows("bob"));
        town.wait(1);
        assert!(town.knows("alice") && !town.knows("bob"));
        town.wait(2);
        assert!(town.knows("alice"));
        town.wait(1);
        assert_eq!(town.kept(), 0);
    }

    #[test]
    fn at_capacity_those_of_the_least_recent_logins_are_forgotten() {
        let town = Town::new(100);
        town.log_in("old", "k");
        for count in 0..1000 {
            town.log_in("alice", "k");
            town.log_in(&format!("user-{count}"), "k");
        }
        assert!(town.knows("alice") && !town.knows("old"));
        let most_recent = 900..1000;
        assert!(
            most_recent
                .clone()
                .all(|count| town.knows(&format!("user-{count}")))
        );
        assert!(town.kept() <= 100 * 8 / 7 + 8, "{}", town.kept());
    }

    #[test]
    fn users_are_spread_over_shards_of_which_each_is_found_again() {
        let town = Town::new(200_000);
        assert_eq!(town.users.shards.len(), 3);
        let name = |count| format!("user-{count}");
        for count in 0..4000 {
            town.log_in(&name(count), "k");
        }
        assert!((0..4000).all(|count| town.knows(&name(count))));
        let shards = town.users.shards.iter().chain([&town.users.last]);
        let sizes: Vec<_> = shards.map(|shard| lock(shard).youngest.len()).collect();
        assert!(
            sizes.iter().all(|size| (700..1300).contains(size)),
            "{sizes:?}"
        );
        assert!(town.users.room as u64 <= ROOM);
    }
}
