//! Whether a request may pass that a proxy in front asks about. Nothing is forwarded.

use bytes::Bytes;
use http::Response;
use http::request::Parts;

use super::Gateway;
use super::visit::Visit;
use crate::config::plan::{Action, Verdict};
use crate::domain::front::Front;
use crate::domain::path::RequestPath;
use crate::domain::peer::Peer;
use crate::domain::refusal::RefusalCode;
use crate::endpoints::verdict;
use crate::wire::body::Inbound;
use crate::wire::head;
use crate::wire::original::original;
use crate::wire::refusal::Refusal;

impl Gateway {
    /// Holds the original request to all that a request is held to that the gateway forwards, and tells whose it is.
    pub(super) async fn verdict(
        &self,
        route: &Verdict,
        head: Parts,
        peer: &Peer,
        visit: &mut Visit,
    ) -> Result<Response<Bytes>, Refusal> {
        let proxy = peer.as_front_proxy().ok_or_else(no_front_proxy)?;
        let original = original(route.front, head)?;
        head::check(&original)?;
        RequestPath::parse(original.uri.path())?;
        if let Some(name) = self.sealer.impostor(&original.headers) {
            let reason = format!("a backend could take the header {name} for an identity");
            return Err(Refusal::bad_request(reason));
        }
        let no_body = Inbound::Whole(Bytes::new());
        let admission = self
            .admit(route.guard, &route.apps, &original, no_body)
            .await?;
        visit.app = admission.app();
        let facts = admission.session.as_ref().map(|session| session.facts());
        let identity = &self.shared.plan.identity;
        Ok(verdict::answer(proxy, route.front, identity, facts))
    }

    /// Whether the status of a refusal decides if a request passes elsewhere, so that a config must not make it one of
    /// success. Where no route is known, that is so if any route gives verdicts.
    pub(super) fn decides_elsewhere(&self, visit: &Visit) -> bool {
        let routes = &self.shared.plan.routes;
        let is_verdict = |action: &Action| matches!(action, Action::Verdict(_));
        match visit.route.and_then(|index| routes.get(index)) {
            Some(route) => is_verdict(&route.action),
            None => routes.iter().any(|route| is_verdict(&route.action)),
        }
    }
}

/// Anyone else is told that there is nothing here.
fn no_front_proxy() -> Refusal {
    let reason = "only a peer in trusted_proxies gets an answer here";
    Refusal::new(RefusalCode::RouteNotFound, reason)
}

/// Whether `status` may stand in the place of a refusal's own.
pub(super) fn may_stand(status: http::StatusCode, decides_elsewhere: bool) -> bool {
    !decides_elsewhere || Front::is_refusal(status)
}
