//! What things are called in Redis, and which slot of a cluster a name falls into. Knows nothing of what they say.
//!
//! | name | type | what |
//! |---|---|---|
//! | `wxgate:1:session:{ID}` | string | a session, or the mark of one that was ended |
//! | `wxgate:1:used:{ID}` | string | when it was last used, in milliseconds |
//! | `wxgate:1:keys:{APPID:HASH}` | hash | the keys of a user: `c` the current one, `f` its print, `p` the one before |
//! | `wxgate:1:sessions:{APPID:HASH}` | sorted set | the ids of a user's sessions, by when they expire |
//!
//! ID is that of the session, of which neither the token nor its digest can be told. HASH is a hash of appid and openid,
//! keyed by the first encryption key if there is one. What is in braces alone decides on the slot, so that the two of a
//! session are always together, and so are the two of a user. 1 is the version of all this.

use ring::hmac;

use crate::domain::encryption_key::EncryptionKey;
use crate::domain::identity::{App, WechatId};
use crate::domain::session_id::SessionId;

/// The beginning of the names of sessions. The end of one is heard of by it.
pub(super) const SESSION: &str = "wxgate:1:session:";
/// The beginning of the names of last uses.
const USED: &str = "wxgate:1:used:";
/// The beginning of the names of users' keys. That they change is heard of by it.
pub(super) const KEYS: &str = "wxgate:1:keys:";
/// The beginning of the names of users' sessions.
pub(super) const SESSIONS: &str = "wxgate:1:sessions:";
/// The key of hashes where no encryption key is configured: they are hashes then and no more.
const NO_KEY: &[u8] = b"wxgate";
/// What hashes of users, and prints of their keys, are for.
const USER: &[u8] = b"wxgate redis 1: a user";
const PRINT: &[u8] = b"wxgate redis 1: a key";
/// The slots of a cluster.
const SLOTS: u16 = 16384;

/// The hash of a user's appid and openid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct UserHash([u8; 16]);

impl UserHash {
    /// The hash as bytes.
    pub(super) const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

/// A user's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserName {
    pub(super) hash: UserHash,
    tag: String,
}

/// What names users.
pub(super) struct Names(Vec<hmac::Key>);

/// What a name that is heard of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Session(SessionId),
    Keys(UserHash),
}

impl Names {
    /// Names by the first of `keys`; the others named before.
    pub(super) fn new(keys: &[EncryptionKey]) -> Self {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let keyed: Vec<_> = keys.iter().map(|one| key(one.reveal())).collect();
        Self(if keyed.is_empty() {
            vec![key(NO_KEY)]
        } else {
            keyed
        })
    }

    /// The names of a user: the one that holds, and those that held before.
    pub(super) fn of_user(&self, app: &App, openid: &WechatId) -> Vec<UserName> {
        let appid = app.appid.as_str();
        let named = |key| {
            // No appid has a zero byte.
            let hash = hash(key, &[USER, appid.as_bytes(), &[0], openid.as_bytes()]);
            let tag = format!("{appid}:{}", SessionId::from_bytes(hash));
            let hash = UserHash(hash);
            UserName { hash, tag }
        };
        self.0.iter().map(named).collect()
    }

    /// What tells a user's key from another, and no more.
    pub(super) fn print(&self, key: &str) -> String {
        let by = self.0.first();
        let print = by.map(|by| hash(by, &[PRINT, key.as_bytes()]));
        SessionId::from_bytes(print.unwrap_or_default()).to_string()
    }
}

fn hash(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 16] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

impl UserName {
    /// The name of the user's keys.
    pub(super) fn keys(&self) -> String {
        format!("{KEYS}{{{}}}", self.tag)
    }

    /// The name of the list of the user's sessions.
    pub(super) fn sessions(&self) -> String {
        format!("{SESSIONS}{{{}}}", self.tag)
    }
}

/// The name of a session.
pub(super) fn session(id: SessionId) -> String {
    format!("{SESSION}{{{id}}}")
}

/// The name of a session's last use.
pub(super) fn used(id: SessionId) -> String {
    format!("{USED}{{{id}}}")
}

impl Named {
    /// What `name` names, if it is something that is heard of.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        if let Some(id) = name.strip_prefix(SESSION) {
            return SessionId::parse(bare(id)?).map(Self::Session);
        }
        let (_, hash) = bare(name.strip_prefix(KEYS)?)?.rsplit_once(':')?;
        let hash = SessionId::parse(hash)?.to_bytes();
        Some(Self::Keys(UserHash(hash)))
    }
}

fn bare(tag: &str) -> Option<&str> {
    tag.strip_prefix('{')?.strip_suffix('}')
}

/// The slot of a cluster that a name falls into.
pub(super) fn slot(name: &str) -> u16 {
    let tag = name.split_once('{').and_then(|(_, rest)| {
        let (tag, _) = rest.split_once('}')?;
        (!tag.is_empty()).then_some(tag)
    });
    crc16(tag.unwrap_or(name).as_bytes()) % SLOTS
}

/// CRC16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let mixed = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(mixed, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    fn app(appid: &str) -> App {
        App {
            name: "shop".to_owned(),
            appid: WechatId::parse(appid).unwrap(),
            index: 0,
        }
    }

    fn names(keys: &[u8], appid: &str, openid: &str) -> Vec<UserName> {
        let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
        let openid = WechatId::parse(openid).unwrap();
        Names::new(&keys).of_user(&app(appid), &openid)
    }

    #[test]
    fn names_stay_the_same_from_version_to_version() {
        let id = SessionId::from_bytes(*b"0123456789abcdef");
        let tag = "{30313233343536373839616263646566}";
        assert_eq!(session(id), format!("wxgate:1:session:{tag}"));
        assert_eq!(used(id), format!("wxgate:1:used:{tag}"));
        // printf 'wxgate redis 1: a user%s\0%s' wx1 oAlice | openssl dgst -sha256 -hmac wxgate
        let [alice] = <[_; 1]>::try_from(names(&[], "wx1", "oAlice")).unwrap();
        let tag = "{wx1:74a19850c4f09156b705b576260b6cfe}";
        assert_eq!(alice.keys(), format!("wxgate:1:keys:{tag}"));
        assert_eq!(alice.sessions(), format!("wxgate:1:sessions:{tag}"));
    }

    #[test]
    fn a_user_goes_by_the_first_key_and_went_by_the_others() {
        let (old, new) = (names(&[1], "wx1", "o"), names(&[2, 1], "wx1", "o"));
        assert_eq!(new[1..], old);
        assert_ne!(new[0], old[0]);
        assert_ne!(old[0], names(&[1], "wx2", "o")[0]);
        assert_ne!(old[0], names(&[1], "wx1", "p")[0]);
        assert!(!old[0].keys().contains("{wx1:o"));
    }

    #[test]
    fn the_print_of_a_key_is_its_own() {
        let names = Names::new(&[key(1)]);
        assert_eq!(names.print("a"), names.print("a"));
        assert_ne!(names.print("a"), names.print("b"));
        assert_ne!(names.print("a"), Names::new(&[key(2)]).print("a"));
    }

    #[test]
    fn slots_are_those_of_redis() {
        // CLUSTER KEYSLOT says so.
        for (name, expected) in [
            ("123456789", 12739),
            ("foo", 12182),
            ("{user1000}.following", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
        ] {
            assert_eq!(slot(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_is_heard_of_is_known_again_and_belongs_together(id: [u8; 16], openid in "[A-Za-z0-9_-]{1,30}") {
            let id = SessionId::from_bytes(id);
            prop_assert_eq!(Named::of(session(id).as_bytes()), Some(Named::Session(id)));
            prop_assert_eq!(Named::of(used(id).as_bytes()), None);
            prop_assert_eq!(slot(&session(id)), slot(&used(id)));
            for name in names(&[1, 2], "wx1", &openid) {
                prop_assert_eq!(Named::of(name.keys().as_bytes()), Some(Named::Keys(name.hash)));
                prop_assert_eq!(Named::of(name.sessions().as_bytes()), None);
                prop_assert_eq!(slot(&name.keys()), slot(&name.sessions()));
            }
        }

        #[test]
        fn any_name_is_known_or_not(name: Vec<u8>) {
            let _ = Named::of(&name);
        }
    }
}
