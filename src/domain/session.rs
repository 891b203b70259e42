//! What a skey leads to, and when it ends. Knows nothing of where sessions are kept.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::{Timestamp, millis};
use super::identity::{Account, App, Facts, WechatId};
use super::inline_text::InlineText;

/// How far apart two notes of a session's use may lie, in milliseconds: a write less for most requests.
const TOUCH_GRAIN: u64 = 1000;
/// The least idle time that is long against that, in milliseconds.
const LONG_IDLE: u64 = 60_000;

/// WeChat's key of one user in one app: base64 text, kept as it came because signatures are made over the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey(InlineText);

impl SessionKey {
    /// Takes the key as WeChat wrote it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(InlineText::new(text))
    }

    /// The base64 text, for verifying and decrypting only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(***)")
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
pub struct KeyRing(Mutex<Keys>);

/// Most users have logged in with one key of late, and what they do not have takes no room.
enum Keys {
    One(SessionKey),
    Two(Box<UserKeys>),
}

impl KeyRing {
    /// The ring of a user's first login.
    #[must_use]
    pub fn new(key: SessionKey) -> Self {
        Self(Mutex::new(Keys::One(key)))
    }

    /// The ring with these keys.
    #[must_use]
    pub fn of(keys: UserKeys) -> Self {
        Self(Mutex::new(Keys::of(keys)))
    }

    /// Has these keys from now on, whatever it had.
    pub fn replace(&self, keys: UserKeys) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Keys::of(keys);
    }

    /// Takes the key of a newer login; the same key again changes nothing.
    pub fn renew(&self, key: SessionKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = match &*keys {
            Keys::One(current) => current,
            Keys::Two(keys) => &keys.current,
        };
        if *current != key {
            let previous = Some(current.clone());
            let current = key;
            *keys = Keys::Two(Box::new(UserKeys { current, previous }));
        }
    }

    /// The keys as they are now.
    #[must_use]
    pub fn keys(&self) -> UserKeys {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Keys::One(current) => UserKeys {
                current: current.clone(),
                previous: None,
            },
            Keys::Two(keys) => UserKeys::clone(keys),
        }
    }
}

impl Keys {
    fn of(keys: UserKeys) -> Self {
        match keys {
            UserKeys {
                current,
                previous: None,
            } => Self::One(current),
            two => Self::Two(Box::new(two)),
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(***)")
    }
}

/// One user of one app: what all of their sessions share.
#[derive(Debug)]
pub struct User {
    /// The app.
    pub app: Arc<App>,
    /// The user, as that app knows them.
    pub openid: WechatId,
    /// Their keys.
    pub keys: KeyRing,
}

impl User {
    /// The user of `app` with these keys.
    #[must_use]
    pub fn new(app: Arc<App>, openid: WechatId, keys: UserKeys) -> Self {
        let keys = KeyRing::of(keys);
        Self { app, openid, keys }
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

/// One login of one user on one device. There may be a million, so what is rare stands apart; and what every request
/// reads comes first, to be had with one access to memory.
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    expires_at: Timestamp,
    /// In milliseconds.
    idle: u64,
    last_used: AtomicU64,
    user: Arc<User>,
    told: Told,
}

/// What a login told of its user beside the openid. It is kept as it was then, whatever a later one tells.
#[derive(Debug)]
enum Told {
    ByWechat(Option<WechatId>),
    ByBackendToo(Box<(Option<WechatId>, Account)>),
}

impl Told {
    fn of(unionid: Option<WechatId>, account: Account) -> Self {
        if account.is_empty() {
            Self::ByWechat(unionid)
        } else {
            Self::ByBackendToo(Box::new((unionid, account)))
        }
    }
}

impl Session {
    /// Opens a session of `user` at `now`, with what else this login told of them.
    #[must_use]
    pub fn open(
        user: Arc<User>,
        unionid: Option<WechatId>,
        account: Account,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Self {
        let times = (now.after(limits.lifetime), now);
        Self::kept(user, unionid, account, times, limits.idle)
    }

    /// The session that it was before it was kept elsewhere: with its times, and the idle time that holds here.
    #[must_use]
    pub fn kept(
        user: Arc<User>,
        unionid: Option<WechatId>,
        account: Account,
        (expires_at, last_used): (Timestamp, Timestamp),
        idle: Duration,
    ) -> Self {
        Self {
            expires_at,
            idle: millis(idle),
            last_used: AtomicU64::new(last_used.as_millis()),
            user,
            told: Told::of(unionid, account),
        }
    }

    /// When it ends, however much it is used.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When it was used last, to the second where its idle time is long.
    #[must_use]
    pub fn last_used(&self) -> Timestamp {
        Timestamp::from_millis(self.last_used.load(Ordering::Relaxed))
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// What backends are told of its user.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let (unionid, account) = match &self.told {
            Told::ByWechat(unionid) => (unionid, None),
            Told::ByBackendToo(told) => (&told.0, Some(&told.1)),
        };
        Facts {
            app: &self.user.app,
            openid: &self.user.openid,
            unionid: unionid.as_ref(),
            account,
        }
    }

    /// Whether it has ended at `now`, by age or by disuse.
    #[must_use]
    pub fn has_ended(&self, now: Timestamp) -> bool {
        let last_used = self.last_used.load(Ordering::Relaxed);
        now >= self.expires_at || now.as_millis() >= last_used.saturating_add(self.idle)
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
        if self.idle >= LONG_IDLE {
            TOUCH_GRAIN
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::header_text::HeaderText;

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
        let user = User {
            app: Arc::new(app),
            openid: WechatId::parse("oAlice").unwrap(),
            keys: KeyRing::new(SessionKey::new("k1")),
        };
        Session::open(Arc::new(user), None, Account::default(), LIMITS, now)
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
    fn a_session_takes_one_size_of_allocation_and_its_user_the_next() {
        // Allocators give 80 and 96 bytes whole; each of these has two counts of references before it.
        assert_eq!((size_of::<Session>(), size_of::<User>()), (64, 80));
    }

    #[test]
    fn what_the_backend_said_is_told_of_a_session_beside_what_wechat_said() {
        let now = hours(0);
        let user = session(now).user;
        let unionid = || WechatId::parse("uAlice");
        let plain = Session::open(
            Arc::clone(&user),
            unionid(),
            Account::default(),
            LIMITS,
            now,
        );
        assert_eq!(plain.facts().unionid, unionid().as_ref());
        assert_eq!(plain.facts().account, None);
        let account = Account {
            user_id: HeaderText::parse("7").ok(),
            claims: Box::default(),
        };
        let known = Session::open(user, unionid(), account.clone(), LIMITS, now);
        assert_eq!(known.facts().unionid, unionid().as_ref());
        assert_eq!(known.facts().account, Some(&account));
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
