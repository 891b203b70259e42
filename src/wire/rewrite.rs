//! Exchanging a field of a body that a backend must believe: the client's own goes, whatever its spelling, and ours is
//! put in. What backends could read otherwise is refused. Knows nothing of what the field holds.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use serde_json::value::RawValue;

use super::fields::{BodyFormat, Fields};
use super::members::Members;
use super::refusal::Refusal;
use crate::domain::field_name::FieldName;
use crate::domain::token::TokenPlace;

/// The charsets in which names are read as they are here.
const CHARSETS: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// Why a request cannot be rewritten: a backend might find a field of the client's where none was found here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither JSON nor a form, or not certainly one of them.
    #[error("the body is neither JSON nor a form, and this route must read it")]
    Format,
    /// Compressed, or in another charset.
    #[error("the body is compressed or not in UTF-8, and this route must read it")]
    Encoding,
    /// Not what it says it is.
    #[error("the body is not the JSON that it says it is")]
    Json,
    /// A form that is JSON for those who do not ask for the type.
    #[error("the body says that it is a form and looks like JSON")]
    Form,
    /// A name before or behind a `;`, which some take for a `&`.
    #[error("a field that only the gateway may fill stands beside a semicolon")]
    Semicolon,
    /// What is left of a target is none, which no target that was parsed should come to.
    #[error("the target cannot be sent on without a field")]
    Target,
}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// The one format in which every backend reads a body with these headers.
///
/// # Errors
///
/// It is neither of the two, or backends may differ.
pub fn certain_format(headers: &HeaderMap) -> Result<BodyFormat, Unreadable> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return Err(Unreadable::Format);
    };
    let format = BodyFormat::of(headers).ok_or(Unreadable::Format)?;
    let mut parts = only.to_str().unwrap_or_default().split(';');
    // Some read a type up to a comma or a space.
    let essence = parts.next().unwrap_or_default().trim();
    if essence.contains([',', ' ', '\t']) {
        return Err(Unreadable::Format);
    }
    let is_plain = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let charset = value.trim().trim_matches('"').to_ascii_lowercase();
        !name.trim().eq_ignore_ascii_case("charset") || CHARSETS.contains(&charset.as_str())
    };
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !parts.all(is_plain) || !encodings.all(|encoding| encoding == "identity") {
        return Err(Unreadable::Encoding);
    }
    Ok(format)
}

/// What goes from bodies and queries before they go on.
#[derive(Clone, Copy, Debug)]
pub struct Cleaner<'a> {
    /// The field that only the gateway may fill.
    pub field: &'a FieldName,
    /// Where tokens stand.
    pub tokens: &'a [TokenPlace],
}

/// A body in which the field and the tokens do not stand.
pub enum Cleaned {
    /// An object.
    Object(Members),
    /// Another JSON value, or nothing at all: there is no place for a field in it.
    Other(Bytes),
    /// A form.
    Form(Vec<u8>),
}

impl Cleaner<'_> {
    /// Takes the field and the tokens out of a body, and leaves all else as it was.
    ///
    /// # Errors
    ///
    /// Backends might read the body otherwise.
    pub fn body(&self, format: BodyFormat, body: Bytes) -> Result<Cleaned, Unreadable> {
        let first = body.trim_ascii_start().first().copied();
        match (format, first) {
            (_, None) => Ok(Cleaned::Other(body)),
            (BodyFormat::Json, Some(b'{')) => self.object(&body).map(Cleaned::Object),
            (BodyFormat::Json, Some(_)) => match serde_json::from_slice::<&RawValue>(&body) {
                Ok(_) => Ok(Cleaned::Other(body)),
                Err(_) => Err(Unreadable::Json),
            },
            (BodyFormat::Form, Some(b'{')) => Err(Unreadable::Form),
            (BodyFormat::Form, Some(_)) => {
                let is_wanted = |name: &str| !self.takes(BodyFormat::Form, name);
                self.pieces(&body, is_wanted).map(Cleaned::Form)
            }
        }
    }

    /// Takes the field out of a target's query: many backends mix its fields with those of a form.
    ///
    /// # Errors
    ///
    /// Backends might read the query otherwise.
    pub fn target(&self, uri: &Uri) -> Result<Uri, Unreadable> {
        let query = uri.query().unwrap_or_default();
        let left = self.pieces(query.as_bytes(), |name| !self.field.covers(name))?;
        if left == query.as_bytes() {
            return Ok(uri.clone());
        }
        let mark: &[u8] = if left.is_empty() { b"" } else { b"?" };
        let target = Bytes::from([uri.path().as_bytes(), mark, &left].concat());
        let target = PathAndQuery::from_maybe_shared(target);
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(target.map_err(|_| Unreadable::Target)?);
        Uri::from_parts(parts).map_err(|_| Unreadable::Target)
    }

    fn object(&self, body: &[u8]) -> Result<Members, Unreadable> {
        let mut members: Members = serde_json::from_slice(body).map_err(|_| Unreadable::Json)?;
        members.retain(|name| !self.takes(BodyFormat::Json, name));
        Ok(members)
    }

    fn pieces(&self, text: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<u8>, Unreadable> {
        let mut kept = Vec::new();
        for piece in text.split(|b| *b == b'&') {
            if !is_wanted(&name_of(piece)) {
                continue;
            }
            let mut parts = piece.split(|b| *b == b';');
            if parts.any(|part| self.field.covers(&name_of(part))) {
                return Err(Unreadable::Semicolon);
            }
            kept.push(piece);
        }
        Ok(kept.join(&b'&'))
    }

    fn takes(&self, format: BodyFormat, name: &str) -> bool {
        let mut tokens = self.tokens.iter().filter_map(|place| match place {
            TokenPlace::Form(name) => Some((BodyFormat::Form, name)),
            TokenPlace::Json(name) => Some((BodyFormat::Json, name)),
            TokenPlace::Header(_)
            | TokenPlace::Bearer
            | TokenPlace::Query(_)
            | TokenPlace::Cookie(_)
            | TokenPlace::Subprotocol(_) => None,
        });
        self.field.covers(name) || tokens.any(|(of, token)| of == format && token == name)
    }
}

impl Cleaned {
    /// The fields that are left.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        match self {
            Self::Object(members) => members.texts(),
            Self::Other(_) => Fields::default(),
            Self::Form(form) => Fields::of_body(BodyFormat::Form, form),
        }
    }

    /// The body with `json` as the value of `field`, if there is any: a member of an object, or the text of a field.
    #[must_use]
    pub fn write(self, field: &FieldName, json: Option<&str>) -> Bytes {
        match self {
            Self::Object(members) => {
                Bytes::from(members.write(json.map(|json| (field.as_str(), json))))
            }
            Self::Other(body) => body,
            Self::Form(mut form) => {
                if let Some(json) = json {
                    let before = if form.is_empty() { "" } else { "&" };
                    let value: String = form_urlencoded::byte_serialize(json.as_bytes()).collect();
                    form.extend(format!("{before}{field}={value}").into_bytes());
                }
                Bytes::from(form)
            }
        }
    }
}

fn name_of(piece: &[u8]) -> Cow<'_, str> {
    let mut fields = form_urlencoded::parse(piece);
    fields.next().map(|(name, _)| name).unwrap_or_default()
}

#[cfg(test)]
mod tests;
