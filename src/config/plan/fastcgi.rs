//! How servers that speak FastCGI are asked, as the config means it. Knows no requests.

use crate::domain::script::Scripts;

/// What an upstream has beside its servers where these speak FastCGI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastCgiPlan {
    /// The directory of the scripts as the server sees it, without a slash at its end.
    pub root: String,
    /// Which of them run.
    pub scripts: Scripts,
    /// Whether a connection carries one request after the other.
    pub keep_alive: bool,
    /// How many bytes a body may have whose length is known only when it has ended.
    pub max_chunked_body: u64,
}
