//! `action = "phone"`: what a route does with the code for a phone number. Knows no paths.

use super::actions::{Scope, apps};
use super::answer;
use super::login_apps;
use super::on_login;
use super::plan::{Action, PhoneRoute, Recipient};
use super::raw::{RawDeed, RawRule, Text};
use super::source::Source;
use super::websocket;
use crate::domain::field_name::{FieldName, FieldNameError};
use crate::domain::template::Placeholder;

/// Where the code itself stands in a body.
const CODE: &str = "code";

pub(super) fn plan(
    upstream: Option<&Text>,
    raw: RawDeed<'_>,
    rule: &RawRule,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Action> {
    for method in rule.methods.iter().flat_map(|methods| &methods.value) {
        if method.value != "POST" {
            let text = "the action `phone` takes POST, and no other method";
            source.problem(method.place, text);
        }
    }
    if let Some(auth) = raw.auth.as_ref().filter(|auth| auth.value != "required") {
        let text = "a phone number needs the session of its user; leave `auth` at \"required\"";
        source.problem(auth.place, text);
    }
    if let Some(open_data) = &raw.open_data {
        let text = "`open_data` opens encryptedData, and the action `phone` takes a code; remove it, or give it a \
            route of its own";
        source.problem(open_data.place, text);
    }
    websocket::refuse(&raw, source);
    on_login::refuse(&raw, source);
    login_apps::refuse(&raw, source);
    let recipient = recipient(upstream, &raw, scope, source);
    Some(Action::Phone(PhoneRoute {
        apps: apps(raw.app, scope, source),
        recipient: recipient?,
    }))
}

fn recipient(
    upstream: Option<&Text>,
    raw: &RawDeed<'_>,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Option<Recipient> {
    let field = source.accept(raw.open_data_field.clone(), field);
    match (upstream, &raw.response) {
        (Some(upstream), None) => Some(Recipient::Upstream {
            upstream: source.find(upstream, "upstream", scope.upstream_names)?,
            field: field.unwrap_or_default(),
        }),
        (None, Some(response)) => {
            if let Some(field) = &raw.open_data_field {
                let text = "`open_data_field` is for what an upstream gets; remove it, or name an `upstream`";
                source.problem(field.place, text);
            }
            answer::template(response, Placeholder::PHONE, source).map(Recipient::Client)
        }
        (Some(_), Some(response)) => {
            let text = "a phone number goes to an `upstream`, which answers for itself, or in a `response` to the \
                client; remove one of them";
            source.problem(response.place, text);
            None
        }
        (None, None) => {
            let text = "nobody is told the phone number; name an `upstream` that gets it, or a `response` that tells \
                it to the client";
            source.missing(raw.place, text);
            None
        }
    }
}

/// The name of the field that holds the number, which the code does not stand in.
fn field(text: &str) -> Result<FieldName, FieldNameError> {
    let name = FieldName::parse(text)?;
    if name.covers(CODE) {
        return Err(FieldNameError::Taken(text.to_owned()));
    }
    Ok(name)
}
