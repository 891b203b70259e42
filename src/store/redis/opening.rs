//! A login, as it is taken over into Redis. Knows nothing of who logs in.

use std::sync::Arc;

use redis::{Value, cmd};

use super::RedisStore;
use super::fault::Fault;
use super::keys::{self, UserName};
use super::near::Subject;
use super::places::{self, Listed};
use super::record::Read;
use super::scripts;
use super::servers::Ask;
use crate::domain::clock::millis;
use crate::domain::identity::Identity;
use crate::domain::session::{Session, SessionKey, User, UserKeys};
use crate::domain::session_id::SessionId;
use crate::domain::token::Skey;
use crate::store::sealing::SealError;
use crate::store::{Gone, OpenError, Opened};

impl RedisStore {
    /// Opens a session of a user who has just logged in.
    pub(in crate::store) async fn open(
        &self,
        identity: Identity,
        key: SessionKey,
    ) -> Result<Opened, OpenError> {
        let skey = Skey::generate()?;
        let (this, id) = (self.clone(), skey.digest().session_id());
        let opening = async move { this.log_in(id, identity, key).await };
        let session = self.run("open", opening).await?;
        Ok(Opened { skey, session })
    }

    async fn log_in(
        &self,
        id: SessionId,
        identity: Identity,
        key: SessionKey,
    ) -> Result<Arc<Session>, Fault> {
        let Identity {
            app,
            openid,
            unionid,
            account,
        } = identity;
        let names = self.0.names.of_user(&app, &openid);
        let (name, former) = names
            .split_first()
            .ok_or(Fault::Garbage("nobody is named"))?;
        let now = self.now();
        let (keys, listed) = self.join(name, former, id, &key).await?;
        let user = Arc::new(User::new(app, openid, keys));
        let session = Session::open(user, unionid, account, self.limits(), now);
        self.put(id, &session).await?;
        self.make_way(name, listed).await?;
        Ok(Arc::new(session))
    }

    /// Takes the login over into what is known of its user, and gives back their keys, and the sessions of theirs if those
    /// may be too many.
    async fn join(
        &self,
        name: &UserName,
        former: &[UserName],
        id: SessionId,
        key: &SessionKey,
    ) -> Result<(UserKeys, Vec<Listed>), Fault> {
        let records = &self.0.records;
        let before = self.former_key(name, former).await?;
        let (now, lifetime) = (self.now(), self.limits().lifetime);
        let number = |number: u64| number.to_string().into_bytes();
        let ask = Ask::Script {
            script: &scripts::LOG_IN,
            names: vec![name.keys(), name.sessions()],
            args: vec![
                records.write_key(name, key)?,
                self.0.names.print(key.reveal()).into_bytes(),
                number(millis(lifetime + super::MARGIN)),
                id.to_string().into_bytes(),
                number(now.after(lifetime).as_millis()),
                number(now.as_millis()),
                before,
                number(self.0.most.map_or(0, |most| most.get() as u64)),
            ],
        };
        let written = self.write(&name.keys(), &ask).await;
        // Nobody tells this gateway, and it may be done even where no answer came.
        self.0.shared.near.change(Subject::User(name.hash));
        let answer = written?;
        let listed = places::listed(&answer.value);
        let keys = self.read_keys(name, answer.value)?;
        let keys = keys.ok_or(Fault::Garbage("it did not take the key"))?;
        Ok((keys, listed))
    }

    /// The key that a user has under a former name, as the one before under this name; nothing if there is none.
    async fn former_key(&self, name: &UserName, former: &[UserName]) -> Result<Vec<u8>, Fault> {
        for one in former {
            let keys = one.keys();
            let mut command = cmd("HMGET");
            command.arg(&keys).arg(&["c"]);
            let answer = self.ask(&keys, &Ask::Command(command)).await?;
            if let Some(known) = self.read_keys(one, answer.value)? {
                return Ok(self.0.records.write_key(name, &known.current)?);
            }
        }
        Ok(Vec::new())
    }

    /// Puts a session where nothing is yet. One that has made way meanwhile is not put, and that is told to who comes with
    /// it; one that was revoked is not opened.
    pub(super) async fn put(&self, id: SessionId, session: &Session) -> Result<(), Fault> {
        let name = keys::session(id);
        let value = self.0.records.write(id, session)?;
        let (_, kept_for) = self.kept_for(session, self.now());
        let mut command = cmd("SET");
        command.arg(&name).arg(value).arg("PX").arg(kept_for);
        command.arg("NX").arg("GET");
        let ask = Ask::Command(command);
        match self.write(&name, &ask).await?.value {
            Value::Nil => Ok(()),
            there => match self.read(id, Value::Array(vec![there]))? {
                Read::Gone(Gone::Replaced) => Ok(()),
                Read::Gone(Gone::Unknown) | Read::Session(_) | Read::Nothing => Err(Fault::Revoked),
            },
        }
    }
}

impl From<SealError> for Fault {
    fn from(error: SealError) -> Self {
        Self::Unsealed(error.to_string())
    }
}
