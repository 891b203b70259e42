//! What a route changes of what goes to its upstream. Knows neither actions nor upstreams.

use super::plan::RouteChanges;
use super::raw::{RawChanges, Text};
use super::source::Source;
use crate::domain::prefix::{PathPrefix, PrefixChange};
use crate::domain::route::PathPattern;

/// `path` is that of the route, if it has one that means something.
pub(super) fn plan(
    raw: RawChanges,
    path: Option<&PathPattern>,
    source: &Source<'_>,
) -> RouteChanges {
    let strip = raw.strip_prefix.clone();
    let change = PrefixChange {
        strip: source.accept(raw.strip_prefix, PathPrefix::parse),
        add: source.accept(raw.add_prefix, PathPrefix::parse),
    };
    if let (Some(prefix), Some(path), Some(Text { value, place })) = (&change.strip, path, strip)
        && !path.is_under(prefix)
    {
        let text = format!(
            "not every request of this route begins with `{value}`; give it a path such as \"{value}/*\""
        );
        source.problem(place, text);
    }
    let changes_any = change != PrefixChange::default();
    RouteChanges {
        prefix: changes_any.then_some(change),
    }
}

/// Notes that a route without an upstream has no use for them.
pub(super) fn refuse(raw: &RawChanges, source: &Source<'_>) {
    let keys = [
        ("strip_prefix", &raw.strip_prefix),
        ("add_prefix", &raw.add_prefix),
    ];
    for (key, written) in keys {
        if let Some(written) = written {
            let text =
                format!("`{key}` is for what an upstream gets; remove it, or name an `upstream`");
            source.problem(written.place, text);
        }
    }
}
