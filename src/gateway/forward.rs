//! Passing a request on to a backend, as its route says. Knows nothing of who let it pass.

use http::Response;
use http::request::Parts;
use tokio::time::Instant;

use super::Gateway;
use super::admit::Admission;
use super::outcome::AnswerBody;
use super::visit::Visit;
use crate::config::plan::RoutePlan;
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::prefix::PrefixChange;
use crate::upstream::{Changes, Outbound};
use crate::wire::refusal::Refusal;

/// What is asked for, under which rule, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Onward<'a> {
    pub(super) route: &'a RoutePlan,
    pub(super) path: &'a RequestPath<'a>,
    pub(super) peer: &'a Peer,
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
        let scripts = self.upstreams.scripts(upstream);
        if scripts.is_some() && !admission.body.is_measured() {
            let measuring = self.measure_and_forward(upstream, onward, head, admission, visit);
            return Box::pin(measuring).await;
        }
        let sealed = {
            let Onward { route, path, peer } = onward;
            let Admission { session, body } = admission;
            let changed = match &route.changes.prefix {
                Some(change) => Some(self.lead_on(path, change)?),
                None => None,
            };
            let path = changed.as_deref().unwrap_or(path);
            if let Some(scripts) = scripts {
                scripts.scripts.check(path)?;
            }
            self.sealer.seal(Outbound {
                head,
                path,
                body,
                peer,
                request_id: &visit.request_id,
                identity: session.as_ref().map(|session| session.facts()),
                event: None,
                changes: Changes::of(self.upstreams.plan(upstream)).under(&route.changes),
            })
        };
        visit.seat = self.shared.crowds.enter(upstream).await?;
        let since = Instant::now();
        let answer = self.upstreams.send(upstream, sealed).await;
        visit.upstream_took = Some(since.elapsed());
        Ok(answer?.map(AnswerBody::upstream))
    }

    /// The same for scripts, which are told the length of a body before it comes, where the client does not tell it.
    async fn measure_and_forward(
        &self,
        upstream: usize,
        onward: Onward<'_>,
        head: &mut Parts,
        admission: Admission,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let Admission { session, body } = admission;
        let most = self
            .upstreams
            .scripts(upstream)
            .map(|scripts| scripts.max_chunked_body);
        let within = self.shared.plan.server.idle_timeout;
        let body = body.measured(most.unwrap_or(0), within).await?;
        let admission = Admission { session, body };
        Box::pin(self.forward(upstream, onward, head, admission, visit)).await
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
