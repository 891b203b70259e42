//! The name under which a backend is given what the gateway opened. Knows nothing of bodies.

use std::fmt;

/// The longest name, in characters.
const LONGEST: usize = 64;

/// What clients themselves send beside it, under these names.
const TAKEN: [&str; 4] = ["encryptedData", "iv", "rawData", "signature"];

/// The name of a field that the gateway alone may fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName {
    name: String,
    folded: String,
}

/// A text that is no such name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldNameError {
    /// It has other characters, none, or too many.
    #[error(
        "`{0}` is no name of a field; write letters, digits, `_` and `-`, at most 64, such as \"openData\""
    )]
    Form(String),
    /// A client sends something else under it.
    #[error("`{0}` is what the client sends; choose another name, such as \"openData\"")]
    Taken(String),
}

impl FieldName {
    /// Reads a name as configs write it.
    ///
    /// # Errors
    ///
    /// It is not 1 to 64 letters, digits, `_` and `-`, or clients send something else under it.
    pub fn parse(text: &str) -> Result<Self, FieldNameError> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(is_plain) {
            return Err(FieldNameError::Form(text.to_owned()));
        }
        let name = Self {
            name: text.to_owned(),
            folded: fold(text),
        };
        if TAKEN.iter().any(|taken| name.covers(taken)) {
            return Err(FieldNameError::Taken(text.to_owned()));
        }
        Ok(name)
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// Whether a backend could take a field of this `name` for ours: case and punctuation may be folded, what follows
    /// a NUL ignored, and `name[x]` and `name.x` taken for parts of `name`.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let flat = name.split(['[', '\0']).next().unwrap_or_default();
        let nested = flat.split('.').next().unwrap_or_default();
        [flat, nested]
            .iter()
            .any(|name| fold(name.trim()) == self.folded)
    }
}

impl Default for FieldName {
    fn default() -> Self {
        let name = "openData";
        Self {
            name: name.to_owned(),
            folded: fold(name),
        }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Through upper to lower case, since some readers take `ſ` for `s` and the sign of kelvin for `k`.
fn fold(name: &str) -> String {
    let cased = name.chars().flat_map(char::to_uppercase);
    let cased = cased.flat_map(char::to_lowercase);
    cased
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_and_not_what_clients_send() {
        for text in ["openData", "open_data", "wx-data", "d", &"n".repeat(64)] {
            assert_eq!(FieldName::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "a b", "a.b", "a[b]", "a&b", "数据", &"n".repeat(65)] {
            let error = FieldNameError::Form(text.to_owned());
            assert_eq!(FieldName::parse(text), Err(error));
        }
        for text in ["iv", "IV", "rawdata", "encryptedData", "signature"] {
            let error = FieldNameError::Taken(text.to_owned());
            assert_eq!(FieldName::parse(text), Err(error));
        }
        let default = FieldName::default();
        assert_eq!(FieldName::parse("openData"), Ok(default));
    }

    #[test]
    fn whatever_a_backend_could_fold_to_a_name_is_covered() {
        let name = FieldName::parse("task_data").unwrap();
        for other in [
            "task_data",
            "Task_Data",
            "task.data",
            "task-data",
            " task data ",
            "task_data[]",
            "task_data[nickName]",
            "task_data.nickName",
            "task_data\0x",
            "taſ\u{212A}_data",
        ] {
            assert!(name.covers(other), "{other:?}");
        }
        for other in [
            "",
            "task",
            "taskdata",
            "xtask_data",
            "task_data2",
            "[task_data",
        ] {
            assert!(!name.covers(other), "{other:?}");
        }
    }
}
