//! The servers of a Redis, one or many: a command goes to the one that has its names. Knows nothing of what it is for.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value, cmd, pipe};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::fault::Fault;
use super::heard::Heard;
use super::keys;
use super::node::{Link, Node, Shared, Whereabouts};
use super::scripts::Script;
use super::sentinel::Sentinels;
use crate::config::plan::{RedisAddress, RedisServers};

/// How often a command goes on to where it is sent.
const MOST_TRIES: usize = 6;
/// How long to wait where slots are on their way.
const PAUSE: Duration = Duration::from_millis(20);

/// All servers.
#[derive(Debug)]
pub(super) enum Servers {
    /// One, or the master that sentinels name.
    One(Node),
    /// A cluster.
    Many(Arc<Cluster>),
}

/// What is asked, in one slot.
pub(super) enum Ask {
    /// A plain command.
    Command(Cmd),
    /// A script with what it takes.
    Script {
        script: &'static Script,
        names: Vec<String>,
        args: Vec<Vec<u8>>,
    },
}

/// An answer, and the connection over which it came, if what changes of it is told over that.
pub(super) struct Answer {
    pub(super) value: Value,
    pub(super) heard: Option<Arc<Heard>>,
}

impl Servers {
    /// Connects to the servers as the plan has them.
    pub(super) fn start(shared: &Arc<Shared>, control: &Handle) -> Self {
        let whereabouts = match shared.plan.servers.clone() {
            RedisServers::One(address) => Whereabouts::Here(address),
            RedisServers::Sentinel {
                sentinels,
                master,
                login,
            } => Whereabouts::Told(Sentinels::new(sentinels, master, login)),
            RedisServers::Cluster(seeds) => {
                let cluster = Cluster::start(seeds, Arc::clone(shared), control);
                return Self::Many(cluster);
            }
        };
        Self::One(Node::start(whereabouts, Arc::clone(shared), control))
    }

    /// Asks the server that has `name`.
    pub(super) async fn ask(&self, name: &str, ask: &Ask) -> Result<Answer, Fault> {
        match self {
            Self::One(node) => {
                let Link { connection, heard } = node.link()?;
                let asked = put(ask, connection, false).await;
                let asked = asked.inspect_err(|error| {
                    if is_read_only(error) {
                        node.suspect();
                    }
                });
                Ok(Answer {
                    value: asked?,
                    heard: Some(heard),
                })
            }
            Self::Many(cluster) => ask_cluster(cluster, keys::slot(name), ask).await,
        }
    }

    /// The connections to all of them, for what has no slot.
    pub(super) fn links(&self) -> Result<Vec<Link>, Fault> {
        match self {
            Self::One(node) => Ok(vec![node.link()?]),
            Self::Many(cluster) => {
                let masters = cluster.masters();
                if masters.is_empty() {
                    return Err(Fault::Away("the cluster was not found yet".to_owned()));
                }
                masters.iter().map(|node| node.link()).collect()
            }
        }
    }
}

/// Asks the master that has a slot, or whom it names instead.
async fn ask_cluster(cluster: &Cluster, slot: u16, ask: &Ask) -> Result<Answer, Fault> {
    let mut last = Fault::Away("the cluster is being made up otherwise".to_owned());
    for _ in 0..MOST_TRIES {
        let node = cluster.master(slot)?;
        let Link { connection, heard } = match node.link() {
            Ok(link) => link,
            Err(fault) => {
                // It may be another one's by now.
                cluster.doubt();
                return Err(fault);
            }
        };
        let error = match put(ask, connection, false).await {
            Ok(value) => {
                let heard = Some(heard);
                return Ok(Answer { value, heard });
            }
            Err(error) => error,
        };
        last = Fault::from(&error);
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => cluster.look_again().await,
            ErrorKind::Server(ServerErrorKind::TryAgain) => sleep(PAUSE).await,
            ErrorKind::Server(ServerErrorKind::Ask) => {
                match ask_other(cluster, &error, ask).await {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => last = fault,
                }
                sleep(PAUSE).await;
            }
            _ => {
                cluster.doubt();
                return Err(last);
            }
        }
    }
    Err(last)
}

/// Asks the server that takes over a slot. What it says is not kept: it may not be the one who tells what changes.
async fn ask_other(cluster: &Cluster, error: &RedisError, ask: &Ask) -> Result<Answer, Fault> {
    let (host, port) = error
        .redirect_node()
        .and_then(|(address, _)| address.rsplit_once(':'))
        .ok_or(Fault::Garbage("it names no server to ask"))?;
    let port = port
        .parse()
        .map_err(|_| Fault::Garbage("it names no port to ask"))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let other = cluster.other(&RedisAddress::Tcp { host, port });
    let link = other.first_link().await?;
    let value = put(ask, link.connection, true).await?;
    let heard = None;
    Ok(Answer { value, heard })
}

/// Puts a question to a server. To one that does not have the slot yet it is said that this is known.
async fn put(
    ask: &Ask,
    mut connection: MultiplexedConnection,
    is_known: bool,
) -> Result<Value, RedisError> {
    let Ask::Script {
        script,
        names,
        args,
    } = ask
    else {
        let Ask::Command(command) = ask else {
            return Ok(Value::Nil);
        };
        return send(command, &mut connection, is_known).await;
    };
    let run = |(verb, what): (&str, &str)| {
        let mut command = cmd(verb);
        command.arg(what).arg(names.len()).arg(names);
        for arg in args {
            command.arg(arg.as_slice());
        }
        command
    };
    let named = run(script.by_name());
    match send(&named, &mut connection, is_known).await {
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            send(&run(script.by_text()), &mut connection, is_known).await
        }
        sent => sent,
    }
}

async fn send(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
    is_known: bool,
) -> Result<Value, RedisError> {
    if !is_known {
        return command.query_async(connection).await;
    }
    let mut both = pipe();
    both.cmd("ASKING").ignore().add_command(command.clone());
    let (value,) = both.query_async::<(Value,)>(connection).await?;
    Ok(value)
}

fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}
