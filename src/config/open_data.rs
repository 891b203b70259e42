//! `open_data` and `open_data_field` of a route. Knows no upstreams.

use super::plan::Guard;
use super::raw::RawDeed;
use super::source::Source;
use crate::domain::field_name::FieldName;

/// The name under which a route's backend gets encrypted data opened, if the route says so.
pub(super) fn plan(
    raw: &RawDeed<'_>,
    guard: Option<Guard>,
    source: &Source<'_>,
) -> Option<FieldName> {
    let field = source.accept(raw.open_data_field.clone(), FieldName::parse);
    let Some(open_data) = raw.open_data.clone() else {
        if let Some(field) = &raw.open_data_field {
            let text =
                "`open_data_field` names what `open_data = \"decrypt\"` opens; write that as well";
            source.problem(field.place, text);
        }
        return None;
    };
    let place = open_data.place;
    source.choose(
        Some(open_data),
        "treatment of open data",
        &[("decrypt", ())],
    )?;
    if matches!(guard, Some(Guard::Optional | Guard::None)) {
        let text = "`open_data` needs the session whose key opens it; leave `auth` at \"required\"";
        source.problem(place, text);
    }
    Some(field.unwrap_or_default())
}

/// Notes that an action has no use for them.
pub(super) fn refuse(raw: &RawDeed<'_>, source: &Source<'_>) {
    let keys = [
        ("open_data", &raw.open_data),
        ("open_data_field", &raw.open_data_field),
    ];
    for (key, written) in keys {
        if let Some(written) = written {
            let text =
                format!("`{key}` is for what an upstream gets; remove it, or name an `upstream`");
            source.problem(written.place, text);
        }
    }
}
