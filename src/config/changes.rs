//! What a route changes of what passes between a client and its upstream. Knows neither actions nor upstreams.

use http::HeaderName;

use super::headers::{Managed, Side};
use super::plan::RouteChanges;
use super::raw::{RawChanges, RawHeaders, Text};
use super::source::Source;
use crate::domain::cors;
use crate::domain::header_edits::{HeaderEdits, header_value};
use crate::domain::managed_names::fold;
use crate::domain::prefix::{PathPrefix, PrefixChange};
use crate::domain::route::PathPattern;

/// `path` is that of the route, if it has one that means something, `managed` what no change may touch, and `has_cors`
/// whether the route itself says who may read its answers.
pub(super) fn plan(
    raw: RawChanges,
    path: Option<&PathPattern>,
    managed: &Managed,
    has_cors: bool,
    source: &Source<'_>,
) -> RouteChanges {
    let edits = |raw: Option<RawHeaders>, side| {
        let edits = raw.map(|raw| edits(raw, side, managed, source));
        edits.filter(|edits| !edits.is_empty())
    };
    RouteChanges {
        prefix: prefix(raw.strip_prefix, raw.add_prefix, path, source),
        request: edits(raw.request_headers, Side::Request),
        response: edits(raw.response_headers, Side::Response { has_cors }),
    }
}

fn prefix(
    strip: Option<Text>,
    add: Option<Text>,
    path: Option<&PathPattern>,
    source: &Source<'_>,
) -> Option<PrefixChange> {
    let change = PrefixChange {
        strip: source.accept(strip.clone(), PathPrefix::parse),
        add: source.accept(add, PathPrefix::parse),
    };
    if let (Some(prefix), Some(path), Some(Text { value, place })) = (&change.strip, path, strip)
        && !path.is_under(prefix)
    {
        let text = format!(
            "not every request of this route begins with `{value}`; give it a path such as \"{value}/*\""
        );
        source.problem(place, text);
    }
    (change != PrefixChange::default()).then_some(change)
}

/// Why a text is no header that can be set or removed.
#[derive(Debug, thiserror::Error)]
enum NoEdit {
    #[error("`{0}` is no header name; write one such as \"X-Tenant\"")]
    Form(String),
    #[error("`{0}` is managed by wxgate, in every spelling; remove it here")]
    Managed(String),
    #[error("`{0}` is set by `host` of the upstream; remove it here")]
    Host(String),
    #[error("`{0}` is set by `cors` of this route; remove it here")]
    Cors(String),
    #[error("`{0}` is named here before, in this or another spelling; remove one of them")]
    Twice(String),
}

fn edits(raw: RawHeaders, side: Side, managed: &Managed, source: &Source<'_>) -> HeaderEdits {
    if raw.is_empty {
        source.missing(
            raw.place,
            "nothing is changed here; name headers in `set` or `remove`",
        );
    }
    let mut named: Vec<Vec<u8>> = Vec::new();
    let mut name = |written: Text| {
        let name = source.accept(written.clone(), |text| editable(text, side, managed))?;
        let folded = fold(name.as_str());
        if named.contains(&folded) {
            source.problem(written.place, NoEdit::Twice(written.value));
            return None;
        }
        named.push(folded);
        Some(name)
    };
    let set = raw.set.into_iter().filter_map(|(header, value)| {
        let (header, value) = (name(header), source.accept(value, header_value));
        header.zip(value)
    });
    let set: Vec<_> = set.collect();
    let remove = raw.remove.map(|remove| remove.value).unwrap_or_default();
    let remove = remove.into_iter().filter_map(name);
    HeaderEdits::new(set, remove.collect())
}

fn editable(text: &str, side: Side, managed: &Managed) -> Result<HeaderName, NoEdit> {
    let name: HeaderName = text.parse().map_err(|_| NoEdit::Form(text.to_owned()))?;
    if managed.cover(&name, side) {
        return Err(NoEdit::Managed(text.to_owned()));
    }
    let folded = fold(name.as_str());
    match side {
        Side::Request if folded == b"host" => Err(NoEdit::Host(text.to_owned())),
        Side::Response { has_cors: true } if folded.starts_with(cors::FAMILY) => {
            Err(NoEdit::Cors(text.to_owned()))
        }
        Side::Request | Side::Response { .. } => Ok(name),
    }
}

/// Notes that a route without an upstream has no use for them.
pub(super) fn refuse(raw: &RawChanges, source: &Source<'_>) {
    let place = |text: &Option<Text>| text.as_ref().map(|text| text.place);
    let headers = |headers: &Option<RawHeaders>| headers.as_ref().map(|headers| headers.place);
    let keys = [
        ("strip_prefix", place(&raw.strip_prefix)),
        ("add_prefix", place(&raw.add_prefix)),
        ("request_headers", headers(&raw.request_headers)),
        ("response_headers", headers(&raw.response_headers)),
    ];
    for (key, written) in keys {
        if let Some(place) = written {
            let text = format!(
                "`{key}` is for what an upstream gets and answers; remove it, or name an `upstream`"
            );
            source.problem(place, text);
        }
    }
}
