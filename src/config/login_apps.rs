//! `app` and `app_from` of a login: to which apps it is, and how a request says to which. Knows no other routes.

use std::sync::Arc;

use http::HeaderName;

use super::actions::Scope;
use super::headers;
use super::raw::{RawDeed, Texts};
use super::source::{At, Place, Source};
use crate::domain::app_choice::{AppChoice, AppPlace, UnknownAppPlace};
use crate::domain::identity::App;

/// The apps of a login: those that are named, or the only one of the file.
pub(super) fn plan(raw: &RawDeed<'_>, scope: &Scope<'_>, source: &Source<'_>) -> Option<AppChoice> {
    let places = source.accept_all(raw.app_from.clone(), place);
    let is_among_several = raw.app.as_ref().is_some_and(|apps| apps.value.len() > 1);
    if let (Some(apps), None) = (&raw.app, &raw.app_from)
        && is_among_several
    {
        let text = "this login is to one of several apps; say with `app_from` where a request names its own, or \
                    give each app a login route";
        source.problem(apps.place, text);
    }
    if let Some(from) = &raw.app_from
        && !is_among_several
        && (raw.app.is_some() || scope.app_names.len() == 1)
    {
        let text = "`app_from` chooses among several apps, and this login is to one; remove it, or name more in `app`";
        source.problem(from.place, text);
    }
    let mut apps = named(raw.app.as_ref(), raw.place, scope, source);
    if is_among_several {
        return Some(AppChoice::Among { apps, places });
    }
    apps.pop().map(AppChoice::Only)
}

/// Notes that nothing but a login has a use for `app_from`.
pub(super) fn refuse(raw: &RawDeed<'_>, source: &Source<'_>) {
    if let Some(from) = &raw.app_from {
        let text = "`app_from` says to which app a login is; remove it, a session has its app";
        source.problem(from.place, text);
    }
}

fn named(
    written: Option<&Texts>,
    route: Place,
    scope: &Scope<'_>,
    source: &Source<'_>,
) -> Vec<Arc<App>> {
    let indices: Vec<_> = match written {
        Some(At { value, .. }) => {
            let index = |name| source.find(name, "app", scope.app_names);
            value.iter().filter_map(index).collect()
        }
        None => only(route, scope, source).into_iter().collect(),
    };
    let app = |index: usize| {
        let mut apps = scope.apps.iter().map(|plan| &plan.app);
        apps.find(|app| app.index == index).cloned()
    };
    indices.into_iter().filter_map(app).collect()
}

fn only(route: Place, scope: &Scope<'_>, source: &Source<'_>) -> Option<usize> {
    match scope.app_names {
        [_] => return Some(0),
        [] => source.missing_table(
            route,
            "there is no app to log in to; add one as [apps.NAME]",
        ),
        [_, _, ..] => {
            let names = scope.app_names.join("`, `");
            let text = format!("`app` is missing in [[routes]]; this login is to one of `{names}`");
            source.missing(route, text);
        }
    }
    None
}

/// Why a text is no place for an app.
#[derive(Debug, thiserror::Error)]
enum NoPlace {
    #[error(transparent)]
    Unknown(#[from] UnknownAppPlace),
    #[error("`{0}` is a header that HTTP or wxgate itself needs; use another, such as \"X-App\"")]
    Reserved(HeaderName),
}

fn place(text: &str) -> Result<AppPlace, NoPlace> {
    match AppPlace::parse(text)? {
        AppPlace::Header(name) if headers::is_reserved(&name) => Err(NoPlace::Reserved(name)),
        place => Ok(place),
    }
}
