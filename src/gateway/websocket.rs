//! Requests that become WebSockets: who may, what the backend must say to it, and what becomes of the connection then.
//! Knows no bytes.

mod leave;
mod relay;
mod watch;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::Gateway;
use super::forward::Onward;
use super::outcome::{AnswerBody, OutcomeBody};
use super::visit::Visit;
use crate::config::plan::{Forward, Guard};
use crate::domain::session::Session;
use crate::domain::token::{SkeyDigest, TokenPlace};
use crate::listener::{Answer, Line, Takeover};
use crate::upstream::Tunnel;
use crate::wire::body::Inbound;
use crate::wire::header_lines::HeaderLines;
use crate::wire::refusal::Refusal;
use crate::wire::tokens::find_in_head;
use crate::wire::websocket::{Handshake, VERSION, WEBSOCKET, check_origin, not_taken};

use leave::{Ended, Leave};
use relay::Relay;
pub(super) use watch::Watch;
use watch::Watched;

/// What is known of a request that is to become a WebSocket, at last of the WebSocket itself.
#[derive(Default)]
pub(super) struct Websocket {
    /// The session in whose name it is opened, if that is anybody's.
    guest: Option<(SkeyDigest, Arc<Session>)>,
    /// Once it is open: what is told of it at its end.
    pub(super) told: Option<Told>,
}

/// What is told of a WebSocket at its end.
#[derive(Default)]
pub(super) struct Told {
    /// How many bytes the client sent.
    pub(super) received: u64,
    /// Why it ended, in one word.
    pub(super) ended: &'static str,
}

impl Gateway {
    /// Sends a handshake on as the route says; the answer is the backend's, whether it agrees or not.
    pub(super) async fn open_websocket(
        &self,
        to: &Forward,
        onward: Onward<'_>,
        mut head: Parts,
        body: Inbound,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        visit.upstream = Some(to.upstream);
        if !to.websocket {
            return Err(not_taken());
        }
        let tokens = &self.shared.plan.sessions.token;
        let handshake = Rc::new(Handshake::read(&head, !body.is_empty(), tokens)?);
        if to.guard != Guard::None {
            let host = onward.peer.host().or(head.headers.get(HOST));
            check_origin(&head, host, onward.route.cors.as_ref(), tokens)?;
        }
        let mut admission = self.admit(to.guard, &to.apps, &head, body).await?;
        visit.app = admission.app();
        if let Some(websocket) = &mut visit.websocket {
            websocket.guest = digest(tokens, &head).zip(admission.session.clone());
        }
        if let Some(field) = &to.open_data {
            admission = self.open_data(field, &mut head, admission).await?;
        }
        let onward = Onward {
            websocket: Some(&handshake),
            ..onward
        };
        self.forward(to.upstream, onward, &mut head, admission, visit)
            .await
    }

    /// The answer to a request that wanted to become a WebSocket. If it does, the connection is taken over; if not, it
    /// ends: what the client may have sent behind its handshake is no request.
    pub(super) fn switch(
        &self,
        answer: Response<AnswerBody>,
        mut passing: HeaderLines,
        mut visit: Box<Visit>,
    ) -> Answer<OutcomeBody> {
        let (mut head, body) = answer.into_parts();
        let tunnel = match body {
            AnswerBody::Upstream(body) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                body.into_tunnel()
            }
            body => {
                head.headers
                    .insert(CONNECTION, HeaderValue::from_static("close"));
                if visit.refusal.is_some() {
                    head.headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
                }
                let body = OutcomeBody::new(body, visit);
                return Answer {
                    response: Response::from_parts(head, body),
                    passing,
                    takeover: None,
                };
            }
        };
        passing.push(CONNECTION.as_str(), b"upgrade");
        passing.push(UPGRADE.as_str(), WEBSOCKET.as_bytes());
        let guest = visit
            .websocket
            .as_mut()
            .and_then(|websocket| websocket.guest.take());
        let watched = guest.map(|(digest, session)| self.watch.begin(digest, session));
        let idle = self.shared.plan.server.websocket_idle;
        visit.opened();
        let takeover = match tunnel {
            Some(tunnel) => Takeover::by(move |line| carry(line, tunnel, visit, watched, idle)),
            // With nothing behind it the connection just ends.
            None => Takeover::by(|_| std::future::ready(())),
        };
        Answer {
            response: Response::from_parts(head, OutcomeBody::nothing()),
            passing,
            takeover: Some(takeover),
        }
    }
}

/// Carries an open WebSocket to its end.
async fn carry(
    line: Line,
    tunnel: Tunnel,
    visit: Box<Visit>,
    watched: Option<Rc<Watched>>,
    idle: Duration,
) {
    let stop = line.stop();
    let leave = async {
        tokio::select! {
            biased;
            lost = Watched::ended(watched.as_deref()) => Leave::Session(lost),
            () = stop.wait() => Leave::Stop,
        }
    };
    let relay = Relay::new(line, tunnel, idle);
    let mut open = Open { relay, visit };
    if let Some(watched) = &watched {
        open.relay.heard = Rc::clone(&watched.heard);
    }
    open.relay.run(leave).await;
}

/// An open WebSocket, whose visit ends with it, be it that the worker ends first.
struct Open {
    relay: Relay<Line, Tunnel>,
    visit: Box<Visit>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let (relay, visit) = (&self.relay, &mut self.visit);
        visit.bytes = relay.sent();
        visit.is_whole = relay.is_whole();
        if let Some(websocket) = &mut visit.websocket {
            websocket.told = Some(Told {
                received: relay.received(),
                ended: relay.ended().map_or("cut", Ended::as_str),
            });
        }
    }
}

/// The digest of the token that a head holds.
fn digest(tokens: &[TokenPlace], head: &Parts) -> Option<SkeyDigest> {
    let token = tokens.iter().find_map(|place| find_in_head(place, head));
    SkeyDigest::of(&token?)
}
