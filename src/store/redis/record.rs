//! Sessions and keys as Redis keeps them: what each value says, and what that is in the config of today. Knows no
//! connections.

use std::sync::Arc;

use super::form::{Form, Unread, Value};
use super::keys::{self, UserName};
use crate::domain::clock::Timestamp;
use crate::domain::identity::{Account, App, WechatId};
use crate::domain::session::{Session, SessionKey, SessionLimits, User, UserKeys};
use crate::domain::session_id::SessionId;
use crate::store::sealing::SealError;
use crate::store::state::casting::Casting;
use crate::store::state::record::{KeptSession, Preface, Reader, put_preface, put_session};
use crate::store::{Cast, Gone};

/// How sessions are written and read, by the config of today.
#[derive(Debug)]
pub(super) struct Records {
    form: Form,
    cast: Cast,
    limits: SessionLimits,
}

/// A session as it was found, before its user's keys are known.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) app: Arc<App>,
    pub(super) openid: WechatId,
    /// The key of its login.
    pub(super) keys: UserKeys,
    unionid: Option<WechatId>,
    account: Account,
    expires_at: Timestamp,
    last_used: Timestamp,
}

/// What was found under the name of a session.
#[derive(Debug)]
pub(super) enum Read {
    Session(Box<Record>),
    /// One that was ended, or is not believed.
    Gone(Gone),
    /// None, and no mark of one.
    Nothing,
}

impl Read {
    /// Why there is no session, where there is none.
    pub(super) fn gone(&self) -> Gone {
        match self {
            Self::Gone(gone) => *gone,
            Self::Session(_) | Self::Nothing => Gone::Unknown,
        }
    }
}

impl Records {
    pub(super) fn new(form: Form, cast: Cast, limits: SessionLimits) -> Self {
        Self { form, cast, limits }
    }

    pub(super) fn limits(&self) -> SessionLimits {
        self.limits
    }

    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    /// A session, written.
    pub(super) fn write(&self, id: SessionId, session: &Session) -> Result<Vec<u8>, SealError> {
        let facts = session.facts();
        let claims = match facts.account {
            Some(account) if !account.claims.is_empty() => self.cast.claims.clone(),
            _ => Vec::new(),
        };
        let preface = Preface {
            appids: vec![facts.app.appid.as_str().to_owned()],
            claims,
        };
        let mut text = Vec::new();
        put_preface(&preface, &mut text);
        put_session(session, &mut text);
        self.form.write(&keys::session(id), &text)
    }

    /// What `value` says, which is under the name of a session. One that was last used at another time than it says has
    /// that beside it.
    pub(super) fn read(
        &self,
        id: SessionId,
        value: Vec<u8>,
        used: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Read, Unread> {
        let text = match self.form.read(&keys::session(id), value) {
            Ok(Value::Text(text)) => text,
            Ok(Value::Mark(gone, until)) if now < until => return Ok(Read::Gone(gone)),
            // It is too long ago, or of keys that are not believed here.
            Ok(Value::Mark(..)) | Err(Unread::Foreign) => return Ok(Read::Gone(Gone::Unknown)),
            Err(Unread::Broken) => return Err(Unread::Broken),
        };
        let mut reader = Reader::new(&text);
        let broken = |_| Unread::Broken;
        let preface = reader.preface().map_err(broken)?;
        let kept = reader.session().map_err(broken)?;
        if !reader.is_empty() {
            return Err(Unread::Broken);
        }
        let casting = Casting::of(&preface, &self.cast.apps, &self.cast.claims);
        // The place is one in the config that wrote; here there is only one.
        let Some(app) = casting.app(0).map_err(broken)? else {
            return Ok(Read::Gone(Gone::Unknown));
        };
        let account = casting.account(kept.account.clone()).map_err(broken)?;
        Ok(Read::Session(Box::new(Record::of(
            kept, app, account, used,
        ))))
    }

    /// A user's key, written.
    pub(super) fn write_key(
        &self,
        user: &UserName,
        key: &SessionKey,
    ) -> Result<Vec<u8>, SealError> {
        self.form.write(&user.keys(), key.reveal().as_bytes())
    }

    /// A user's keys. One of an encryption key that is gone is lost.
    pub(super) fn read_keys(
        &self,
        user: &UserName,
        current: Vec<u8>,
        previous: Option<Vec<u8>>,
    ) -> Result<Option<UserKeys>, Unread> {
        let Some(current) = self.read_key(user, current)? else {
            return Ok(None);
        };
        let previous = match previous.filter(|value| !value.is_empty()) {
            Some(value) => self.read_key(user, value)?,
            None => None,
        };
        // The same key comes again under another print when the encryption key is another.
        let previous = previous.filter(|previous| *previous != current);
        Ok(Some(UserKeys { current, previous }))
    }

    fn read_key(&self, user: &UserName, value: Vec<u8>) -> Result<Option<SessionKey>, Unread> {
        match self.form.read(&user.keys(), value) {
            Ok(Value::Text(text)) => {
                let text = std::str::from_utf8(&text).map_err(|_| Unread::Broken)?;
                Ok(Some(SessionKey::new(text)))
            }
            Err(Unread::Foreign) => Ok(None),
            Ok(Value::Mark(..)) | Err(Unread::Broken) => Err(Unread::Broken),
        }
    }
}

impl Record {
    fn of(kept: KeptSession, app: Arc<App>, account: Account, used: Option<Timestamp>) -> Self {
        let last_used = used.map_or(kept.last_used, |used| used.max(kept.last_used));
        Self {
            app,
            openid: kept.user.openid,
            keys: kept.user.keys,
            unionid: kept.unionid,
            account,
            expires_at: kept.expires_at,
            last_used,
        }
    }

    /// The session of `user`, whose it is, with the limits of today.
    pub(super) fn session(self, user: Arc<User>, limits: SessionLimits) -> Session {
        let times = (self.expires_at, self.last_used);
        Session::kept(user, self.unionid, self.account, times, limits.idle)
    }
}
