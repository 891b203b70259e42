//! What the gateway opened on its way to a backend: put into the body, where nothing of the client's stands in its
//! place. Strip always, inject last.

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use http::request::Parts;

use super::Gateway;
use super::admit::Admission;
use crate::domain::field_name::FieldName;
use crate::domain::session::{Session, User};
use crate::wechat::{OpenData, Proofs};
use crate::wire::body::Inbound;
use crate::wire::refusal::Refusal;
use crate::wire::rewrite::{Cleaned, Cleaner, certain_format};

impl Gateway {
    /// Puts what the user's keys open into `field` of the request; whatever the client itself sent there is gone.
    pub(super) async fn open_data(
        &self,
        field: &FieldName,
        head: &mut Parts,
        admission: Admission,
    ) -> Result<Admission, Refusal> {
        let Admission { session, mut body } = admission;
        let Some(left) = self.clean(field, head, &mut body).await? else {
            return Ok(Admission { session, body });
        };
        let data = match session.as_deref() {
            Some(session) => self.prove(&left, session).await?,
            None => None,
        };
        let json = data.map(|data| data.to_json());
        let body = fill(left, field, json.as_deref(), head);
        Ok(Admission { session, body })
    }

    /// Takes `field` and the tokens out of a request, and leaves its body to be filled; none if it has none.
    pub(super) async fn clean(
        &self,
        field: &FieldName,
        head: &mut Parts,
        body: &mut Inbound,
    ) -> Result<Option<Cleaned>, Refusal> {
        let cleaner = Cleaner {
            field,
            tokens: &self.shared.plan.sessions.token,
        };
        head.uri = cleaner.target(&head.uri)?;
        if body.is_empty() {
            return Ok(None);
        }
        let format = certain_format(&head.headers)?;
        let body = std::mem::replace(body, Inbound::Whole(Bytes::new()));
        let body = body.read(self.shared.plan.server.idle_timeout).await?;
        Ok(Some(cleaner.body(format, body)?))
    }

    async fn prove(&self, body: &Cleaned, session: &Session) -> Result<Option<OpenData>, Refusal> {
        let proofs = Proofs::of(&body.fields())?;
        let User { app, openid, keys } = session.user();
        let keys = keys.keys();
        match self.shared.prover.hold(&proofs, app, openid, &keys) {
            Ok(proven) => Ok(proven.opened),
            Err(error) => {
                let checks = &self.shared.key_checks;
                Err(checks.refuse(error, app, openid, &keys).await)
            }
        }
    }
}

/// Writes a body with `json` in `field`, if there is any, and its length into the head.
pub(super) fn fill(
    left: Cleaned,
    field: &FieldName,
    json: Option<&str>,
    head: &mut Parts,
) -> Inbound {
    let body = left.write(field, json);
    let length = HeaderValue::from(body.len());
    head.headers.insert(CONTENT_LENGTH, length);
    Inbound::Whole(body)
}
