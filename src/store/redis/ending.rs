//! Sessions that end before their time: at their client's wish, or an operator's. Knows nothing of who asks.

use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::{Value, cmd};

use super::RedisStore;
use super::fault::Fault;
use super::form;
use super::keys::{self, SESSIONS};
use super::near::{NearSession, Subject};
use super::record::Read;
use super::scripts;
use super::sentinel::text;
use super::servers::Ask;
use crate::domain::clock::{Timestamp, millis};
use crate::domain::session::Session;
use crate::domain::session_id::SessionId;
use crate::domain::token::SkeyDigest;
use crate::store::{Gone, Revoked, Trouble};

/// For how long it is known that a session was revoked: longer than any login is under way.
const MARKED: Duration = Duration::from_hours(1);
/// How many sessions or users are under way at a time.
const AT_ONCE: usize = 64;

impl RedisStore {
    /// Ends the session that a digest leads to, if there is one.
    pub(in crate::store) async fn close(&self, digest: &SkeyDigest) -> Result<(), Trouble> {
        let (this, id) = (self.clone(), digest.session_id());
        let closing = async move {
            let name = keys::session(id);
            let ask = Ask::Script {
                script: &scripts::CLOSE,
                names: vec![name.clone(), keys::used(id)],
                args: Vec::new(),
            };
            let written = this.write(&name, &ask).await;
            // It may be done even where no answer came.
            this.0.shared.near.change(Subject::Session(id));
            let was = written?.value;
            if let Ok(Read::Session(record)) = this.read(id, Value::Array(vec![was])) {
                this.unlist(id, &this.alone(*record)).await;
            }
            Ok(())
        };
        self.run("close", closing).await
    }

    /// Ends these sessions, and tells how many there were.
    pub(in crate::store) async fn revoke(&self, revoked: Revoked) -> Result<u64, Trouble> {
        let this = self.clone();
        let apps = self.0.records.cast().apps.clone();
        let revoking = async move {
            match revoked {
                Revoked::Session(id) => {
                    let was = this.revoke_one(id).await?;
                    if let Some(session) = &was {
                        this.unlist(id, session).await;
                    }
                    Ok(u64::from(was.is_some()))
                }
                Revoked::User { app, openid } => {
                    let Some(app) = apps.get(app) else {
                        return Ok(0);
                    };
                    let names = this.0.names.of_user(app, &openid);
                    let lists = names.iter().map(keys::UserName::sessions);
                    this.revoke_all(lists.collect()).await
                }
                Revoked::App(app) => {
                    let Some(app) = apps.get(app) else {
                        return Ok(0);
                    };
                    this.revoke_app(app.appid.as_str()).await
                }
            }
        };
        self.run("revoke", revoking).await
    }

    /// Notes a use of a session that stands.
    pub(super) async fn write_use(
        &self,
        near: &NearSession,
        used_at: Timestamp,
    ) -> Result<(), Fault> {
        let (least, usual) = self.kept_for(&near.session, self.now());
        let name = keys::session(near.id);
        let numbers = [used_at.as_millis(), least, usual];
        let ask = Ask::Script {
            script: &scripts::TOUCH,
            names: vec![name.clone(), keys::used(near.id)],
            args: numbers.map(|number| number.to_string().into()).into(),
        };
        let written = self.write(&name, &ask).await.map(|_| ());
        let outcome = written.as_ref().err().map_or("ok", Fault::outcome);
        self.0.metrics.store_request("touch", outcome);
        written
    }

    /// Ends a session, whether it is there or just being opened, and gives back what stood there.
    pub(super) async fn mark(
        &self,
        id: SessionId,
        why: Gone,
        until: Timestamp,
    ) -> Result<Option<Session>, Fault> {
        let name = keys::session(id);
        let kept_for = self.now().until(until).max(MARKED);
        let ask = Ask::Script {
            script: &scripts::MARK,
            names: vec![name.clone(), keys::used(id)],
            args: vec![
                form::mark(why, until),
                millis(kept_for).to_string().into_bytes(),
            ],
        };
        let written = self.write(&name, &ask).await;
        // It may be done even where no answer came.
        self.0.shared.near.change(Subject::Session(id));
        let was = written?.value;
        // Whatever it was, it is no more.
        let Ok(Read::Session(record)) = self.read(id, was) else {
            return Ok(None);
        };
        let session = self.alone(*record);
        let stood = !session.has_ended(self.now());
        Ok(stood.then_some(session))
    }

    async fn revoke_one(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        let until = self.now().after(MARKED);
        self.mark(id, Gone::Unknown, until).await
    }

    /// Takes a session that was ended out of its user's list. If that fails, its id stays there and leads nowhere.
    async fn unlist(&self, id: SessionId, session: &Session) {
        let user = session.user();
        for name in self.0.names.of_user(&user.app, &user.openid) {
            let _ = self.remove(&name.sessions(), &[id]).await;
        }
    }

    pub(super) async fn remove(&self, list: &str, ids: &[SessionId]) -> Result<(), Fault> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut command = cmd("ZREM");
        command.arg(list);
        for id in ids {
            command.arg(id.to_string());
        }
        self.write(list, &Ask::Command(command)).await.map(|_| ())
    }

    /// The ids in a user's list.
    pub(super) async fn ids(&self, list: &str) -> Result<Vec<SessionId>, Fault> {
        let mut command = cmd("ZRANGE");
        command.arg(list).arg(0).arg(-1);
        match self.ask(list, &Ask::Command(command)).await?.value {
            Value::Array(ids) => Ok(ids
                .iter()
                .filter_map(|id| SessionId::parse(text(id)?))
                .collect()),
            _ => Err(Fault::Garbage("it gives no list of sessions")),
        }
    }

    /// Ends all sessions in these lists.
    async fn revoke_all(&self, lists: Vec<String>) -> Result<u64, Fault> {
        let revoking = lists.into_iter().map(|list| async move {
            let ids = self.ids(&list).await?;
            let marking = ids.clone().into_iter().map(|id| self.revoke_one(id));
            let was: Vec<_> = stream::iter(marking)
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            self.remove(&list, &ids).await?;
            Ok::<_, Fault>(was.into_iter().flatten().count() as u64)
        });
        let counts: Vec<_> = stream::iter(revoking)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(counts.iter().sum())
    }

    /// Ends all sessions of an app: those of each of its users that any server has.
    async fn revoke_app(&self, appid: &str) -> Result<u64, Fault> {
        let pattern = format!("{SESSIONS}{{{appid}:*");
        let mut count = 0;
        for server in self.0.servers.links()? {
            let mut cursor = 0;
            loop {
                let (next, lists) = self.scan(server.clone(), cursor, &pattern).await?;
                count += self.revoke_all(lists).await?;
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        Ok(count)
    }
}
