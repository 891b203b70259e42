//! Uses of sessions, written to Redis behind the requests that use them: once a minute, at most once for each session. Knows
//! nothing of requests.

use std::sync::Weak;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::{MissedTickBehavior, interval};

use super::{Core, RedisStore};

/// How far apart two notes of a use may lie.
const EVERY: Duration = Duration::from_mins(1);
/// Into how many such times an idle time falls at least.
const NOTES: u32 = 10;
/// How many are under way at a time.
const AT_ONCE: usize = 64;

/// How far apart the notes of a session's use lie that ends when it is not used for `idle`.
pub(super) fn every(idle: Duration) -> Duration {
    EVERY.min(idle / NOTES).max(Duration::from_millis(1))
}

/// Writes uses now and then, for as long as the store is there.
pub(super) async fn write_now_and_then(core: Weak<Core>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(core) = core.upgrade() else { return };
        write(&RedisStore(core)).await;
    }
}

/// Writes the uses that Redis does not know of.
pub(super) async fn write(store: &RedisStore) {
    let unwritten = store.0.shared.near.unwritten();
    let writing = stream::iter(unwritten).map(|(near, used_at)| async move {
        let written = store.write_use(&near, used_at).await;
        if written.is_err() {
            near.was_not_written();
        }
    });
    writing.buffer_unordered(AT_ONCE).collect::<()>().await;
}
