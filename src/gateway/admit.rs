//! Admission: whose request it is, and whether a guard lets it pass.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

use super::Gateway;
use crate::config::plan::{Apps, Guard};
use crate::domain::clock::Timestamp;
use crate::domain::refusal::RefusalCode;
use crate::domain::session::Session;
use crate::domain::token::SkeyDigest;
use crate::endpoints::rotate;
use crate::store::{Found, Gone, Opened, Rotated};
use crate::wire::body::Inbound;
use crate::wire::fields::BodyFormat;
use crate::wire::refusal::Refusal;
use crate::wire::tokens;

/// A request that may pass.
pub(super) struct Admission {
    /// On whose behalf; nobody's where the guard allows that.
    pub(super) session: Option<Arc<Session>>,
    /// Its body, which may have been read for a token.
    pub(super) body: Inbound,
}

impl Admission {
    /// The place of the user's app.
    pub(super) fn app(&self) -> Option<usize> {
        let session = self.session.as_ref();
        session.map(|session| session.user().app.index)
    }
}

impl Gateway {
    /// Lets a request pass under the identity of its session, which counts as used, or as `guard` says.
    pub(super) async fn admit(
        &self,
        guard: Guard,
        apps: &Apps,
        head: &Parts,
        body: Inbound,
    ) -> Result<Admission, Refusal> {
        if guard == Guard::None {
            return Ok(Admission {
                session: None,
                body,
            });
        }
        let (token, body) = self.token(head, body).await?;
        let now = self.shared.clock.now();
        let found = match (self.find(apps, token.as_deref(), now).await, guard) {
            (Ok(found), _) => Some(found),
            // Whoever may have a session is not served as if they had none.
            (Err(refusal), Guard::Optional) if refusal.code != RefusalCode::Overloaded => None,
            (Err(refusal), _) => return Err(refusal),
        };
        if let Some((digest, session)) = &found {
            self.shared.store.touch(digest, session, now);
            self.shared.limits.user(session)?;
        }
        let session = found.map(|(_, session)| session);
        Ok(Admission { session, body })
    }

    /// Finds the session of a request without using it.
    pub(super) async fn look_up(
        &self,
        apps: &Apps,
        head: &Parts,
        body: Inbound,
    ) -> Result<Arc<Session>, Refusal> {
        let (token, _) = self.token(head, body).await?;
        let now = self.shared.clock.now();
        let (_, session) = self.find(apps, token.as_deref(), now).await?;
        Ok(session)
    }

    /// Moves the session of a request, which counts as used, to a new skey.
    pub(super) async fn rotate(
        &self,
        apps: &Apps,
        head: &Parts,
        body: Inbound,
    ) -> Result<Opened, Refusal> {
        let (token, _) = self.token(head, body).await?;
        let now = self.shared.clock.now();
        let (digest, session) = self.find(apps, token.as_deref(), now).await?;
        self.shared.store.touch(&digest, &session, now);
        self.shared.limits.user(&session)?;
        let rotated = self.shared.store.rotate(&digest, now).await;
        match rotated.map_err(rotate::refuse)? {
            Rotated::Anew(opened) => Ok(opened),
            Rotated::Gone(gone) => Err(refuse(gone)),
        }
    }

    /// The digest of the skey that a logout names, unless it is not one or leads nowhere: then there is nothing left to
    /// close.
    pub(super) async fn digest_to_close(
        &self,
        apps: &Apps,
        head: &Parts,
        body: Inbound,
    ) -> Result<Option<SkeyDigest>, Refusal> {
        let (token, _) = self.token(head, body).await?;
        let Some(digest) = SkeyDigest::of(&token.ok_or_else(missing)?) else {
            return Ok(None);
        };
        let now = self.shared.clock.now();
        let found = self.shared.store.find(&digest, now).await;
        match found? {
            Found::Session(session) if !apps.include(&session.user().app) => Err(of_another_app()),
            Found::Session(_) => Ok(Some(digest)),
            Found::Gone(_) => Ok(None),
        }
    }

    /// Reads a body that has fields to read, and leaves any other where it is.
    pub(super) async fn read_fields(&self, head: &Parts, body: Inbound) -> Result<Bytes, Refusal> {
        match BodyFormat::of(&head.headers) {
            Some(_) => body.read(self.shared.plan.server.idle_timeout).await,
            None => Ok(Bytes::new()),
        }
    }

    /// The text in the first configured place that holds one. A body is read only for a place in it.
    async fn token<'h>(
        &self,
        head: &'h Parts,
        mut body: Inbound,
    ) -> Result<(Option<Cow<'h, str>>, Inbound), Refusal> {
        for place in &self.shared.plan.sessions.token {
            if let Some(token) = tokens::find_in_head(place, head) {
                return Ok((Some(token), body));
            }
            let format = tokens::body_format(place);
            if format.is_some() && format == BodyFormat::of(&head.headers) {
                let reading = body.read(self.shared.plan.server.idle_timeout);
                let bytes = Box::pin(reading).await?;
                let token = tokens::find_in_body(place, &bytes);
                body = Inbound::Whole(bytes);
                if token.is_some() {
                    return Ok((token.map(Cow::Owned), body));
                }
            }
        }
        Ok((None, body))
    }

    async fn find(
        &self,
        apps: &Apps,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<(SkeyDigest, Arc<Session>), Refusal> {
        let invalid = |reason| Refusal::new(RefusalCode::SessionInvalid, reason);
        let digest = SkeyDigest::of(token.ok_or_else(missing)?);
        let digest = digest.ok_or_else(|| invalid("the token is no skey"))?;
        let found = self.shared.store.find(&digest, now).await;
        let session = match found? {
            Found::Session(session) => session,
            Found::Gone(gone) => return Err(refuse(gone)),
        };
        if !apps.include(&session.user().app) {
            return Err(of_another_app());
        }
        Ok((digest, session))
    }
}

/// The refusal of a skey that leads to no session.
fn refuse(gone: Gone) -> Refusal {
    let (code, reason) = match gone {
        Gone::Unknown => (
            RefusalCode::SessionInvalid,
            "the skey is unknown, expired or revoked",
        ),
        Gone::Replaced => (
            RefusalCode::SessionReplaced,
            "the user has logged in elsewhere since",
        ),
    };
    Refusal::new(code, reason)
}

/// The refusal of a request without a session.
pub(super) fn missing() -> Refusal {
    Refusal::new(
        RefusalCode::SessionMissing,
        "no configured place holds a token",
    )
}

fn of_another_app() -> Refusal {
    Refusal::new(
        RefusalCode::SessionInvalid,
        "the session is of an app that the route does not take",
    )
}
