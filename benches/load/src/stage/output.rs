//! Where results go: the docs only get those of a whole run, and only when told.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Args;

/// Where the docs show results.
const DOCS: &str = "docs/performance";

/// Where results go.
#[derive(Debug, Clone, Args)]
pub(super) struct Output {
    /// The directory for the results
    #[arg(long, default_value = "target/benches/results")]
    out: PathBuf,
    /// Write the results to docs/performance; only for a whole run
    #[arg(long, conflicts_with = "out")]
    publish: bool,
}

impl Output {
    /// The directory to write to.
    ///
    /// # Errors
    ///
    /// The docs would get less than `is_whole` says there is.
    pub(super) fn directory(&self, is_whole: bool) -> anyhow::Result<&Path> {
        ensure!(
            is_whole || !self.publish,
            "the docs only get a whole run, with everything there is to measure"
        );
        Ok(if self.publish {
            Path::new(DOCS)
        } else {
            &self.out
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_get_no_part_of_a_run() {
        let output = |publish| Output {
            out: "elsewhere".into(),
            publish,
        };
        assert_eq!(output(true).directory(true).unwrap(), Path::new(DOCS));
        let error = output(true).directory(false).unwrap_err().to_string();
        assert!(
            error.starts_with("the docs only get a whole run"),
            "{error}"
        );
        for is_whole in [true, false] {
            let elsewhere = output(false).directory(is_whole).unwrap().to_owned();
            assert_eq!(elsewhere, Path::new("elsewhere"));
        }
    }
}
