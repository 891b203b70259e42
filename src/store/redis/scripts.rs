//! What Redis does in one step, in its own words. Knows nothing of who asks.
//!
//! Each script touches the names of one session or of one user, which are in one slot.

use std::sync::LazyLock;

use sha1::{Digest, Sha1};

/// A script, which Redis knows by the SHA-1 of its text.
pub(super) struct Script {
    text: &'static str,
    sha: LazyLock<String>,
}

macro_rules! script {
    ($text:expr) => {
        Script {
            text: $text,
            sha: LazyLock::new(|| {
                let digest = Sha1::digest($text);
                digest.iter().map(|byte| format!("{byte:02x}")).collect()
            }),
        }
    };
}

/// What there is of a session: `session`, `used` → its value, its last use, and for how long it is kept.
pub(super) static FIND: Script = script!(
    "return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('PTTL', KEYS[1])}"
);

/// Notes a use: `session`, `used`; when, for how long it must be kept at least, and for how long it is to be kept. A
/// session that is gone stays so.
///
/// That a session is kept for longer changes it, and whoever has it near asks for it anew: so this is done rarely.
pub(super) static TOUCH: Script = script!(
    "local kind = redis.call('GETRANGE', KEYS[1], 0, 0)
if kind ~= '\\1' and kind ~= '\\2' then return 0 end
local before = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if tonumber(ARGV[1]) > before then redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1"
);

/// Ends a session: `session`, `used` → what it was.
pub(super) static CLOSE: Script = script!(
    "local was = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1], KEYS[2])
return was"
);

/// Ends a session and leaves a mark: `session`, `used`; the mark, and for how long it is kept → what it was, and its last
/// use. Where nothing is, the mark keeps a login that is under way from putting its session there.
pub(super) static MARK: Script = script!(
    "local was = {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return was"
);

/// Takes a login over into what is known of its user: `keys`, `sessions`; the key, its print, for how long both are kept,
/// the session's id, when it expires, what time it is, the key that was current under a former name or nothing, and how
/// many sessions may stand or 0 → the current key, the one before, and if there are more the ids with their places.
///
/// The list is in the order of the logins: each takes a place behind the last, when it expires or a little later. It is
/// never kept for less than before: a session of a longer lifetime may stand in it.
pub(super) static LOG_IN: Script = script!(
    "local known = redis.call('HMGET', KEYS[1], 'c', 'f', 'p')
local before = known[3] or ''
if known[2] ~= ARGV[2] then
  before = known[1] or ARGV[7]
  redis.call('HSET', KEYS[1], 'c', ARGV[1], 'f', ARGV[2], 'p', before)
  known[1] = ARGV[1]
end
local kept = tonumber(ARGV[3])
if redis.call('PTTL', KEYS[1]) < kept then redis.call('PEXPIRE', KEYS[1], kept) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[6])
local last = tonumber(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2] or '0')
local place = math.max(tonumber(ARGV[5]), last + 1)
redis.call('ZADD', KEYS[2], string.format('%.0f', place), ARGV[4])
if redis.call('PTTL', KEYS[2]) < kept then redis.call('PEXPIRE', KEYS[2], kept) end
local ids = {}
local most = tonumber(ARGV[8])
if most > 0 and redis.call('ZCARD', KEYS[2]) > most then ids = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES') end
return {known[1], before, ids}"
);

impl Script {
    /// The words that run it, if Redis knows it.
    pub(super) fn by_name(&self) -> (&'static str, &str) {
        ("EVALSHA", &self.sha)
    }

    /// The words that run it, and make it known.
    pub(super) fn by_text(&self) -> (&'static str, &str) {
        ("EVAL", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_goes_by_the_sha_1_of_its_text() {
        // printf 'return 1' | sha1sum
        let script = script!("return 1");
        let sha = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        assert_eq!(script.by_name(), ("EVALSHA", sha));
        assert_eq!(script.by_text(), ("EVAL", "return 1"));
    }
}
