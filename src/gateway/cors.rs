//! What a route adds to answers: above all for pages of other origins, before their request and after it.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::Gateway;
use super::outcome::{AnswerBody, unfold};
use super::visit::Visit;
use crate::domain::cors::Cors;
use crate::domain::host::Host;
use crate::domain::path::RequestPath;

/// The page that makes a request, as far as any route wants to know; in a box, since few do.
pub(super) type Page = Option<Box<Option<HeaderValue>>>;

impl Gateway {
    /// The page behind a request, where there is a route that lets pages read.
    pub(super) fn page(&self, head: &Parts) -> Page {
        let read = || Box::new(Cors::origin(&head.headers).cloned());
        self.has_cors.then(read)
    }

    /// The answer to a browser that asks whether a page may make a request. It needs neither a session nor a backend, and
    /// is given where the route of that request lets pages read.
    pub(super) fn preflight(
        &self,
        head: &Parts,
        path: &RequestPath<'_>,
        host: Host<'_>,
        visit: &mut Visit,
    ) -> Option<Response<Bytes>> {
        if !self.has_cors {
            return None;
        }
        let wanted = Cors::asked(&head.method, &head.headers)?;
        let plan = &self.shared.plan;
        let index = plan.route_table.find(path, host.name(), &wanted).ok()?;
        let cors = plan.routes.get(index)?.cors.as_ref()?;
        visit.route = Some(index);
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let page = visit.page.take()?;
        *answer.headers_mut() = cors.answer(page.as_ref().as_ref());
        Some(answer)
    }

    /// Changes the headers of an answer as the route says, and lets the page behind the request read it.
    pub(super) fn finish(&self, answer: &mut Response<AnswerBody>, visit: &Visit) {
        let route = visit
            .route
            .and_then(|index| self.shared.plan.routes.get(index));
        let Some(route) = route else { return };
        let is_of_backend = matches!(answer.body(), AnswerBody::Upstream(_));
        if let Some(edits) = route.changes.response.as_ref().filter(|_| is_of_backend) {
            edits.apply(unfold(answer));
        }
        if let (Some(cors), Some(page)) = (&route.cors, &visit.page) {
            cors.let_read(page.as_ref().as_ref(), unfold(answer));
        }
    }
}
