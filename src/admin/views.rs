//! What is only shown: the entries of `/api` that are read, and the page. Knows nothing of who may see it.

use super::answer::Answer;

/// All that is only shown.
#[derive(Debug, Default)]
pub struct Views {}

impl Views {
    /// The answer to a GET or HEAD of this path below `/api/`, if it is one of these.
    #[expect(clippy::unused_self, reason = "there is nothing to show yet")]
    pub(super) fn entry(&self, _path: &str) -> Option<Answer> {
        None
    }

    /// What there is at this path without a token, if it is part of the page.
    #[expect(clippy::unused_self, reason = "there is nothing to show yet")]
    pub(super) fn page(&self, _path: &str) -> Option<Answer> {
        None
    }
}
