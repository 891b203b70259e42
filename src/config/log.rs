//! `[log]`: how lines are written, and which.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::plan::{LogFormat, LogPlan};
use super::raw::RawLog;
use super::source::Source;

pub(super) fn plan(raw: Option<RawLog>, source: &Source<'_>) -> LogPlan {
    let raw = raw.unwrap_or_default();
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    LogPlan {
        format: source
            .choose(raw.format, "format", &formats)
            .unwrap_or(LogFormat::Text),
        level: source.accept(raw.level, level),
    }
}

/// A text that is no level.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no level; write \"error\", \"warn\", \"info\", \"debug\" or \"trace\", \
     or a filter such as \"info,wxgate=debug\""
)]
struct NoLevel(String);

fn level(text: &str) -> Result<String, NoLevel> {
    // A lone word that is no level would be taken for a module of that name, and silence all others.
    let is_level = text.contains('=') || text.parse::<LevelFilter>().is_ok();
    let is_filter = !text.is_empty() && EnvFilter::try_new(text).is_ok();
    if is_level && is_filter {
        return Ok(text.to_owned());
    }
    Err(NoLevel(text.to_owned()))
}
