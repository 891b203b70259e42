//! What the gateway would do with a request, told instead of done. Knows the rules, and asks nobody.

mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName};
use http::{HeaderValue, Method, Request, Uri};

use crate::config::plan::{
    Action, Apps, Forward, Guard, PhoneRoute, Plan, Recipient, RoutePlan, Verdict,
};
use crate::domain::cors::Cors;
use crate::domain::header_text::HeaderText;
use crate::domain::identity::{Account, App, Identity, WechatId};
use crate::domain::path::RequestPath;
use crate::domain::peer::{Peer, Scheme};
use crate::domain::route::NoRoute;
use crate::endpoints::{check_method, phone, rotate, verdict};
use crate::upstream::{Changes, Outbound, Sealer};
use crate::wire::body::Inbound;
use crate::wire::framing::lists_upgrade;
use crate::wire::head;
use crate::wire::original::original;
use crate::wire::refusal::Refusal;
use crate::wire::request_id::RequestId;
use crate::wire::rewrite::Cleaner;
use crate::wire::websocket::{self, Handshake};

use words::{
    apps_in_words, edits_in_words, guard_in_words, limits, line, login_in_words, pages_in_words,
    prefix_in_words, script_in_words, told_first, upstream_in_words,
};

/// A request that nobody made.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its address: `http://host/path?query`, or just `/path?query`.
    pub uri: Uri,
    /// Its headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The host of a question that names none.
const SOME_HOST: &str = "localhost";
/// What stands for the user of whichever session comes with the request.
const SOME_USER: &str = "OPENID-OF-THE-SESSION";
/// The same across apps.
const SOME_UNION_USER: &str = "UNIONID-OF-THE-SESSION";
/// The same as a backend may know them, and whatever else it may say of them.
const SOME_LOCAL_USER: &str = "USER-ID-OF-THE-SESSION";
const SOME_CLAIM: &str = "CLAIM-OF-THE-SESSION";
/// The address of a client that is nobody's: it is set aside for examples.
const SOME_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Tells which route `question` falls under and what would be forwarded, in lines for people.
///
/// # Errors
///
/// The refusal that it would get before any session is looked at.
pub fn explain(plan: &Plan, question: Question) -> Result<String, Refusal> {
    let head = question.into_head();
    let host = head::check(&head)?;
    let uri = head.uri.clone();
    let path = RequestPath::parse(uri.path())?;
    if let Some(told) = told_before(plan, &path, host.name(), &head) {
        return Ok(told);
    }
    let route = route(plan, &path, host.name(), &head.method)?;
    match route.action {
        Action::Forward(_) | Action::Verdict(_) => {}
        Action::Phone(_) => phone::check_method(&head.method)?,
        Action::Login { .. } | Action::Check { .. } | Action::Logout { .. } => {
            check_method(&head.method)?;
        }
        Action::Rotate { .. } => rotate::check_method(&head.method)?,
    }
    let mut told = format!("route     {}\n", route.label);
    limits(plan, &route.action, &mut told);
    match &route.action {
        Action::Login(login) => {
            line(&mut told, "action", &login_in_words(&login.apps));
            if let Some(to) = &login.on_login {
                line(&mut told, "on login", &told_first(plan, to));
            }
        }
        Action::Check { .. } => line(&mut told, "action", "check of a session"),
        Action::Rotate { .. } => line(&mut told, "action", "a new skey for a session"),
        Action::Logout { .. } => line(&mut told, "action", "logout"),
        Action::Phone(to) => told.push_str(&told_on(plan, to, route, head, &path)?),
        Action::Verdict(to) => told.push_str(&answered(plan, to, head)?),
        Action::Forward(to) => told.push_str(&sent_on(plan, to, route, head, &path)?),
    }
    if let Some(cors) = &route.cors {
        line(&mut told, "pages", &pages_in_words(cors));
    }
    Ok(told)
}

/// What a browser is told before a request of a page, if it asks.
fn told_before(
    plan: &Plan,
    path: &RequestPath<'_>,
    host: &str,
    head: &http::request::Parts,
) -> Option<String> {
    let wanted = Cors::asked(&head.method, &head.headers)?;
    let route = route(plan, path, host, &wanted).ok()?;
    let answer = route.cors.as_ref()?.answer(Cors::origin(&head.headers));
    let mut told = String::new();
    line(&mut told, "route", &route.label);
    line(
        &mut told,
        "action",
        "answer to a browser that asks for a page",
    );
    for (name, value) in &answer {
        let value = String::from_utf8_lossy(value.as_bytes());
        line(&mut told, "", &format!("{name}: {value}"));
    }
    Some(told)
}

impl Question {
    fn into_head(self) -> http::request::Parts {
        let host = self
            .uri
            .authority()
            .map_or(SOME_HOST, |authority| authority.as_str());
        let host = HeaderValue::from_str(host).ok();
        let mut head = Request::new(()).into_parts().0;
        head.method = self.method;
        head.uri = self.uri;
        head.headers.extend(host.map(|host| (HOST, host)));
        for (name, value) in self.headers {
            if name == HOST {
                head.headers.insert(name, value);
            } else {
                head.headers.append(name, value);
            }
        }
        head
    }
}

fn route<'a>(
    plan: &'a Plan,
    path: &RequestPath<'_>,
    host: &str,
    method: &Method,
) -> Result<&'a RoutePlan, Refusal> {
    let found = plan.route_table.find(path, host, method)?;
    plan.routes
        .get(found)
        .ok_or_else(|| Refusal::from(NoRoute::NotFound))
}

/// What a route with an upstream does with a request.
fn sent_on(
    plan: &Plan,
    to: &Forward,
    route: &RoutePlan,
    mut head: http::request::Parts,
    path: &RequestPath<'_>,
) -> Result<String, Refusal> {
    let mut told = String::new();
    line(&mut told, "guard", guard_in_words(to.guard));
    let is_guarded = to.guard != Guard::None;
    if is_guarded {
        line(&mut told, "sessions", &apps_in_words(&to.apps, plan));
    }
    if let Some(field) = &to.open_data {
        let text = format!("encryptedData and iv are opened into {field}");
        line(&mut told, "open data", &text);
        let tokens = &plan.sessions.token;
        head.uri = Cleaner { field, tokens }.target(&head.uri)?;
    }
    if to.websocket {
        let idle = plan.server.websocket_idle;
        let text = format!("may be opened, and ends after {idle:?} of silence");
        line(&mut told, "websocket", &text);
    }
    let handshake = handshake(plan, to, &head)?;
    line(&mut told, "upstream", &upstream_in_words(plan, to.upstream));
    let identity = is_guarded.then(|| some_identity(plan, &to.apps)).flatten();
    let onward = (route, to.upstream, handshake.as_ref());
    told.push_str(&forwarded(plan, onward, head, path, identity.as_ref())?);
    Ok(told)
}

/// What a request that wants to become a WebSocket asks, if it does and may.
fn handshake(
    plan: &Plan,
    to: &Forward,
    head: &http::request::Parts,
) -> Result<Option<Rc<Handshake>>, Refusal> {
    let mut connection = head.headers.get_all(CONNECTION).iter();
    let upgrades = connection.any(|value| lists_upgrade(value.as_bytes()));
    if !upgrades || !websocket::is_asked(&head.headers) {
        return Ok(None);
    }
    if !to.websocket {
        return Err(websocket::not_taken());
    }
    let handshake = Handshake::read(head, false, &plan.sessions.token)?;
    Ok(Some(Rc::new(handshake)))
}

/// What a route does with a phone code.
fn told_on(
    plan: &Plan,
    to: &PhoneRoute,
    route: &RoutePlan,
    mut head: http::request::Parts,
    path: &RequestPath<'_>,
) -> Result<String, Refusal> {
    let mut told = String::new();
    line(&mut told, "action", "phone number for the code in the body");
    line(&mut told, "guard", guard_in_words(Guard::Required));
    line(&mut told, "sessions", &apps_in_words(&to.apps, plan));
    match &to.recipient {
        Recipient::Client(_) => line(&mut told, "number", "goes to the client, in the response"),
        Recipient::Upstream { upstream, field } => {
            line(&mut told, "number", &format!("goes on in {field}"));
            let tokens = &plan.sessions.token;
            head.uri = Cleaner { field, tokens }.target(&head.uri)?;
            line(&mut told, "upstream", &upstream_in_words(plan, *upstream));
            let identity = some_identity(plan, &to.apps);
            let onward = (route, *upstream, None);
            told.push_str(&forwarded(plan, onward, head, path, identity.as_ref())?);
        }
    }
    Ok(told)
}

/// What a proxy in front is told that asks about a request.
fn answered(plan: &Plan, route: &Verdict, head: http::request::Parts) -> Result<String, Refusal> {
    let front = route.front.as_str();
    let mut told = String::new();
    line(
        &mut told,
        "action",
        &format!("verdict for a trusted proxy in front ({front})"),
    );
    let original = original(route.front, head)?;
    let host = head::check(&original)?;
    RequestPath::parse(original.uri.path())?;
    let (method, uri) = (&original.method, &original.uri);
    line(
        &mut told,
        "about",
        &format!("{method} {uri} of {}", host.name()),
    );
    line(&mut told, "guard", guard_in_words(route.guard));
    line(&mut told, "sessions", &apps_in_words(&route.apps, plan));
    let peer = Peer::new(Some(SOME_CLIENT), Scheme::Http, &[SOME_CLIENT.into()]);
    if let Some(proxy) = peer.as_front_proxy() {
        let identity = some_identity(plan, &route.apps);
        let facts = identity.as_ref().map(Identity::facts);
        let answer = verdict::answer(proxy, route.front, &plan.identity, facts);
        line(&mut told, "answered", answer.status().as_str());
        for header in &plan.identity.headers {
            let value = answer
                .headers()
                .get(&header.name)
                .map(HeaderValue::as_bytes);
            let value = String::from_utf8_lossy(value.unwrap_or_default());
            line(
                &mut told,
                "",
                format!("{}: {value}", header.name).trim_end(),
            );
        }
    }
    Ok(told)
}

fn forwarded(
    plan: &Plan,
    (route, upstream, websocket): (&RoutePlan, usize, Option<&Rc<Handshake>>),
    mut head: http::request::Parts,
    path: &RequestPath<'_>,
    identity: Option<&Identity>,
) -> Result<String, Refusal> {
    let mut told = String::new();
    let mut changed = None;
    if let Some(change) = &route.changes.prefix {
        line(&mut told, "prefix", &prefix_in_words(change));
        changed = Some(plan.route_table.lead_on(path, change)?);
    }
    let sessions = plan.sessions.clone();
    let sealer = Sealer::new(plan.identity.clone(), sessions.token, sessions.beside);
    let upstream = plan.upstreams.get(upstream);
    let path = changed.as_ref().unwrap_or(path);
    if let Some(scripts) = upstream.and_then(|upstream| upstream.fastcgi.as_ref()) {
        scripts.scripts.check(path)?;
        line(&mut told, "script", &script_in_words(scripts, path));
    }
    let request = sealer.seal(Outbound {
        head: &mut head,
        path,
        body: Inbound::Whole(Bytes::new()),
        peer: &Peer::new(Some(SOME_CLIENT), Scheme::Http, &[]),
        request_id: &RequestId::generate(),
        identity: identity.map(Identity::facts),
        event: None,
        changes: Changes {
            websocket,
            ..Changes::of(upstream).under(&route.changes)
        },
    });
    let shown = request.shown();
    let shown = shown.trim_end().replace('\n', "\n          ");
    line(&mut told, "forwarded", &shown);
    if let Some(edits) = &route.changes.response {
        line(&mut told, "answer", &edits_in_words(edits));
    }
    Ok(told)
}

fn some_identity(plan: &Plan, apps: &Apps) -> Option<Identity> {
    let app: Option<&Arc<App>> = plan
        .apps
        .iter()
        .map(|plan| &plan.app)
        .find(|app| apps.include(app));
    Some(Identity {
        app: Arc::clone(app?),
        openid: WechatId::parse(SOME_USER)?,
        unionid: WechatId::parse(SOME_UNION_USER),
        account: some_account(plan, apps),
    })
}

/// What a backend may have said of a user of `apps`; nothing if none is told of their logins.
fn some_account(plan: &Plan, apps: &Apps) -> Account {
    let is_told = plan.routes.iter().any(|route| match &route.action {
        Action::Login(login) => {
            login.on_login.is_some() && login.apps.all().any(|app| apps.include(app))
        }
        Action::Check { .. }
        | Action::Rotate { .. }
        | Action::Logout { .. }
        | Action::Phone(_)
        | Action::Verdict(_)
        | Action::Forward(_) => false,
    });
    if !is_told {
        return Account::default();
    }
    let claims = plan.identity.claims.iter();
    Account {
        user_id: HeaderText::parse(SOME_LOCAL_USER).ok(),
        claims: claims.map(|_| HeaderText::parse(SOME_CLAIM).ok()).collect(),
    }
}
