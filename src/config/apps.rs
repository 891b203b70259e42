//! `[apps.NAME]`: the mini-programs.

use std::sync::Arc;

use super::plan::AppPlan;
use super::raw::{RawApp, Text};
use super::secret;
use super::source::Source;
use super::surroundings::Surroundings;
use crate::domain::identity::{App, WechatId};

/// The apps that can be had; an index counts those that cannot, too.
pub(super) fn plan(
    raw: Vec<(Text, RawApp)>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Vec<AppPlan> {
    check_appids(&raw, source);
    let plan = |(index, (name, raw)): (usize, (Text, RawApp))| {
        let appid = source.accept(raw.appid, appid);
        let secret = raw
            .secret
            .and_then(|raw| secret::resolve(raw, source, surroundings));
        let (appid, secret) = appid.zip(secret)?;
        let name = name.value;
        let app = Arc::new(App { name, appid, index });
        Some(AppPlan { app, secret })
    };
    raw.into_iter().enumerate().filter_map(plan).collect()
}

/// Notes each appid that another app goes by as well: both name and appid may stand for an app.
fn check_appids(apps: &[(Text, RawApp)], source: &Source<'_>) {
    for (index, (_, app)) in apps.iter().enumerate() {
        let Some(appid) = &app.appid else { continue };
        let goes_by_it = |(other, (name, app)): &(usize, &(Text, RawApp))| {
            let has_it = |other: &Text| other.value == appid.value;
            has_it(name) && *other != index
                || app.appid.as_ref().is_some_and(has_it) && *other < index
        };
        if let Some((_, (name, _))) = apps.iter().enumerate().find(goes_by_it) {
            let (appid_text, name) = (&appid.value, &name.value);
            let text = format!(
                "`{appid_text}` stands for the app `{name}` already; write that of this app, or remove one of them"
            );
            source.problem(appid.place, text);
        }
    }
}

/// A text that is no appid.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no appid; write the one that WeChat shows, such as \"wx0123456789abcdef\"")]
struct NoAppid(String);

fn appid(text: &str) -> Result<WechatId, NoAppid> {
    WechatId::parse(text).ok_or_else(|| NoAppid(text.to_owned()))
}
