//! Passing a request on to a backend, as its route says. Knows nothing of who let it pass.

use std::rc::Rc;

use http::Response;
use http::request::Parts;
use tokio::time::Instant;

use super::Gateway;
use super::admit::Admission;
use super::outcome::AnswerBody;
use super::visit::Visit;
use crate::config::plan::{FastCgiPlan, RoutePlan};
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::prefix::PrefixChange;
use crate::upstream::{Changes, Outbound, Sealed};
use crate::wire::refusal::Refusal;
use crate::wire::websocket::Handshake;

/// What is asked for, under which rule, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Onward<'a> {
    pub(super) route: &'a RoutePlan,
    pub(super) path: &'a RequestPath<'a>,
    pub(super) peer: &'a Peer,
    /// The WebSocket that it is to become.
    pub(super) websocket: Option<&'a Rc<Handshake>>,
}

impl<'a> Onward<'a> {
    /// What stays a request.
    pub(super) fn of(route: &'a RoutePlan, path: &'a RequestPath<'a>, peer: &'a Peer) -> Self {
        Self {
            route,
            path,
            peer,
            websocket: None,
        }
    }
}

impl Gateway {
    /// Sends a request to the upstream at a place, and gives its answer.
    pub(super) async fn forward(
        &self,
        upstream: usize,
        onward: Onward<'_>,
        head: &mut Parts,
        admission: Admission,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let admission = match self.upstreams.scripts(upstream) {
            Some(scripts) if !admission.body.is_measured() => {
                Box::pin(self.measured(scripts, admission)).await?
            }
            _ => admission,
        };
        let sealed = self.seal(upstream, onward, head, admission, visit)?;
        visit.seat = self.shared.crowds.enter(upstream).await?;
        let since = Instant::now();
        let answer = self.upstreams.send(upstream, sealed).await;
        visit.upstream_took = Some(since.elapsed());
        Ok(answer?.map(AnswerBody::upstream))
    }

    /// Makes of what is asked what goes out.
    fn seal(
        &self,
        upstream: usize,
        onward: Onward<'_>,
        head: &mut Parts,
        admission: Admission,
        visit: &Visit,
    ) -> Result<Sealed, Refusal> {
        let Onward {
            route,
            path,
            peer,
            websocket,
        } = onward;
        let Admission { session, body } = admission;
        let changed = match &route.changes.prefix {
            Some(change) => Some(self.lead_on(path, change)?),
            None => None,
        };
        let path = changed.as_deref().unwrap_or(path);
        if let Some(scripts) = self.upstreams.scripts(upstream) {
            scripts.scripts.check(path)?;
        }
        Ok(self.sealer.seal(Outbound {
            head,
            path,
            body,
            peer,
            request_id: &visit.request_id,
            identity: session.as_ref().map(|session| session.facts()),
            event: None,
            changes: Changes {
                websocket,
                ..Changes::of(self.upstreams.plan(upstream)).under(&route.changes)
            },
        }))
    }

    /// What scripts are sent, which are told the length of a body before it comes: where the client does not tell it, the
    /// body is read first.
    async fn measured(
        &self,
        scripts: &FastCgiPlan,
        admission: Admission,
    ) -> Result<Admission, Refusal> {
        let Admission { session, body } = admission;
        let within = self.shared.plan.server.idle_timeout;
        let body = body.measured(scripts.max_chunked_body, within).await?;
        Ok(Admission { session, body })
    }

    /// The path with another beginning; in a box, since few have one.
    fn lead_on(
        &self,
        path: &RequestPath<'_>,
        change: &PrefixChange,
    ) -> Result<Box<RequestPath<'static>>, Refusal> {
        let changed = self.shared.plan.route_table.lead_on(path, change)?;
        Ok(Box::new(changed))
    }
}
