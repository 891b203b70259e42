//! The fields of bodies that routes themselves read, and where no token can stand then. Knows no bodies.

use super::raw::{RawDeed, RawRoute};
use super::source::Source;
use crate::domain::token::TokenPlace;

/// What an action `phone` reads.
const PHONE: &[&str] = &["code"];
/// What a route with `open_data` reads.
const OPEN_DATA: &[&str] = &["encryptedData", "iv", "rawData", "rawdata", "signature"];

/// The fields that one route reads.
pub(super) struct BodyFields {
    names: &'static [&'static str],
    /// The line of the route.
    line: usize,
}

/// A token where a route reads something else.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{name}` in a body is what the route of line {line} reads, so no token can stand there; use another place, such \
     as \"header:X-Skey\""
)]
pub(super) struct FieldTaken {
    name: String,
    line: usize,
}

/// What these routes read.
pub(super) fn read_by(routes: &[RawRoute<'_>], source: &Source<'_>) -> Vec<BodyFields> {
    let fields = |deed: &RawDeed<'_>| {
        let is_phone = deed.action.as_ref().is_some_and(|a| a.value == "phone");
        let names = match (is_phone, &deed.open_data) {
            (true, _) => PHONE,
            (false, Some(_)) => OPEN_DATA,
            (false, None) => return None,
        };
        let line = source.line(deed.place);
        Some(BodyFields { names, line })
    };
    routes
        .iter()
        .filter_map(|route| fields(&route.deed))
        .collect()
}

/// Holds a place for a token against what routes read.
pub(super) fn check(place: &TokenPlace, taken: &[BodyFields]) -> Result<(), FieldTaken> {
    let (TokenPlace::Form(name) | TokenPlace::Json(name)) = place else {
        return Ok(());
    };
    match taken.iter().find(|fields| fields.names.contains(&&**name)) {
        None => Ok(()),
        Some(fields) => Err(FieldTaken {
            name: name.clone(),
            line: fields.line,
        }),
    }
}
