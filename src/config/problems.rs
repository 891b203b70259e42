//! All that is wrong with a config, as its operator reads it. Knows no TOML.

use std::fmt;
use std::io;
use std::string::FromUtf8Error;

/// Every problem of a config, in the order of the file, one line each.
#[derive(Debug, thiserror::Error)]
pub struct Problems {
    name: String,
    found: Vec<Problem>,
}

/// One thing that is wrong, and what would be right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    /// Where; none for the file as a whole.
    pub(super) position: Option<Position>,
    /// A sentence without a full stop.
    pub(super) text: String,
}

/// A character of a text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Problems {
    /// A file that could not be read is its only problem.
    pub(super) fn unreadable(name: &str, error: &io::Error) -> Self {
        let text = format!("cannot be read: {error}");
        let problem = Problem {
            position: None,
            text,
        };
        Self::new(name, vec![problem])
    }

    /// A file that is not UTF-8 is its only problem, at the first byte that cannot be.
    pub(super) fn not_utf8(name: &str, error: &FromUtf8Error) -> Self {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(before.unwrap_or_default());
        let problem = Problem {
            position: Some(Position::of(before.len(), &before)),
            text: "this is not UTF-8; save the file in that encoding".to_owned(),
        };
        Self::new(name, vec![problem])
    }

    /// Puts what was found in `name` in order.
    pub(super) fn new(name: &str, mut found: Vec<Problem>) -> Self {
        found.sort();
        found.dedup();
        Self {
            name: name.to_owned(),
            found,
        }
    }
}

impl Position {
    /// Where the byte at `offset` stands in `text`.
    pub(super) fn of(offset: usize, text: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.chars().count()
                - before.get(..line_start).unwrap_or_default().chars().count()
                + 1,
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.found.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            let text = &problem.text;
            write!(f, "{line_break}{}:", self.name)?;
            match problem.position {
                Some(Position { line, column }) => write!(f, "{line}:{column}: {text}")?,
                None => write!(f, " {text}")?,
            }
        }
        Ok(())
    }
}
