//! What configs mean, and what is said of those that mean nothing.

mod changes;
mod dialects;
mod example;
mod limits;
mod meanings;
mod on_login;
mod problems;
mod routes;
mod scripts;
mod secrets;
mod sections;
mod state;
mod stores;
mod tls;
mod upstreams;
mod verdicts;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::{Surroundings, read};
use crate::domain::clock::Timestamp;

/// What a config needs beside this.
const REST: &str = r#"
[apps.shop]
appid = "wx1"
secret = { env = "SHOP_SECRET" }

[upstreams.php]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/*"
upstream = "php"
"#;

/// A world with two secrets, in which every name resolves but `nowhere.example`, at the start of 2026.
fn surroundings() -> Surroundings {
    let variables = [
        ("SHOP_SECRET", "shop-secret"),
        ("WXGATE_ADMIN_TOKEN", "admin-token"),
        ("EMPTY", ""),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Surroundings {
        variables: HashMap::from(variables.map(owned)),
        look_up: |host, _| match host {
            "nowhere.example" => Err(io::Error::other("no such name")),
            _ => Ok(()),
        },
        now: Timestamp::from_millis(1_767_225_600_000),
        probe: |directory| match directory.to_str() {
            Some("/nowhere") => Err(io::Error::other("no such directory")),
            _ => Ok(()),
        },
    }
}

fn plan(text: &str) -> Plan {
    read("gateway.toml", text, &surroundings()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of a config, one line each, less the name of the file.
fn problems(text: &str) -> Vec<String> {
    let problems = read("gateway.toml", text, &surroundings()).expect_err(text);
    let lines = problems.to_string();
    let line = |line: &str| line.strip_prefix("gateway.toml:").unwrap().to_owned();
    lines.lines().map(line).collect()
}

/// Each config is said to have this one problem.
fn check(cases: &[(&str, &str)]) {
    for (text, problem) in cases {
        assert_eq!(problems(text), [*problem], "\n{text}");
    }
}

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("wxgate-config-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
