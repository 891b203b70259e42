//! Opening encrypted data on its way to a backend: verified, decrypted, put into the body. Strip always, inject last.

use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use http::request::Parts;

use super::Gateway;
use super::admit::Admission;
use crate::domain::field_name::FieldName;
use crate::domain::session::Session;
use crate::wechat::{OpenData, Proofs, Unproven};
use crate::wire::body::Inbound;
use crate::wire::refusal::Refusal;
use crate::wire::rewrite::{Cleaned, Cleaner, certain_format};

impl Gateway {
    /// Puts what the user's keys open into `field` of the request, if it is to have one; whatever the client itself sent
    /// there is gone.
    pub(super) async fn open_data(
        &self,
        field: Option<&FieldName>,
        head: &mut Parts,
        admission: Admission,
    ) -> Result<Admission, Refusal> {
        let Some(field) = field else {
            return Ok(admission);
        };
        let cleaner = Cleaner {
            field,
            tokens: &self.shared.plan.sessions.token,
        };
        head.uri = cleaner.target(&head.uri)?;
        let Admission { session, body } = admission;
        if body.is_empty() {
            return Ok(Admission { session, body });
        }
        let format = certain_format(&head.headers)?;
        let body = body.read(self.shared.plan.server.idle_timeout).await?;
        let left = cleaner.body(format, body)?;
        let data = match session.as_deref() {
            Some(session) => self.prove(&left, session)?,
            None => None,
        };
        let body = left.write(field, data.map(|data| data.to_json()).as_deref());
        let length = HeaderValue::from(body.len());
        head.headers.insert(CONTENT_LENGTH, length);
        let body = Inbound::Whole(body);
        Ok(Admission { session, body })
    }

    fn prove(&self, body: &Cleaned, session: &Session) -> Result<Option<OpenData>, Unproven> {
        let proofs = Proofs::of(&body.fields())?;
        let identity = &session.identity;
        let keys = session.keys.keys();
        let prover = &self.shared.prover;
        let held = prover.hold(&proofs, &identity.app, &identity.openid, &keys)?;
        Ok(held.data)
    }
}
