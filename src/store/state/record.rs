//! What is written of users and sessions, byte by byte: to a state file, and to Redis. Knows nothing of files, nor of how
//! its chunks are kept.
//!
//! Numbers are little-endian. A text has its length before it: a byte, or 255 and four more. Apps and claims are places
//! in the lists of the preface, because those in a config may be others by the time that it is read.

use crate::domain::clock::Timestamp;
use crate::domain::header_text::HeaderText;
use crate::domain::identity::{Account, WechatId};
use crate::domain::session::{Session, SessionKey, User, UserKeys};
use crate::domain::token::SkeyDigest;

/// The length from which on a text has it in four bytes.
const LONG: u8 = u8::MAX;
/// The bits of what is there and what is not.
const HAS_PREVIOUS: u8 = 1;
const HAS_UNIONID: u8 = 2;
const HAS_ACCOUNT: u8 = 4;
const HAS_USER_ID: u8 = 8;

/// What a chunk is of: its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// The lists of apps and claims, before all else.
    Preface = 1,
    /// Users.
    Users = 2,
    /// Sessions.
    Sessions = 3,
    /// How many there were of both, behind all else.
    End = 4,
    /// Skeys whose sessions made way for others.
    Replaced = 5,
}

/// The lists that records name places of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Preface {
    /// The appids, in the order of the config that wrote.
    pub(in crate::store) appids: Vec<String>,
    /// What a backend calls the claims, in the same order.
    pub(in crate::store) claims: Vec<String>,
}

/// How many records there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Totals {
    pub(in crate::store) users: u64,
    pub(in crate::store) sessions: u64,
}

/// A user, as far as a session needs one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct KeptUser {
    /// A place in [`Preface::appids`].
    pub(in crate::store) app: u16,
    pub(in crate::store) openid: WechatId,
    pub(in crate::store) keys: UserKeys,
}

/// A session with its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct KeptSession {
    pub(in crate::store) expires_at: Timestamp,
    pub(in crate::store) last_used: Timestamp,
    pub(in crate::store) user: KeptUser,
    pub(in crate::store) unionid: Option<WechatId>,
    /// With its claims in the order of [`Preface::claims`].
    pub(in crate::store) account: Account,
}

/// Bytes that are no such record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Malformed;

type Read<T> = Result<T, Malformed>;

impl Kind {
    /// The kind of a chunk, and what is in it.
    pub(in crate::store) fn of(chunk: &[u8]) -> Read<(Self, Reader<'_>)> {
        let (first, rest) = chunk.split_first().ok_or(Malformed)?;
        let all = [
            Self::Preface,
            Self::Users,
            Self::Sessions,
            Self::End,
            Self::Replaced,
        ];
        let kind = all.into_iter().find(|kind| *kind as u8 == *first);
        Ok((kind.ok_or(Malformed)?, Reader(rest)))
    }
}

pub(in crate::store) fn put_preface(preface: &Preface, out: &mut Vec<u8>) {
    for list in [&preface.appids, &preface.claims] {
        put_u16(u16::try_from(list.len()).unwrap_or(u16::MAX), out);
        for text in list.iter().take(u16::MAX.into()) {
            put_text(text, out);
        }
    }
}

pub(in crate::store) fn put_totals(totals: Totals, out: &mut Vec<u8>) {
    put_u64(totals.users, out);
    put_u64(totals.sessions, out);
}

/// `until` is a moment at or after the user's last login.
pub(in crate::store) fn put_user(user: &User, until: Timestamp, out: &mut Vec<u8>) {
    put_u64(until.as_millis(), out);
    let keys = user.keys.keys();
    put_bits(&[(keys.previous.is_some(), HAS_PREVIOUS)], out);
    put_whom(user, &keys, out);
}

pub(in crate::store) fn put_digest(digest: &SkeyDigest, out: &mut Vec<u8>) {
    out.extend_from_slice(&digest.to_bytes());
}

pub(in crate::store) fn put_session(session: &Session, out: &mut Vec<u8>) {
    let (user, facts) = (session.user(), session.facts());
    let keys = user.keys.keys();
    let user_id = facts.account.and_then(|account| account.user_id.as_ref());
    let bits = [
        (keys.previous.is_some(), HAS_PREVIOUS),
        (facts.unionid.is_some(), HAS_UNIONID),
        (facts.account.is_some(), HAS_ACCOUNT),
        (user_id.is_some(), HAS_USER_ID),
    ];
    put_u64(session.expires_at().as_millis(), out);
    put_u64(session.last_used().as_millis(), out);
    put_bits(&bits, out);
    put_whom(user, &keys, out);
    if let Some(unionid) = facts.unionid {
        put_text(unionid.as_str(), out);
    }
    if let Some(user_id) = user_id {
        put_text(user_id.as_str(), out);
    }
    if let Some(account) = facts.account {
        put_claims(&account.claims, out);
    }
}

/// `until` is the time until which it is told that a session made way.
pub(super) fn put_replaced(digest: &SkeyDigest, until: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(&digest.to_bytes());
    put_u64(until.as_millis(), out);
}

fn put_whom(user: &User, keys: &UserKeys, out: &mut Vec<u8>) {
    put_u16(u16::try_from(user.app.index).unwrap_or(u16::MAX), out);
    put_text(user.openid.as_str(), out);
    put_text(keys.current.reveal(), out);
    if let Some(previous) = &keys.previous {
        put_text(previous.reveal(), out);
    }
}

/// Those that have a value; an empty text stands for the others.
fn put_claims(claims: &[Option<HeaderText>], out: &mut Vec<u8>) {
    put_u16(u16::try_from(claims.len()).unwrap_or(u16::MAX), out);
    for claim in claims.iter().take(u16::MAX.into()) {
        put_text(claim.as_ref().map_or("", HeaderText::as_str), out);
    }
}

fn put_bits(bits: &[(bool, u8)], out: &mut Vec<u8>) {
    let set = bits.iter().filter(|(is_set, _)| *is_set);
    out.push(set.fold(0, |all, (_, bit)| all | bit));
}

fn put_u16(number: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_u64(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(length) if length < LONG => out.push(length),
        _ => {
            out.push(LONG);
            // No text here has four gigabytes; if one had, the chunk would not be read.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// What is left of a chunk.
#[derive(Debug)]
pub(in crate::store) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::store) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::store) fn preface(&mut self) -> Read<Preface> {
        Ok(Preface {
            appids: self.list()?,
            claims: self.list()?,
        })
    }

    pub(in crate::store) fn totals(&mut self) -> Read<Totals> {
        Ok(Totals {
            users: self.u64()?,
            sessions: self.u64()?,
        })
    }

    /// A user, and a moment at or after their last login.
    pub(in crate::store) fn user(&mut self) -> Read<(KeptUser, Timestamp)> {
        let until = Timestamp::from_millis(self.u64()?);
        let bits = self.bits(HAS_PREVIOUS)?;
        Ok((self.whom(bits)?, until))
    }

    pub(in crate::store) fn digest(&mut self) -> Read<SkeyDigest> {
        self.array().map(SkeyDigest::from_bytes)
    }

    pub(in crate::store) fn session(&mut self) -> Read<KeptSession> {
        let expires_at = Timestamp::from_millis(self.u64()?);
        let last_used = Timestamp::from_millis(self.u64()?);
        let bits = self.bits(HAS_PREVIOUS | HAS_UNIONID | HAS_ACCOUNT | HAS_USER_ID)?;
        let user = self.whom(bits)?;
        let unionid = (bits & HAS_UNIONID != 0).then(|| self.id()).transpose()?;
        let account = self.account(bits)?;
        Ok(KeptSession {
            expires_at,
            last_used,
            user,
            unionid,
            account,
        })
    }

    /// The digest of a skey whose session made way, and until when that is told.
    pub(super) fn replaced(&mut self) -> Read<(SkeyDigest, Timestamp)> {
        let digest = SkeyDigest::from_bytes(self.array()?);
        Ok((digest, Timestamp::from_millis(self.u64()?)))
    }

    fn whom(&mut self, bits: u8) -> Read<KeptUser> {
        let (app, openid) = (self.u16()?, self.id()?);
        let current = SessionKey::new(self.text()?);
        let has_previous = bits & HAS_PREVIOUS != 0;
        let previous = has_previous.then(|| self.text()).transpose()?;
        let previous = previous.map(SessionKey::new);
        Ok(KeptUser {
            app,
            openid,
            keys: UserKeys { current, previous },
        })
    }

    fn account(&mut self, bits: u8) -> Read<Account> {
        let has_user_id = bits & HAS_USER_ID != 0;
        let user_id = has_user_id.then(|| self.header_text()).transpose()?;
        let claims = if bits & HAS_ACCOUNT == 0 {
            Box::default()
        } else {
            self.claims()?
        };
        Ok(Account {
            user_id: user_id.flatten(),
            claims,
        })
    }

    fn claims(&mut self) -> Read<Box<[Option<HeaderText>]>> {
        let count = self.u16()?;
        (0..count).map(|_| self.header_text()).collect()
    }

    /// None for an empty text.
    fn header_text(&mut self) -> Read<Option<HeaderText>> {
        match self.text()? {
            "" => Ok(None),
            text => HeaderText::parse(text).map(Some).map_err(|_| Malformed),
        }
    }

    fn list(&mut self) -> Read<Vec<String>> {
        let count = self.u16()?;
        (0..count).map(|_| Ok(self.text()?.to_owned())).collect()
    }

    fn id(&mut self) -> Read<WechatId> {
        WechatId::parse(self.text()?).ok_or(Malformed)
    }

    fn text(&mut self) -> Read<&str> {
        let [short] = self.array()?;
        let length = if short == LONG {
            u32::from_le_bytes(self.array()?)
        } else {
            short.into()
        };
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| Malformed)
    }

    /// Bits of which no others may be set.
    fn bits(&mut self, known: u8) -> Read<u8> {
        let [bits] = self.array()?;
        if bits & !known == 0 {
            Ok(bits)
        } else {
            Err(Malformed)
        }
    }

    fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests;
