//! Users on their way to a file and back. Knows nothing of the file.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{GENERATIONS, Generation, Shard, Users, lock};
use crate::domain::clock::Timestamp;
use crate::domain::identity::{App, WechatId};
use crate::domain::session::{User, UserKeys};

/// How many places of a generation are looked at while its shard is locked: that takes a few microseconds.
const AT_ONCE: usize = 32;

impl Users {
    /// Visits all who were known before this began, each with a moment at or after their last login; some twice, of whom
    /// the second visit knows more. No login waits for a visit.
    pub(in crate::store) fn each(
        &self,
        now: Timestamp,
        mut visit: impl FnMut(&User, Timestamp) -> ControlFlow<()>,
    ) {
        // From the beginning of a generation it is told when those before it can have logged in.
        self.tidy(now);
        for shard in self.shards.iter().chain([&self.last]) {
            let mut walk = Walk::of(shard);
            while let Some((users, age)) = walk.next() {
                let until = self.until(shard, age, now);
                if users.iter().any(|user| visit(user, until).is_break()) {
                    return;
                }
            }
        }
    }

    /// One who was known until some time after `until`, at or before which was their last login, is known again, and has
    /// these keys; nobody if it is too long ago.
    pub(in crate::store) fn restore(
        &self,
        app: Arc<App>,
        openid: WechatId,
        keys: UserKeys,
        until: Timestamp,
    ) -> Option<Arc<User>> {
        let hash = self.hash(app.index, &openid);
        let mut shard = self.shard(hash);
        let age = self.age(&shard, until)?;
        let user = match shard.take(hash, app.index, &openid) {
            Some(user) => {
                user.keys.replace(keys);
                user
            }
            None => Arc::new(User::new(app, openid, keys)),
        };
        self.put(&mut shard, hash, age, Arc::clone(&user));
        Some(user)
    }

    /// The user of that name; one who is unknown is from now on known like one who logged in at `until`.
    pub(in crate::store) fn known_or(
        &self,
        app: Arc<App>,
        openid: WechatId,
        keys: UserKeys,
        until: Timestamp,
    ) -> Arc<User> {
        let hash = self.hash(app.index, &openid);
        let mut shard = self.shard(hash);
        let known = shard.find(hash, app.index, &openid).cloned();
        known.unwrap_or_else(|| {
            let user = Arc::new(User::new(app, openid, keys));
            if let Some(age) = self.age(&shard, until) {
                self.put(&mut shard, hash, age, Arc::clone(&user));
            }
            user
        })
    }

    /// Nobody is known any more.
    pub(in crate::store) fn forget_all(&self) {
        for shard in self.shards.iter().chain([&self.last]) {
            let mut shard = lock(shard);
            let since = shard.since;
            *shard = Shard::new(since);
        }
    }

    fn put(&self, shard: &mut Shard, hash: u64, age: usize, user: Arc<User>) {
        let hash_of = |user: &Arc<User>| self.hash(user.app.index, &user.openid);
        let generation = shard.generation_of_age(age);
        generation.entry(hash, |_| false, hash_of).insert(user);
    }

    /// The last moment at which somebody can have logged in who is in the generation of this age.
    fn until(&self, shard: &Mutex<Shard>, age: u64, now: Timestamp) -> Timestamp {
        match age.checked_sub(1) {
            None => now,
            Some(spans) => {
                let since = lock(shard).since.as_millis();
                let before = spans.saturating_mul(self.span.0).saturating_add(1);
                Timestamp::from_millis(since.saturating_sub(before))
            }
        }
    }

    /// The age of the generation of those who logged in at `at`; none if they are to be forgotten.
    fn age(&self, shard: &Shard, at: Timestamp) -> Option<usize> {
        let begun = self.span.begin(at);
        let ago = begun.until(shard.since);
        let spans = ago.as_millis() / Duration::from_millis(self.span.0).as_millis();
        let age = usize::try_from(spans).ok()?;
        (age <= GENERATIONS as usize).then_some(age)
    }
}

impl Shard {
    /// The generation that is so many younger than the youngest.
    fn generation_of_age(&mut self, age: usize) -> &mut Generation {
        let Some(older) = age.checked_sub(1) else {
            return &mut self.youngest;
        };
        while self.older.len() <= older {
            self.older.push_back(Generation::new());
        }
        let Self {
            youngest,
            older: all,
            ..
        } = self;
        VecDeque::get_mut(all, older).unwrap_or(youngest)
    }

    /// The generation that is so old now, if it is there.
    fn of_age(&self, age: u64) -> Option<&Generation> {
        match usize::try_from(age).ok()?.checked_sub(1) {
            None => Some(&self.youngest),
            Some(older) => self.older.get(older),
        }
    }
}

/// A walk through a shard that goes on being used: from the oldest generation to the youngest, as that is the way on which
/// whoever logs in meanwhile moves, and none is passed by.
struct Walk<'a> {
    shard: &'a Mutex<Shard>,
    /// The number of the generation that is walked through.
    turn: u64,
    place: usize,
    /// The moves of the generation, as long as it is the youngest.
    moves: Option<u64>,
}

impl<'a> Walk<'a> {
    fn of(shard: &'a Mutex<Shard>) -> Self {
        let oldest = {
            let shard = lock(shard);
            shard.turn.saturating_sub(shard.older.len() as u64)
        };
        Self {
            shard,
            turn: oldest,
            place: 0,
            moves: None,
        }
    }

    /// The next few users and the age of their generation.
    fn next(&mut self) -> Option<(Vec<Arc<User>>, u64)> {
        loop {
            let shard = lock(self.shard);
            let age = shard.turn.checked_sub(self.turn)?;
            if self.moves.is_some_and(|moves| moves != shard.moves) {
                // All are elsewhere now, so that some would be passed by.
                self.place = 0;
            }
            self.moves = (age == 0).then_some(shard.moves);
            let generation = shard.of_age(age);
            let places = generation.map_or(0, Generation::num_buckets);
            if self.place >= places {
                (self.turn, self.place, self.moves) = (self.turn + 1, 0, None);
                continue;
            }
            let end = places.min(self.place + AT_ONCE);
            let looked_at = self.place..end;
            let users = looked_at.filter_map(|place| generation?.get_bucket(place).cloned());
            let users = users.collect();
            self.place = end;
            return Some((users, age));
        }
    }
}

#[cfg(test)]
mod tests;
