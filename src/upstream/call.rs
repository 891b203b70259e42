//! Calls that wxgate itself makes to a backend, from any thread, over the connections of one worker. Knows nothing of
//! what they say.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Upstreams;
use super::error::{CallError, SendError};
use super::seal::{Changes, Event, Outbound, Sealed, Sealer};
use crate::domain::identity::Identity;
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::wire::body::Inbound;
use crate::wire::request_id::RequestId;

/// How many calls may wait for a worker to take them up.
const QUEUE: usize = 256;
/// What is read of an answer at most, in bytes.
const MOST_READ: usize = 64 * 1024;

/// A call: POST of JSON, on behalf of a client's request.
#[derive(Debug)]
pub struct Call {
    /// Its upstream's place.
    pub upstream: usize,
    /// Where to.
    pub path: RequestPath<'static>,
    /// Why.
    pub event: Event,
    /// About whom.
    pub identity: Identity,
    /// The client's request.
    pub occasion: Occasion,
    /// JSON.
    pub body: Bytes,
}

/// A client's request, as far as a call that it occasions tells of it.
#[derive(Clone, Debug)]
pub struct Occasion {
    host: Option<HeaderValue>,
    peer: Peer,
    request_id: RequestId,
}

/// What a backend answers to a call.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body under a status of success; of other answers it is not read.
    pub body: Bytes,
}

/// The way to a worker that makes calls. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct Caller(mpsc::Sender<Asked>);

/// A call, when it must be done, and where its reply goes.
#[derive(Debug)]
struct Asked {
    call: Call,
    by: Instant,
    reply: oneshot::Sender<Result<Reply, CallError>>,
}

impl Occasion {
    /// Keeps the host, and who asked.
    #[must_use]
    pub fn of(headers: &HeaderMap, peer: &Peer, request_id: &RequestId) -> Self {
        Self {
            host: headers.get(HOST).cloned(),
            peer: peer.clone(),
            request_id: request_id.clone(),
        }
    }

    /// The id of the client's request.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }
}

impl Caller {
    /// Lets the worker of this thread make calls, for as long as there is a caller.
    #[must_use]
    pub fn on_this_thread(sealer: Sealer, upstreams: Rc<Upstreams>) -> Self {
        let (caller, mut calls) = mpsc::channel::<Asked>(QUEUE);
        let sealer = Rc::new(sealer);
        tokio::task::spawn_local(async move {
            while let Some(Asked { call, by, reply }) = calls.recv().await {
                let (sealer, upstreams) = (Rc::clone(&sealer), Rc::clone(&upstreams));
                tokio::task::spawn_local(async move {
                    // Whoever asked may have given up.
                    let _ = reply.send(carry_out(&sealer, &upstreams, call, by).await);
                });
            }
        });
        Self(caller)
    }

    /// Makes a call, all of which takes no longer than `within`.
    ///
    /// # Errors
    ///
    /// No server can be reached, none answers in time or in HTTP, the answer has more than 64 KiB, or the worker has
    /// ended.
    pub async fn call(&self, call: Call, within: Duration) -> Result<Reply, CallError> {
        let by = Instant::now() + within;
        let (reply, replied) = oneshot::channel();
        let calling = async {
            let asked = Asked { call, by, reply };
            self.0.send(asked).await.map_err(|_| CallError::Gone)?;
            replied.await.unwrap_or(Err(CallError::Gone))
        };
        let called = timeout_at(by, calling).await;
        called.unwrap_or(Err(SendError::Timeout(within).into()))
    }
}

async fn carry_out(
    sealer: &Sealer,
    upstreams: &Upstreams,
    call: Call,
    by: Instant,
) -> Result<Reply, CallError> {
    let within = by.saturating_duration_since(Instant::now());
    let upstream = call.upstream;
    let request = seal(sealer, call, Changes::of(upstreams.plan(upstream)));
    let answer = upstreams.send_within(upstream, request, within).await?;
    let status = answer.status();
    if !status.is_success() {
        let body = Bytes::new();
        return Ok(Reply { status, body });
    }
    let reading = Limited::new(answer.into_body(), MOST_READ).collect();
    match timeout_at(by, reading).await {
        Ok(Ok(read)) => Ok(Reply {
            status,
            body: read.to_bytes(),
        }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(CallError::TooLarge(MOST_READ)),
        Ok(Err(error)) => Err(CallError::Broken(error)),
        Err(_) => Err(SendError::Timeout(within).into()),
    }
}

fn seal(sealer: &Sealer, call: Call, changes: Changes<'_>) -> Sealed {
    let Occasion {
        host,
        peer,
        request_id,
    } = call.occasion;
    let mut head = Request::new(()).into_parts().0;
    head.method = Method::POST;
    head.headers.extend(host.map(|host| (HOST, host)));
    let json = HeaderValue::from_static("application/json");
    head.headers.insert(CONTENT_TYPE, json.clone());
    head.headers.insert(ACCEPT, json);
    sealer.seal(Outbound {
        head: &mut head,
        path: &call.path,
        body: Inbound::Whole(call.body),
        peer: &peer,
        request_id: &request_id,
        identity: Some(call.identity.facts()),
        event: Some(call.event),
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{Account, App, WechatId};
    use crate::domain::peer::Scheme;
    use crate::domain::refusal::RefusalCode;
    use crate::wire::refusal::Refusal;
    use std::sync::Arc;

    const SPAN: Duration = Duration::from_secs(5);

    fn call() -> Call {
        let id = |text| WechatId::parse(text).unwrap();
        let app = App {
            name: "shop".to_owned(),
            appid: id("wx1"),
            index: 0,
        };
        let peer = Peer::new(None, Scheme::Http, &[]);
        Call {
            upstream: 0,
            path: RequestPath::parse("/in").unwrap(),
            event: Event::Login,
            identity: Identity {
                app: Arc::new(app),
                openid: id("oAlice"),
                unionid: None,
                account: Account::default(),
            },
            occasion: Occasion::of(&HeaderMap::new(), &peer, &RequestId::generate()),
            body: Bytes::from_static(b"{}"),
        }
    }

    async fn code(caller: &Caller) -> RefusalCode {
        Refusal::from(caller.call(call(), SPAN).await.unwrap_err()).code
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_never_takes_a_call_up_is_waited_for_no_longer_than_for_an_answer() {
        let (sender, calls) = mpsc::channel(1);
        let caller = Caller(sender);
        let since = Instant::now();
        // The first waits in the queue, the second before it.
        assert_eq!(code(&caller).await, RefusalCode::UpstreamTimeout);
        assert_eq!(code(&caller).await, RefusalCode::UpstreamTimeout);
        assert_eq!(since.elapsed(), 2 * SPAN);
        drop(calls);
    }

    #[tokio::test]
    async fn a_worker_that_has_ended_makes_the_backend_unreachable() {
        let (sender, mut calls) = mpsc::channel::<Asked>(1);
        let caller = Caller(sender);
        let (code_of_first, ()) = tokio::join!(code(&caller), async {
            drop(calls.recv().await);
            drop(calls);
        });
        assert_eq!(code_of_first, RefusalCode::UpstreamUnreachable);
        assert_eq!(code(&caller).await, RefusalCode::UpstreamUnreachable);
    }
}
