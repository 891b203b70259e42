//! What a config points at but does not hold: variables, credentials, host names, the time. Knows no keys.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};

use crate::domain::clock::{Clock, Timestamp};

/// The world around a config; tests make one of their own.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: HashMap<String, String>,
    /// Looks a host name up, only to see that it has an address.
    pub look_up: fn(&str, u16) -> io::Result<()>,
    /// What time it is, for certificates.
    pub now: Timestamp,
    /// Sees whether files can be made in a directory. Where that is not to be seen, it may always say that they can.
    pub probe: fn(&Path) -> io::Result<()>,
}

impl Surroundings {
    /// The variables, the resolver and the time of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let is_text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(is_text).collect(),
            look_up: ask_the_system,
            now: Clock::start().now(),
            probe: |_| Ok(()),
        }
    }

    /// The same, for an operator who wants to know what would not stop a start, but be missed later.
    #[must_use]
    pub fn checking(self) -> Self {
        Self {
            probe: make_a_file,
            ..self
        }
    }

    /// The directory that systemd gives to what outlasts the process, if it does; of several the first.
    pub(super) fn state_directory(&self) -> Option<PathBuf> {
        let directories = self.variables.get("STATE_DIRECTORY")?;
        let first = directories.split(':').next();
        first.filter(|first| !first.is_empty()).map(PathBuf::from)
    }

    /// The directory in which systemd lays credentials down, if it did.
    pub(super) fn credentials(&self) -> Option<PathBuf> {
        self.variables
            .get("CREDENTIALS_DIRECTORY")
            .map(PathBuf::from)
    }
}

/// Makes a file and takes it away again.
fn make_a_file(directory: &Path) -> io::Result<()> {
    let file = directory.join(format!(".wxgate-check-{}", std::process::id()));
    File::create_new(&file)?;
    fs::remove_file(file)
}

fn ask_the_system(host: &str, port: u16) -> io::Result<()> {
    match (host, port).to_socket_addrs()?.next() {
        Some(_) => Ok(()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "it has no address")),
    }
}
