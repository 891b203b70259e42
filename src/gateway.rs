//! The journey of a request: checked → routed → admitted → acted on → told. Read this first.
//!
//! Each step is one line of [`Gateway::answer`], and each may end the journey with a refusal.

mod admit;
mod cors;
mod crowds;
mod forward;
mod limits;
mod open_data;
mod outcome;
mod phone;
mod redirect;
mod unread;
mod verdict;
mod visit;
mod websocket;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::request::Parts;
use http::{HeaderMap, Method, Response};

use crate::config::plan::{Action, Login, Plan, RoutePlan, SessionRoute};
use crate::domain::clock::Clock;
use crate::domain::host::Host;
use crate::domain::managed_names::X_REQUEST_ID;
use crate::domain::path::RequestPath;
use crate::domain::peer::{Peer, Scheme};
use crate::domain::route::NoRoute;
use crate::endpoints::login::{Announcer, LoginRequest, Logins};
use crate::endpoints::phone::Phones;
use crate::endpoints::{check, check_method, logout, rotate};
use crate::listener::{Answer, Asked, Handler, Unread};
use crate::metrics::WorkerMetrics;
use crate::store::Store;
use crate::upstream::{self, Caller, Occasion, Sealer, Upstreams};
use crate::wechat::{KeyChecks, Prover};
use crate::wire::body::Inbound;
use crate::wire::forwarded;
use crate::wire::head;
use crate::wire::inflow::Inflow;
use crate::wire::refusal::Refusal;
use crate::wire::websocket::is_asked;

pub use crowds::Crowds;
use forward::Onward;
pub use limits::Limits;
use outcome::{AnswerBody, OutcomeBody};
use verdict::may_stand;
use visit::{Ledger, Visit};
use websocket::Watch;

/// What all workers share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The config.
    pub plan: Arc<Plan>,
    /// The sessions.
    pub store: Store,
    /// How often clients may come.
    pub limits: Arc<Limits>,
    /// How many requests the upstreams have.
    pub crowds: Arc<Crowds>,
    /// The way to WeChat with login codes.
    pub logins: Arc<Logins>,
    /// The way to WeChat with phone codes.
    pub phones: Arc<Phones>,
    /// The way to WeChat with keys that open nothing.
    pub key_checks: Arc<KeyChecks>,
    /// What holds encrypted data against its user.
    pub prover: Prover,
    /// The time.
    pub clock: Clock,
}

/// One worker's gateway. It belongs to one thread.
pub struct Gateway {
    shared: Shared,
    sealer: Sealer,
    upstreams: Rc<Upstreams>,
    caller: Caller,
    ledger: Rc<Ledger>,
    /// The sessions behind WebSockets.
    watch: Rc<Watch>,
    /// Whether any route lets pages of other origins read.
    has_cors: bool,
    /// Whether any route changes what is answered, for that or for another reason.
    changes_answers: bool,
}

impl Gateway {
    /// A gateway with upstream connections and counts of its own. It begins on the runtime that drives it.
    #[must_use]
    pub fn new(shared: Shared, metrics: Arc<WorkerMetrics>) -> Self {
        let plan = Arc::clone(&shared.plan);
        let sessions = plan.sessions.clone();
        let sealer = Sealer::new(plan.identity.clone(), sessions.token, sessions.beside);
        let own = plan.server.hsts.as_ref().map(|_| STRICT_TRANSPORT_SECURITY);
        let hidden = sealer.hidden(own.into_iter().chain([X_REQUEST_ID]));
        let patience = plan.server.idle_timeout;
        let upstreams = Upstreams::new(&plan.upstreams, patience, hidden, &metrics);
        let upstreams = Rc::new(upstreams);
        upstream::watch(&upstreams, &sealer);
        let caller = Caller::on_this_thread(sealer.clone(), Rc::clone(&upstreams));
        let mut routes = plan.routes.iter();
        let has_cors = routes.clone().any(|route| route.cors.is_some());
        let has_edits = routes.any(|route| route.changes.response.is_some());
        let ledger = Rc::new(Ledger::new(&plan, metrics));
        let (store, clock) = (shared.store.clone(), shared.clock.clone());
        let watch = Watch::new(store, clock, sessions.limits.idle);
        Self {
            shared,
            sealer,
            upstreams,
            caller,
            ledger,
            watch,
            has_cors,
            changes_answers: has_cors || has_edits,
        }
    }

    /// The journey. What does not forward is rare, and stands aside, so that a connection does not keep room for it.
    async fn answer(
        &self,
        mut head: Parts,
        body: Inflow,
        peer: &Peer,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let host = head::check(&head)?;
        let uri = head.uri.clone();
        let path = RequestPath::parse(uri.path())?;
        let to_tls = self.to_tls(&head, host, &path, peer);
        if let Some(answer) = to_tls.or_else(|| self.preflight(&head, &path, host, visit)) {
            return Ok(answer.map(AnswerBody::own));
        }
        let route = self.route(&path, host, &head.method, visit)?;
        self.shared.limits.request(peer)?;
        let body = Inbound::new(body, route.max_body)?;
        let onward = Onward::of(route, &path, peer);
        let own = match &route.action {
            Action::Forward(to) if visit.websocket.is_some() => {
                return Box::pin(self.open_websocket(to, onward, head, body, visit)).await;
            }
            Action::Forward(to) => {
                visit.upstream = Some(to.upstream);
                let mut admission = self.admit(to.guard, &to.apps, &head, body).await?;
                visit.app = admission.app();
                if let Some(field) = &to.open_data {
                    admission = Box::pin(self.open_data(field, &mut head, admission)).await?;
                }
                let sent = self.forward(to.upstream, onward, &mut head, admission, visit);
                return sent.await;
            }
            Action::Phone(to) => return Box::pin(self.phone(to, onward, head, body, visit)).await,
            Action::Verdict(verdict) => Box::pin(self.verdict(verdict, head, peer, visit)).await?,
            Action::Login(login) => Box::pin(self.log_in(login, &head, body, peer, visit)).await?,
            Action::Check(to) => Box::pin(self.check(to, &head, body, visit)).await?,
            Action::Rotate(to) => Box::pin(self.rotate_skey(to, &head, body, visit)).await?,
            Action::Logout(to) => Box::pin(self.log_out(to, &head, body)).await?,
        };
        Ok(own.map(AnswerBody::own))
    }

    /// A trusted proxy with the client behind it.
    fn told(&self, head: &Parts, peer: &Peer) -> Peer {
        let server = &self.shared.plan.server;
        let (form, trusted) = (server.proxy_headers, &server.trusted_proxies);
        forwarded::read(&head.headers, peer, form, trusted)
    }

    fn route(
        &self,
        path: &RequestPath<'_>,
        host: Host<'_>,
        method: &Method,
        visit: &mut Visit,
    ) -> Result<&RoutePlan, Refusal> {
        let plan = &self.shared.plan;
        let index = plan.route_table.find(path, host.name(), method)?;
        visit.route = Some(index);
        plan.routes
            .get(index)
            .ok_or_else(|| NoRoute::NotFound.into())
    }

    async fn log_in(
        &self,
        route: &Login,
        head: &Parts,
        body: Inbound,
        peer: &Peer,
        visit: &mut Visit,
    ) -> Result<Response<Bytes>, Refusal> {
        visit.app = route.apps.only().map(|app| app.index);
        check_method(&head.method)?;
        self.shared.limits.login(peer)?;
        let body = self.read_fields(head, body).await?;
        let (app, login) = LoginRequest::read(head, &body, &route.apps)?;
        visit.app = Some(app.index);
        let announcer = route.on_login.as_ref().map(|to| Announcer {
            to: Arc::clone(to),
            caller: self.caller.clone(),
            occasion: Occasion::of(&head.headers, peer, &visit.request_id),
        });
        let (logins, response) = (&self.shared.logins, route.response.as_ref());
        logins.answer(app, login, announcer, response).await
    }

    async fn check(
        &self,
        to: &SessionRoute,
        head: &Parts,
        body: Inbound,
        visit: &mut Visit,
    ) -> Result<Response<Bytes>, Refusal> {
        check_method(&head.method)?;
        let session = self.look_up(&to.apps, head, body).await?;
        visit.app = Some(session.user().app.index);
        let now = self.shared.clock.now();
        Ok(check::answer(&session, now, to.response.as_ref()))
    }

    async fn rotate_skey(
        &self,
        to: &SessionRoute,
        head: &Parts,
        body: Inbound,
        visit: &mut Visit,
    ) -> Result<Response<Bytes>, Refusal> {
        rotate::check_method(&head.method)?;
        let opened = self.rotate(&to.apps, head, body).await?;
        visit.app = Some(opened.session.user().app.index);
        let now = self.shared.clock.now();
        Ok(rotate::answer(&opened, now, to.response.as_ref()))
    }

    async fn log_out(
        &self,
        to: &SessionRoute,
        head: &Parts,
        body: Inbound,
    ) -> Result<Response<Bytes>, Refusal> {
        check_method(&head.method)?;
        let digest = self.digest_to_close(&to.apps, head, body).await?;
        let response = to.response.as_ref();
        logout::answer(&self.shared.store, digest.as_ref(), response).await
    }

    /// Tells browsers to come under TLS from now on, where the config says so and they have.
    fn tell_of_tls(&self, headers: &mut HeaderMap, peer: &Peer) {
        if let Some(hsts) = &self.shared.plan.server.hsts
            && peer.scheme() == Scheme::Https
        {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }

    /// The answer to a refusal, in the shape that the route, else the config, else the table gives it.
    fn tell(&self, refusal: &Refusal, visit: &Visit) -> Response<Bytes> {
        let plan = &self.shared.plan;
        let route = visit.route.and_then(|index| plan.routes.get(index));
        let of_route = route.and_then(|route| route.refusals.get(refusal.code));
        let of_all = plan.refusals.get(refusal.code);
        let decides_elsewhere = self.decides_elsewhere(visit);
        let statuses = [of_route, of_all].into_iter().flatten();
        let mut statuses = statuses.filter_map(|shape| shape.status);
        let status = statuses.find(|status| may_stand(*status, decides_elsewhere));
        let body = of_route
            .and_then(|shape| shape.body.as_ref())
            .or(of_all.and_then(|shape| shape.body.as_ref()));
        let (route, now) = (visit.route, self.shared.clock.now());
        let (code, why) = (refusal.code, refusal.own_words());
        self.ledger.metrics.refusal(code, why, route, now);
        refusal.answer(status, body, &visit.request_id)
    }
}

impl Handler for Gateway {
    type Body = OutcomeBody;

    async fn handle(&self, asked: Asked, peer: &Peer) -> Answer<OutcomeBody> {
        let Asked {
            head,
            body,
            at,
            upgrades,
        } = asked;
        let told = peer.is_trusted();
        let told = told.then(|| Box::new(self.told(&head, peer)));
        let peer = told.as_deref().unwrap_or(peer);
        let mut visit = Box::new(Visit::begin(&head, at, peer, &self.ledger));
        let rest = outcome::Rest::of(&head, &body);
        visit.page = self.page(&head);
        if upgrades && is_asked(&head.headers) {
            visit.websocket = Some(Box::default());
        }
        let mut answer = match self.answer(head, body, peer, &mut visit).await {
            Ok(answer) => answer,
            Err(refusal) => {
                let mut answer = self.tell(&refusal, &visit).map(AnswerBody::own);
                rest.close_if_long(answer.headers_mut());
                visit.refusal = Some(refusal);
                answer
            }
        };
        if self.changes_answers {
            self.finish(&mut answer, &visit);
        }
        self.tell_of_tls(answer.headers_mut(), peer);
        visit.status = Some(answer.status());
        let mut passing = answer.body_mut().take_lines();
        passing.push(X_REQUEST_ID.as_str(), visit.request_id.as_bytes());
        if visit.websocket.is_some() {
            return self.switch(answer, passing, visit);
        }
        Answer {
            passing,
            takeover: None,
            response: answer.map(|body| OutcomeBody::new(body, visit)),
        }
    }

    fn refuse(&self, unread: Unread, peer: &Peer) -> Bytes {
        let (code, reason) = unread::why(unread);
        let mut visit = Visit::unread(peer, &self.ledger);
        let refusal = Refusal::new(code, reason);
        let answer = self.tell(&refusal, &visit);
        let length = u64::try_from(answer.body().len()).unwrap_or(u64::MAX);
        visit.status = Some(answer.status());
        visit.refusal = Some(refusal);
        let written = outcome::written(answer, &visit.request_id);
        visit.bytes = length;
        visit.is_whole = true;
        written
    }
}
