//! Pages of other origins: what a browser is told before their request, and what lets them read the answer to it.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Gateway;
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

    /// Lets the page behind a request read the answer, if the route says so.
    pub(super) fn let_read(&self, visit: &Visit, headers: &mut HeaderMap) {
        let Some(origin) = &visit.page else { return };
        let route = visit
            .route
            .and_then(|index| self.shared.plan.routes.get(index));
        if let Some(cors) = route.and_then(|route| route.cors.as_ref()) {
            cors.let_read(origin.as_ref().as_ref(), headers);
        }
    }
}
