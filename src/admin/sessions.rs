//! `/api/sessions`: which sessions there are, and that some of them end. Knows neither tokens nor connections.

mod asked;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tracing::info;

use super::answer::{Answer, bad_request, error, json, no_entry, not_taken};
use crate::domain::identity::{App, WechatId};
use crate::store::{ListError, Revoked, Row, Store, Trouble};
use crate::wire::body::{self, READ_LIMIT};
use crate::wire::refusal::Refusal;
use asked::Bad;

/// The path that all others here begin with.
pub(super) const PATH: &str = "/api/sessions";
/// Until the body of a request is whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// All that is needed to look at sessions and to end them.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// The apps, each at its index, and each of which may be called by its name or its appid.
    pub apps: Vec<Arc<App>>,
    /// Where the sessions are.
    pub store: Store,
}

impl Sessions {
    /// Answers a request to what follows [`PATH`], from `peer`.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let method = request.method().clone();
        let is_read = matches!(method, Method::GET | Method::HEAD);
        let path = request.uri().path().to_owned();
        let answered = match path.strip_prefix(PATH) {
            Some("") if is_read => self.list(request.uri().query().unwrap_or_default()).await,
            Some("") => return not_taken("GET, HEAD"),
            Some("/revoke") if method == Method::POST => self.revoke(request, peer).await,
            Some("/revoke") => return not_taken("POST"),
            Some(id) => match id.strip_prefix('/') {
                Some(id) if is_read => self.show(id).await,
                Some(id) if method == Method::DELETE => self.revoke_one(id, peer).await,
                Some(_) => return not_taken("GET, HEAD, DELETE"),
                None => return no_entry(),
            },
            None => return no_entry(),
        };
        answered.unwrap_or_else(Unanswered::told)
    }

    async fn list(&self, query: &str) -> Result<Answer, Unanswered> {
        let listing = asked::listing(query, &self.apps)?;
        let page = self.store.list(listing).await?;
        let rows: Vec<_> = page.rows.iter().map(|row| self.told(row)).collect();
        Ok(ok(&json!({"sessions": rows, "next": page.next})))
    }

    async fn show(&self, id: &str) -> Result<Answer, Unanswered> {
        let row = self.store.show(asked::id(id)?).await?;
        Ok(ok(&self.told(&row.ok_or(Unanswered::NoSession)?)))
    }

    async fn revoke_one(&self, id: &str, peer: IpAddr) -> Result<Answer, Unanswered> {
        let id = asked::id(id)?;
        let row = self.store.show(id).await?.ok_or(Unanswered::NoSession)?;
        let revoked = self.end(Revoked::Session(id), row.app, peer).await?;
        if revoked == 0 {
            return Err(Unanswered::NoSession);
        }
        Ok(ok(&json!({"revoked": revoked})))
    }

    async fn revoke(&self, request: Request<Incoming>, peer: IpAddr) -> Result<Answer, Unanswered> {
        let body = body::read(request.into_body(), READ_LIMIT, BODY_TIMEOUT).await?;
        let (app, openid) = asked::revoked(&body, &self.apps)?;
        let revoked = match openid {
            Some(openid) => Revoked::User { app, openid },
            None => Revoked::App(app),
        };
        let revoked = self.end(revoked, app, peer).await?;
        Ok(ok(&json!({"revoked": revoked})))
    }

    async fn end(&self, revoked: Revoked, app: usize, peer: IpAddr) -> Result<u64, Trouble> {
        let what = match revoked {
            Revoked::Session(_) => "session",
            Revoked::User { .. } => "user",
            Revoked::App(_) => "app",
        };
        let (store, app) = (self.store.clone(), self.name(app).to_owned());
        let revoking = async move {
            let count = store.revoke(revoked).await?;
            info!(app, what, sessions = count, %peer, "an operator has revoked sessions");
            Ok(count)
        };
        // It is done and logged even if nobody waits for its end.
        let revoking = tokio::spawn(revoking).await;
        revoking.unwrap_or_else(|error| Err(Trouble::new(format!("it broke off: {error}"))))
    }

    /// A session as it is shown.
    fn told(&self, row: &Row) -> Value {
        json!({
            "id": row.id.to_string(),
            "app": self.name(row.app),
            "openid": row.openid.as_str(),
            "unionid": row.unionid.as_ref().map(WechatId::as_str),
            "last_used": row.last_used.to_string(),
            "expires": row.expires_at.to_string(),
        })
    }

    fn name(&self, app: usize) -> &str {
        self.apps.get(app).map_or("", |app| app.name.as_str())
    }
}

/// Why there is no answer to what was asked.
#[derive(Debug)]
enum Unanswered {
    Bad(Bad),
    NoSession,
    /// The body cannot be had, or the store not be asked.
    Refused(Refusal),
}

impl Unanswered {
    fn told(self) -> Answer {
        match self {
            Self::Bad(bad) => bad_request(&bad.to_string()),
            Self::NoSession => {
                let message = "no session has this id: it may have ended";
                error(StatusCode::NOT_FOUND, "not_found", message)
            }
            Self::Refused(refusal) => error(
                refusal.code.status(),
                refusal.code.as_str(),
                refusal.message,
            ),
        }
    }
}

impl From<Bad> for Unanswered {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Trouble> for Unanswered {
    fn from(trouble: Trouble) -> Self {
        Self::Refused(trouble.into())
    }
}

impl From<ListError> for Unanswered {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cursor => Self::Bad(Bad::Cursor),
            ListError::Trouble(trouble) => trouble.into(),
        }
    }
}

fn ok(body: &Value) -> Answer {
    json(StatusCode::OK, body)
}
