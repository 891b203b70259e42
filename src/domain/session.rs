//! What a skey leads to, and when it ends. Knows nothing of where sessions are kept.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Timestamp;
use super::identity::Identity;
use super::secret::Secret;

/// How far apart two notes of a session's use may lie, in milliseconds: a write less for most requests.
const TOUCH_GRAIN: u64 = 1000;

/// WeChat's key of one user in one app: base64 text, kept as it came because signatures are made over the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey(Secret);

impl SessionKey {
    /// Takes the key as WeChat wrote it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The base64 text, for verifying and decrypting only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

/// The keys of one user in one app: WeChat honours one at a time, but data may still be sealed with the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserKeys {
    /// The key of the newest login.
    pub current: SessionKey,
    /// The key that it replaced.
    pub previous: Option<SessionKey>,
}

/// The keys that all sessions of one user in one app share.
pub struct KeyRing(Mutex<UserKeys>);

impl KeyRing {
    /// The ring of a user's first login.
    #[must_use]
    pub fn new(key: SessionKey) -> Self {
        Self(Mutex::new(UserKeys {
            current: key,
            previous: None,
        }))
    }

    /// Takes the key of a newer login; the same key again changes nothing.
    pub fn renew(&self, key: SessionKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.current != key {
            keys.previous = Some(std::mem::replace(&mut keys.current, key));
        }
    }

    /// The keys as they are now.
    #[must_use]
    pub fn keys(&self) -> UserKeys {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(***)")
    }
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// From the login on, whatever happens.
    pub lifetime: Duration,
    /// From the last use on.
    pub idle: Duration,
}

/// One login of one user on one device.
#[derive(Debug)]
pub struct Session {
    /// Who it is.
    pub identity: Identity,
    /// The user's keys, shared by their devices.
    pub keys: Arc<KeyRing>,
    expires_at: Timestamp,
    idle: Duration,
    last_used: AtomicU64,
}

impl Session {
    /// Opens a session at `now`.
    #[must_use]
    pub fn open(
        identity: Identity,
        keys: Arc<KeyRing>,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Self {
        Self {
            identity,
            keys,
            expires_at: now.after(limits.lifetime),
            idle: limits.idle,
            last_used: AtomicU64::new(now.as_millis()),
        }
    }

    /// Whether it has ended at `now`, by age or by disuse.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let last_used = Timestamp::from_millis(self.last_used.load(Ordering::Relaxed));
        now >= self.expires_at || now >= last_used.after(self.idle)
    }

    /// Notes that it was used at `now`.
    pub fn touch(&self, now: Timestamp) {
        let last_used = self.last_used.load(Ordering::Relaxed);
        // Short idle times are kept to the millisecond; long ones spare other cores the write.
        if now.as_millis() >= last_used.saturating_add(self.touch_grain()) {
            self.last_used.store(now.as_millis(), Ordering::Relaxed);
        }
    }

    /// The lifetime that is left at `now`, in seconds, the last one begun counted as whole: a session just opened tells
    /// all of its lifetime, and one that still holds never tells 0.
    #[must_use]
    pub fn expires_in(&self, now: Timestamp) -> u64 {
        let left = now.until(self.expires_at);
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }

    fn touch_grain(&self) -> u64 {
        if self.idle >= Duration::from_mins(1) {
            TOUCH_GRAIN
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{Account, App, WechatId};

    const LIMITS: SessionLimits = SessionLimits {
        lifetime: Duration::from_hours(10),
        idle: Duration::from_hours(4),
    };

    fn session(now: Timestamp) -> Session {
        let app = App {
            name: "shop".to_owned(),
            appid: WechatId::parse("wx0123456789abcdef").unwrap(),
            index: 0,
        };
        let openid = WechatId::parse("oAlice").unwrap();
        let identity = Identity {
            app: Arc::new(app),
            openid,
            unionid: None,
            account: Account::default(),
        };
        Session::open(
            identity,
            Arc::new(KeyRing::new(SessionKey::new("k1"))),
            LIMITS,
            now,
        )
    }

    fn hours(count: u64) -> Timestamp {
        Timestamp::from_millis(0).after(Duration::from_hours(count))
    }

    #[test]
    fn a_session_ends_when_it_was_not_used_for_its_idle_time() {
        let session = session(hours(0));
        assert!(!session.has_ended(hours(3)));
        assert!(session.has_ended(hours(4)));
        session.touch(hours(3));
        assert!(!session.has_ended(hours(6)));
        assert!(session.has_ended(hours(7)));
    }

    #[test]
    fn a_session_ends_at_its_lifetime_however_much_it_is_used() {
        let session = session(hours(0));
        for hour in 1..10 {
            assert!(!session.has_ended(hours(hour)));
            session.touch(hours(hour));
        }
        assert!(session.has_ended(hours(10)));
        let a_moment_before = hours(9).as_millis() - 1;
        assert_eq!(
            session.expires_in(Timestamp::from_millis(a_moment_before)),
            3601
        );
        assert_eq!(session.expires_in(hours(9)), 3600);
        assert_eq!(session.expires_in(hours(11)), 0);
    }

    #[test]
    fn the_newest_key_wins_and_the_one_before_stays_beside_it() {
        let ring = KeyRing::new(SessionKey::new("k1"));
        ring.renew(SessionKey::new("k1"));
        assert_eq!(ring.keys().previous, None);
        ring.renew(SessionKey::new("k2"));
        ring.renew(SessionKey::new("k3"));
        let keys = ring.keys();
        assert_eq!(
            (keys.current.reveal(), keys.previous.unwrap().reveal()),
            ("k3", "k2")
        );
    }
}
