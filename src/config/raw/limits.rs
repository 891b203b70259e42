//! `[limits]` as it is written.

use super::{At, Table, Text};

#[derive(Default)]
pub(in crate::config) struct RawLimits {
    pub(in crate::config) requests_per_address: Option<Text>,
    pub(in crate::config) requests_per_user: Option<Text>,
    pub(in crate::config) logins_per_address: Option<Text>,
    pub(in crate::config) capacity: Option<At<u64>>,
}

impl RawLimits {
    pub(super) fn fields(limits: &mut Table<'_>) -> Self {
        Self {
            requests_per_address: limits.text("requests_per_address"),
            requests_per_user: limits.text("requests_per_user"),
            logins_per_address: limits.text("logins_per_address"),
            capacity: limits.number("capacity", 1),
        }
    }
}
