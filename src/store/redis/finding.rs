//! Sessions and keys that are asked for. Knows nothing of how they came there.

use std::sync::Arc;

use redis::{Value, cmd};

use super::RedisStore;
use super::fault::Fault;
use super::form::Unread;
use super::heard::Heard;
use super::keys::{self, UserName};
use super::near::{NearSession, NearUser, Subject};
use super::record::{Read, Record};
use super::scripts;
use super::servers::{Answer, Ask};
use crate::domain::clock::Timestamp;
use crate::domain::identity::{App, WechatId};
use crate::domain::session::{Session, User, UserKeys};
use crate::domain::session_id::SessionId;
use crate::domain::token::SkeyDigest;
use crate::store::{Found, Gone, Trouble};

impl RedisStore {
    /// What a digest leads to, asked of Redis.
    pub(in crate::store) async fn find(
        &self,
        digest: &SkeyDigest,
        now: Timestamp,
    ) -> Result<Found, Trouble> {
        let (this, id) = (self.clone(), digest.session_id());
        self.run("find", async move { this.fetch(id, now).await })
            .await
    }

    /// The keys of a user.
    pub(in crate::store) async fn keys(
        &self,
        app: usize,
        openid: &WechatId,
    ) -> Result<Option<UserKeys>, Trouble> {
        let Some(app) = self.0.records.cast().apps.get(app).cloned() else {
            return Ok(None);
        };
        let (this, openid) = (self.clone(), openid.clone());
        let asking = async move {
            let user = this.user(&app, &openid, None).await?;
            Ok(user.map(|near| near.user.keys.keys()))
        };
        self.run("keys", asking).await
    }

    pub(super) async fn fetch(&self, id: SessionId, now: Timestamp) -> Result<Found, Fault> {
        let near = &self.0.shared.near;
        let ticket = near.ticket(Subject::Session(id));
        let Answer { value, heard } = self.look(id).await?;
        let record = match self.read(id, value)? {
            Read::Session(record) => record,
            read @ (Read::Gone(_) | Read::Nothing) => {
                let gone = read.gone();
                near.keep_gone(ticket, id, gone, now);
                return Ok(Found::Gone(gone));
            }
        };
        let by_login = Some((&record.keys, heard.as_ref()));
        let user = self.user(&record.app, &record.openid, by_login).await?;
        let Some(user) = user else {
            return Err(Fault::Garbage("it has a session of nobody"));
        };
        let session = Arc::new(record.session(Arc::clone(&user.user), self.limits()));
        if let Some(used) = near.last_used(id) {
            session.touch(used);
        }
        if session.has_ended(now) {
            near.keep_gone(ticket, id, Gone::Unknown, now);
            return Ok(Found::Gone(Gone::Unknown));
        }
        if let Some(heard) = heard {
            let known = NearSession::new(id, Arc::clone(&session), user, heard);
            near.keep(ticket, Arc::new(known));
        }
        Ok(Found::Session(session))
    }

    /// The session of this name as it is in Redis now, with the keys of its login; it may have ended by its times.
    pub(super) async fn peek(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        let answer = self.look(id).await?;
        Ok(match self.read(id, answer.value)? {
            Read::Session(record) => Some(self.alone(*record)),
            Read::Gone(_) | Read::Nothing => None,
        })
    }

    /// A session that is looked at and not used.
    pub(super) fn alone(&self, record: Record) -> Session {
        let (app, openid) = (Arc::clone(&record.app), record.openid.clone());
        let user = User::new(app, openid, record.keys.clone());
        record.session(Arc::new(user), self.limits())
    }

    /// What is read of a session: `[value, last use, …]`.
    pub(super) fn read(&self, id: SessionId, answer: Value) -> Result<Read, Fault> {
        let Value::Array(parts) = answer else {
            return Err(Fault::Garbage("it gives no list for a session"));
        };
        let mut parts = parts.into_iter();
        let value = match parts.next() {
            Some(Value::BulkString(value)) => value,
            Some(Value::Nil) => return Ok(Read::Nothing),
            _ => return Err(Fault::Garbage("it gives no text for a session")),
        };
        let used = match parts.next() {
            Some(Value::BulkString(digits)) => Some(moment(&digits)?),
            _ => None,
        };
        let read = self.0.records.read(id, value, used, self.now());
        read.map_err(|_: Unread| Fault::Garbage("a session is damaged"))
    }

    pub(super) async fn look(&self, id: SessionId) -> Result<Answer, Fault> {
        let name = keys::session(id);
        let ask = Ask::Script {
            script: &scripts::FIND,
            names: vec![name.clone(), keys::used(id)],
            args: Vec::new(),
        };
        self.ask(&name, &ask).await
    }

    /// A user with their keys: those that are near, those that Redis has, or those of the login that was found.
    async fn user(
        &self,
        app: &Arc<App>,
        openid: &WechatId,
        by_login: Option<(&UserKeys, Option<&Arc<Heard>>)>,
    ) -> Result<Option<Arc<NearUser>>, Fault> {
        let near = &self.0.shared.near;
        let names = self.0.names.of_user(app, openid);
        let now = self.now();
        if let Some(user) = names.first().and_then(|name| near.user(name.hash, now)) {
            return Ok(Some(user));
        }
        let subject = |name: &UserName| near.ticket(Subject::User(name.hash));
        let tickets: Vec<_> = names.iter().map(subject).collect();
        let mut found = None;
        for name in &names {
            found = self.ask_keys(name).await?;
            if found.is_some() {
                break;
            }
        }
        let by_login = || by_login.map(|(keys, heard)| (keys.clone(), heard.cloned()));
        let Some((keys, heard)) = found.or_else(by_login) else {
            return Ok(None);
        };
        let user = Arc::new(User::new(Arc::clone(app), openid.clone(), keys));
        // What nobody is told of is not believed for a moment.
        let heard_of = heard.clone().unwrap_or_else(|| Arc::new(Heard::never()));
        let user = NearUser::new(user, heard_of);
        if heard.is_some() {
            for (name, ticket) in names.iter().zip(tickets) {
                near.keep_user(ticket, name.hash, &user);
            }
        }
        Ok(Some(user))
    }

    async fn ask_keys(
        &self,
        name: &UserName,
    ) -> Result<Option<(UserKeys, Option<Arc<Heard>>)>, Fault> {
        let keys = name.keys();
        let mut command = cmd("HMGET");
        command.arg(&keys).arg(&["c", "p"]);
        let Answer { value, heard } = self.ask(&keys, &Ask::Command(command)).await?;
        let found = self.read_keys(name, value)?;
        Ok(found.map(|keys| (keys, heard)))
    }

    /// What is read of a user: `[current, previous, …]`.
    pub(super) fn read_keys(
        &self,
        name: &UserName,
        answer: Value,
    ) -> Result<Option<UserKeys>, Fault> {
        let Value::Array(parts) = answer else {
            return Err(Fault::Garbage("it gives no list for keys"));
        };
        let mut texts = parts.into_iter().map(|part| match part {
            Value::BulkString(text) => Some(text),
            _ => None,
        });
        let Some(current) = texts.next().flatten() else {
            return Ok(None);
        };
        let read = self
            .0
            .records
            .read_keys(name, current, texts.next().flatten());
        read.map_err(|_| Fault::Garbage("the keys of a user are damaged"))
    }
}

/// A moment as it is written.
pub(super) fn moment(digits: &[u8]) -> Result<Timestamp, Fault> {
    let digits = std::str::from_utf8(digits).ok();
    let number = digits.and_then(|digits| digits.parse().ok());
    let millis = number.ok_or(Fault::Garbage("it gives no time for a use"))?;
    Ok(Timestamp::from_millis(millis))
}
