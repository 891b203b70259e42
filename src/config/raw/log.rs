//! `[log]` as it is written.

use super::{Table, Text};

#[derive(Default)]
pub(in crate::config) struct RawLog {
    pub(in crate::config) format: Option<Text>,
    pub(in crate::config) level: Option<Text>,
}

impl RawLog {
    pub(super) fn fields(log: &mut Table<'_>) -> Self {
        Self {
            format: log.text("format"),
            level: log.text("level"),
        }
    }
}
