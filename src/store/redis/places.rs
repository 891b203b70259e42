//! How many sessions of a user may stand: which of them make way for a login. Knows nothing of who logs in.

use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::Value;

use super::RedisStore;
use super::fault::Fault;
use super::keys::UserName;
use super::record::Read;
use super::sentinel::text;
use crate::domain::clock::Timestamp;
use crate::domain::session_id::SessionId;
use crate::store::Gone;

/// For how long a login is under way at most, with a list that has its session before it is there.
const UNDER_WAY: Duration = Duration::from_mins(1);
/// For how long it is told at most that a session has made way.
const TOLD: Duration = Duration::from_hours(24);
/// How many sessions are looked at at a time.
const AT_ONCE: usize = 64;

/// A session in its user's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    id: SessionId,
    /// By which the list is in order.
    expires_at: Timestamp,
}

/// The sessions that a login was told of, the oldest first.
pub(super) fn listed(answer: &Value) -> Vec<Listed> {
    let Value::Array(answer) = answer else {
        return Vec::new();
    };
    let Some(Value::Array(ids)) = answer.get(2) else {
        return Vec::new();
    };
    let (pairs, _) = ids.as_chunks::<2>();
    let listed = pairs.iter().filter_map(|[id, place]| {
        Some(Listed {
            id: SessionId::parse(text(id)?)?,
            expires_at: Timestamp::from_millis(text(place)?.parse().ok()?),
        })
    });
    listed.collect()
}

impl RedisStore {
    /// Ends the oldest of the sessions of a user that stand, as far as they are too many, and drops those that do not.
    pub(super) async fn make_way(&self, user: &UserName, listed: Vec<Listed>) -> Result<(), Fault> {
        let Some(most) = self.0.most else {
            return Ok(());
        };
        if listed.len() <= most.get() {
            return Ok(());
        }
        let looking = listed.into_iter().map(|one| async move {
            let stands = self.may_stand(one).await?;
            Ok::<_, Fault>((one, stands))
        });
        let looked: Vec<_> = stream::iter(looking)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let (standing, ended): (Vec<_>, Vec<_>) =
            looked.into_iter().partition(|(_, stands)| *stands);
        let too_many = standing.len().saturating_sub(most.get());
        let mut gone: Vec<_> = ended.iter().map(|(one, _)| one.id).collect();
        for (one, _) in standing.into_iter().take(too_many) {
            let until = one.expires_at.min(self.now().after(TOLD));
            self.mark(one.id, Gone::Replaced, until).await?;
            gone.push(one.id);
        }
        self.remove(&user.sessions(), &gone).await
    }

    /// Whether a session stands, or may be just about to.
    async fn may_stand(&self, one: Listed) -> Result<bool, Fault> {
        let answer = self.look(one.id).await?;
        let now = self.now();
        match self.read(one.id, answer.value)? {
            Read::Session(record) => {
                let session = self.alone(*record);
                if let Some(used) = self.0.shared.near.last_used(one.id) {
                    session.touch(used);
                }
                Ok(!session.has_ended(now))
            }
            Read::Gone(_) => Ok(false),
            Read::Nothing => {
                let lived = self
                    .limits()
                    .lifetime
                    .saturating_sub(now.until(one.expires_at));
                Ok(lived < UNDER_WAY)
            }
        }
    }
}
