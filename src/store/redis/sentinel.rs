//! The sentinels, and which server they call the master. Knows nothing of what is asked of that.

use redis::{Value, cmd};

use super::connection;
use super::fault::Fault;
use crate::config::plan::{RedisAddress, RedisLogin, RedisPlan};

/// Sentinels that watch over one master.
#[derive(Debug)]
pub(super) struct Sentinels {
    addresses: Vec<RedisAddress>,
    master: String,
    login: RedisLogin,
}

impl Sentinels {
    pub(super) fn new(addresses: Vec<RedisAddress>, master: String, login: RedisLogin) -> Self {
        Self {
            addresses,
            master,
            login,
        }
    }

    /// What they call the master.
    pub(super) fn master(&self) -> &str {
        &self.master
    }

    /// Where the master is, as the first says who answers.
    pub(super) async fn ask(&self, plan: &RedisPlan) -> Result<RedisAddress, Fault> {
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let mut last = Fault::Away("there is no sentinel".to_owned());
        for sentinel in &self.addresses {
            match connection::ask(sentinel, plan, &self.login, &question).await {
                Ok(answer) => match address(&answer) {
                    Some(address) => return Ok(address),
                    None => last = Fault::Away("the sentinels know no such master".to_owned()),
                },
                Err(fault) => last = Fault::Away(format!("no sentinel answers: {fault}")),
            }
        }
        Err(last)
    }

    /// Whether a server says by its role that it is the master, and the sentinels say it too, if any answers.
    pub(super) async fn agree(&self, role: &Value, is: &RedisAddress, plan: &RedisPlan) -> bool {
        let says_so = match role {
            Value::Array(role) => role.first().and_then(text) == Some("master"),
            _ => false,
        };
        says_so && self.ask(plan).await.map_or(true, |told| told == *is)
    }
}

fn address(answer: &Value) -> Option<RedisAddress> {
    let Value::Array(answer) = answer else {
        return None;
    };
    let [host, port] = answer.as_slice() else {
        return None;
    };
    let (host, port) = (text(host)?.to_owned(), text(port)?.parse().ok()?);
    Some(RedisAddress::Tcp { host, port })
}

/// A text in any of the forms that Redis has for one.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
