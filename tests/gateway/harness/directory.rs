//! Files of one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

/// A directory that is there as long as this is.
pub struct Directory(PathBuf);

impl Directory {
    /// A new one; `name` is one that no other test has.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wxgate-{name}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
