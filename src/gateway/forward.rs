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
use crate::upstream::{Changes, Outbound, Sealed};
use crate::wire::refusal::Refusal;
use crate::wire::request_id::RequestId;

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
        head: Parts,
        admission: Admission,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let sealed = self.seal(upstream, onward, head, admission, &visit.request_id)?;
        let since = Instant::now();
        let answer = self.upstreams.send(upstream, sealed).await;
        visit.upstream_took = Some(since.elapsed());
        let mut answer = answer?.map(AnswerBody::upstream);
        if let Some(edits) = &onward.route.changes.response {
            edits.apply(answer.headers_mut());
        }
        Ok(answer)
    }

    fn seal(
        &self,
        upstream: usize,
        onward: Onward<'_>,
        head: Parts,
        admission: Admission,
        request_id: &RequestId,
    ) -> Result<Sealed, Refusal> {
        let Onward { route, path, peer } = onward;
        let Admission { session, body } = admission;
        let prefix = route.changes.prefix.as_ref();
        let changed = self.shared.plan.route_table.lead_on(path, prefix)?;
        Ok(self.sealer.seal(Outbound {
            head,
            path: changed.as_ref().unwrap_or(path),
            body,
            peer,
            request_id,
            identity: session.as_ref().map(|session| session.facts()),
            event: None,
            changes: Changes::of(self.upstreams.plan(upstream)).under(&route.changes),
        }))
    }
}
