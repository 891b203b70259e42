//! `state`, `state_interval` and `encryption_keys` of `[sessions]`: where sessions outlast the process, and what seals
//! them there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::plan::StatePlan;
use super::raw::{RawSecret, Text};
use super::secret;
use super::source::{At, Source};
use super::surroundings::Surroundings;
use super::units::duration;
use crate::domain::encryption_key::EncryptionKey;

/// How often the file is written if the config does not say.
const USUAL: Duration = Duration::from_mins(1);
/// The name of the file in systemd's directory.
const NAME: &str = "sessions";

/// The file that is written, or one in the directory that systemd gives; none for "", or without both.
pub(super) fn plan(
    file: Option<Text>,
    interval: Option<Text>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Option<StatePlan> {
    let interval = source.accept(interval, duration).unwrap_or(USUAL);
    let file = match file {
        Some(written) if written.value.is_empty() => None,
        Some(written) => source.accept(written, |text| place(text, source, surroundings)),
        None => Some(surroundings.state_directory()?.join(NAME)),
    };
    file.map(|file| StatePlan { file, interval })
}

/// The keys, no two alike.
pub(super) fn encryption_keys(
    written: Option<At<Vec<RawSecret>>>,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Vec<EncryptionKey> {
    let mut keys = Vec::new();
    for raw in written.map_or(Vec::new(), |written| written.value) {
        let place = raw.place();
        let Some(secret) = secret::resolve(raw, source, surroundings) else {
            continue;
        };
        match EncryptionKey::parse(secret.reveal()) {
            Ok(key) if keys.contains(&key) => {
                source.problem(place, "this is the same key as one before; remove it");
            }
            Ok(key) => keys.push(key),
            Err(error) => source.problem(place, error),
        }
    }
    keys
}

/// Why a text is no place for the file.
#[derive(Debug, thiserror::Error)]
enum NoPlace {
    #[error("`{0}` is a directory; write a file in it, such as \"{0}/sessions\"")]
    Directory(String),
    #[error(
        "`{directory}` cannot be written to: {error}; make it a directory of the user that wxgate runs as, with mode 0700"
    )]
    Unwritable {
        directory: String,
        #[source]
        error: io::Error,
    },
}

fn place(text: &str, source: &Source<'_>, surroundings: &Surroundings) -> Result<PathBuf, NoPlace> {
    let file = source.beside(text);
    if text.ends_with('/') || file.is_dir() {
        let directory = text.trim_end_matches('/').to_owned();
        return Err(NoPlace::Directory(directory));
    }
    let parent = file.parent().unwrap_or(&file);
    let directory = if parent == Path::new("") {
        Path::new(".")
    } else {
        parent
    };
    let unwritable = |error| NoPlace::Unwritable {
        directory: directory.display().to_string(),
        error,
    };
    (surroundings.probe)(directory).map_err(unwritable)?;
    Ok(file)
}
