//! A user's phone number: to a backend, in the body that the client sent, or to the client, where the route says so.

use http::Response;
use http::request::Parts;

use super::Gateway;
use super::admit::{Admission, missing};
use super::forward::Onward;
use super::open_data::fill;
use super::outcome::AnswerBody;
use super::visit::Visit;
use crate::config::plan::{Guard, PhoneRoute, Recipient};
use crate::domain::identity::App;
use crate::endpoints::phone;
use crate::wechat::PhoneNumber;
use crate::wire::body::Inbound;
use crate::wire::fields::{BodyFormat, Fields};
use crate::wire::refusal::Refusal;

impl Gateway {
    /// Exchanges the phone code in the body for the number, and hands it to whom the route names.
    pub(super) async fn phone(
        &self,
        route: &PhoneRoute,
        onward: Onward<'_>,
        mut head: Parts,
        body: Inbound,
        visit: &mut Visit,
    ) -> Result<Response<AnswerBody>, Refusal> {
        phone::check_method(&head.method)?;
        if let Recipient::Upstream { upstream, .. } = &route.recipient {
            visit.upstream = Some(*upstream);
        }
        let admission = self
            .admit(Guard::Required, &route.apps, &head, body)
            .await?;
        visit.app = admission.app();
        let Admission { session, mut body } = admission;
        let app = session.as_ref().map(|session| &session.user().app);
        let app = app.ok_or_else(missing)?;
        match &route.recipient {
            Recipient::Client(response) => {
                let format = BodyFormat::of(&head.headers);
                let body = self.read_fields(&head, body).await?;
                let fields = format.map(|format| Fields::of_body(format, &body));
                let number = self.number(app, &fields.unwrap_or_default()).await?;
                Ok(phone::answer(&number, response).map(AnswerBody::own))
            }
            Recipient::Upstream { upstream, field } => {
                let left = self.clean(field, &mut head, &mut body).await?;
                let Some(left) = left else {
                    return Err(phone::no_code());
                };
                let number = self.number(app, &left.fields()).await?;
                let body = fill(left, field, Some(&number.to_json()), &mut head);
                let admission = Admission { session, body };
                self.forward(*upstream, onward, &mut head, admission, visit)
                    .await
            }
        }
    }

    async fn number(&self, app: &App, fields: &Fields<'_>) -> Result<PhoneNumber, Refusal> {
        let code = phone::read_code(fields)?;
        self.shared.phones.number(app, code).await
    }
}
