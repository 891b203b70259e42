//! One connection to a server of Redis: made, secured, greeted, and told to say what changes. Knows nothing of which server
//! to take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, Value, cmd,
};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::fault::Fault;
use super::keys::{KEYS, Named, SESSION};
use super::near::Near;
use crate::config::plan::{BackendTls, RedisAddress, RedisLogin, RedisPlan};

/// After how long a silent connection is probed, and how often.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How the gateway calls itself.
const NAME: &str = env!("CARGO_PKG_NAME");

/// What moves the bytes of a connection until it ends.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Connects to a server that holds sessions, and has it say to `near` whatever changes.
pub(super) async fn connect(
    address: &RedisAddress,
    plan: &RedisPlan,
    near: Arc<Near>,
) -> Result<(MultiplexedConnection, Driver), Fault> {
    let config = config(plan).set_push_sender(move |push: PushInfo| {
        hear(&near, &push);
        Ok::<_, std::convert::Infallible>(())
    });
    let info = info(&plan.login).set_db(plan.database);
    let info = info.set_protocol(ProtocolVersion::RESP3);
    let connecting = async {
        let (mut connection, driver) = open(address, plan.tls.as_ref(), &info, config).await?;
        // Nothing is asked before this was answered, but somebody has to carry the answer.
        let mut driver = driver;
        let mut tracking = cmd("CLIENT");
        tracking
            .arg(&["TRACKING", "ON", "BCAST", "NOLOOP"])
            .arg(&["PREFIX", SESSION, "PREFIX", KEYS]);
        let told = tracking.query_async::<Value>(&mut connection);
        tokio::select! {
            told = told => told?,
            () = &mut driver => return Err(Fault::Away("the connection broke".to_owned())),
        };
        Ok((connection, driver))
    };
    timeout(plan.timeout, connecting)
        .await
        .unwrap_or(Err(Fault::Slow))
}

/// Connects to a server that is only asked where the others are.
pub(super) async fn ask(
    address: &RedisAddress,
    plan: &RedisPlan,
    login: &RedisLogin,
    question: &redis::Cmd,
) -> Result<Value, Fault> {
    let asking = async {
        let info = info(login);
        let opening = open(address, plan.tls.as_ref(), &info, config(plan));
        let (mut connection, driver) = opening.await?;
        let answer = question.query_async::<Value>(&mut connection);
        tokio::select! {
            answer = answer => Ok(answer?),
            () = driver => Err(Fault::Away("the connection broke".to_owned())),
        }
    };
    timeout(plan.timeout, asking)
        .await
        .unwrap_or(Err(Fault::Slow))
}

async fn open(
    address: &RedisAddress,
    tls: Option<&BackendTls>,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Driver), Fault> {
    let (host, port) = match address {
        RedisAddress::Unix(path) => {
            return greet(UnixStream::connect(path).await?, info, config).await;
        }
        RedisAddress::Tcp { host, port } => (host.as_str(), *port),
    };
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    let Some(tls) = tls else {
        return greet(stream, info, config).await;
    };
    let name = match &tls.server_name {
        Some(name) => name.clone(),
        None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
    };
    let connector = TlsConnector::from(tls.config.clone());
    greet(connector.connect(name, stream).await?, info, config).await
}

async fn greet<C>(
    stream: C,
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Driver), Fault>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let greeting = MultiplexedConnection::new_with_config(info, stream, config);
    let (connection, driver) = greeting.await?;
    Ok((connection, Box::pin(driver)))
}

fn config(plan: &RedisPlan) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_response_timeout(Some(plan.timeout))
}

fn info(login: &RedisLogin) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_lib_name(NAME, env!("CARGO_PKG_VERSION"));
    if let Some(username) = &login.username {
        info = info.set_username(username);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password.reveal());
    }
    info
}

/// Takes what a server says unasked. This runs where answers are read, in the order in which they came.
fn hear(near: &Near, push: &PushInfo) {
    if push.kind != PushKind::Invalidate {
        return;
    }
    match push.data.first() {
        Some(Value::Array(names)) => {
            for name in names {
                if let Value::BulkString(name) = name
                    && let Some(named) = Named::of(name)
                {
                    near.change(named.into());
                }
            }
        }
        // All of it was flushed, or something is said that nobody here understands.
        _ => near.change_all(),
    }
}
