//! The texts that must not be seen, fetched from where the config says they lie.

use std::io;
use std::path::{Path, PathBuf};

use super::raw::RawSecret;
use super::source::Source;
use super::surroundings::Surroundings;
use crate::domain::secret::Secret;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    #[error("{0} is empty")]
    Empty(String),
    #[error("cannot read `{path}`: {error}")]
    Unreadable {
        path: String,
        #[source]
        error: io::Error,
    },
    #[error("there are no credentials; give the unit LoadCredential={0}:/path/of/the/secret")]
    NoCredentials(String),
    #[error("`{0}` is no name of a credential; write the one that LoadCredential= has")]
    BadName(String),
}

pub(super) fn resolve(
    raw: RawSecret,
    source: &Source<'_>,
    surroundings: &Surroundings,
) -> Option<Secret> {
    match raw {
        RawSecret::Env(name) => source.accept(name, |name| from_variable(name, surroundings)),
        RawSecret::File(path) => source.accept(path, |path| from_file(&source.beside(path))),
        RawSecret::Credential(name) => {
            source.accept(name, |name| from_credential(name, surroundings))
        }
    }
}

fn from_variable(name: &str, surroundings: &Surroundings) -> Result<Secret, SecretError> {
    match surroundings.variables.get(name) {
        Some(text) => filled(text, || format!("the environment variable `{name}`")),
        None => Err(SecretError::Unset(name.to_owned())),
    }
}

fn from_credential(name: &str, surroundings: &Surroundings) -> Result<Secret, SecretError> {
    from_file(&credential(name, surroundings)?)
}

/// The file of a credential that systemd has laid down.
pub(super) fn credential(name: &str, surroundings: &Surroundings) -> Result<PathBuf, SecretError> {
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err(SecretError::BadName(name.to_owned()));
    }
    match surroundings.credentials() {
        Some(directory) => Ok(directory.join(name)),
        None => Err(SecretError::NoCredentials(name.to_owned())),
    }
}

fn from_file(file: &Path) -> Result<Secret, SecretError> {
    let path = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => filled(without_line_break(&text), || format!("`{path}`")),
        Err(error) => Err(SecretError::Unreadable { path, error }),
    }
}

fn filled(text: &str, place: impl FnOnce() -> String) -> Result<Secret, SecretError> {
    if text.is_empty() {
        return Err(SecretError::Empty(place()));
    }
    Ok(Secret::new(text))
}

/// Editors end a file with a line break, which is no part of the secret.
fn without_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
