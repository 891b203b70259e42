//! A secret as a config writes it: where it lies. Knows nothing of what it says.

use toml::de::DeValue;

use super::Text;
use crate::config::source::{At, Place};
use crate::config::table::Table;

/// Where a secret lies; it never lies in the config itself.
pub(in crate::config) enum RawSecret {
    Env(Text),
    File(Text),
    Credential(Text),
}

impl RawSecret {
    /// Takes the secret that `table` has for `key`.
    pub(in crate::config) fn take(table: &mut Table<'_>, key: &'static str) -> Option<Self> {
        let written = table.any(key)?;
        Self::take_written(table, key, written)
    }

    /// Takes the secret that was written for `key`.
    pub(in crate::config) fn take_written<'a>(
        table: &Table<'a>,
        key: &'static str,
        written: At<DeValue<'a>>,
    ) -> Option<Self> {
        if let DeValue::String(_) = written.value {
            table.problem(written.place, NO_PLAIN_SECRET);
            return None;
        }
        table.open(key, written, Self::fields)?
    }

    /// Where it is named.
    pub(in crate::config) fn place(&self) -> Place {
        match self {
            Self::Env(written) | Self::File(written) | Self::Credential(written) => written.place,
        }
    }

    fn fields(secret: &mut Table<'_>) -> Option<Self> {
        let has_one_key = secret.len() == 1;
        let env = secret.text("env").map(Self::Env);
        let file = secret.text("file").map(Self::File);
        let credential = secret.text("credential").map(Self::Credential);
        if has_one_key {
            return env.or(file).or(credential);
        }
        let text = "a secret lies in exactly one place: `env`, `file` or `credential`";
        secret.problem(secret.place(), text);
        None
    }
}

const NO_PLAIN_SECRET: &str = "a secret does not stand in the config, which many may read; write \
    { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";
