//! A config's text, and what is wrong with it, noted down place by place. Knows no keys.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problems::{Position, Problem, Problems};
use super::spelling;
use super::syntax::{Syntax, line_at, next_header};

/// A byte of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) usize);

/// What is written at a place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl Place {
    /// What is written here.
    pub(super) fn at<T>(self, value: T) -> At<T> {
        At { value, place: self }
    }
}

/// A text under examination.
pub(super) struct Source<'a> {
    name: &'a str,
    text: &'a str,
    lost: Vec<Range<usize>>,
    found: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    /// Notes what is wrong with the syntax of `text`.
    pub(super) fn new(name: &'a str, text: &'a str, syntax: &Syntax) -> Self {
        let source = Self {
            name,
            text,
            lost: syntax.lost.clone(),
            found: RefCell::default(),
        };
        for (offset, error) in &syntax.errors {
            source.problem(Place(*offset), format_args!("this is no TOML: {error}"));
        }
        source
    }

    /// Notes a problem at `place`.
    pub(super) fn problem(&self, place: Place, text: impl Display) {
        self.found.borrow_mut().push(Problem {
            position: Some(self.position(place)),
            text: in_one_line(&text.to_string()),
        });
    }

    /// Notes that something is missing in the table at `place`, unless it may be in a part that was left out.
    pub(super) fn missing(&self, place: Place, text: impl Display) {
        let end = next_header(self.text, line_at(self.text, place.0).end);
        if !self
            .lost
            .iter()
            .any(|lost| (place.0..end).contains(&lost.start))
        {
            self.problem(place, text);
        }
    }

    /// Notes that a table is missing that the one at `place` needs, unless it may be in a part that was left out.
    pub(super) fn missing_table(&self, place: Place, text: impl Display) {
        if !self.has_lost_a_table() {
            self.problem(place, text);
        }
    }

    /// Notes that `written` is no `thing`, of which `known` are all there are.
    pub(super) fn unknown<'k>(
        &self,
        written: &At<String>,
        thing: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let word = &written.value;
        let hint = spelling::hint(word, known);
        self.problem(
            written.place,
            format_args!("`{word}` is no {thing}; {hint}"),
        );
    }

    /// The place of the name among `names`; an unknown one is a problem, unless its table may have been left out.
    pub(super) fn find(&self, name: &At<String>, thing: &str, names: &[String]) -> Option<usize> {
        let found = names.iter().position(|known| **known == name.value);
        if found.is_none() && !self.has_lost_a_table() {
            self.unknown(name, thing, names.iter().map(String::as_str));
        }
        found
    }

    /// What is written, read by `parse`; if it cannot be read, that is a problem.
    pub(super) fn accept<T, E: Display>(
        &self,
        written: impl Into<Option<At<String>>>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let written = written.into()?;
        parse(&written.value)
            .map_err(|error| self.problem(written.place, error))
            .ok()
    }

    /// Each of what is written, read by `parse`.
    pub(super) fn accept_all<T, E: Display>(
        &self,
        written: Option<At<Vec<At<String>>>>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let written = written.map(|list| list.value).unwrap_or_default();
        written
            .into_iter()
            .filter_map(|text| self.accept(text, &parse))
            .collect()
    }

    /// The one of `choices` that is written, if it is one of them.
    pub(super) fn choose<T: Copy>(
        &self,
        written: Option<At<String>>,
        thing: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let written = written?;
        let chosen = choices.iter().find(|(name, _)| *name == written.value);
        if chosen.is_none() {
            self.unknown(&written, thing, choices.iter().map(|(name, _)| *name));
        }
        chosen.map(|(_, choice)| *choice)
    }

    /// The line of `place`.
    pub(super) fn line(&self, place: Place) -> usize {
        self.position(place).line
    }

    /// The file that a path in the config means: a relative one starts where the config lies.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        Path::new(self.name)
            .parent()
            .unwrap_or(Path::new(""))
            .join(path)
    }

    /// What was found; nothing if all is well.
    pub(super) fn into_problems(self) -> Option<Problems> {
        let found = self.found.into_inner();
        (!found.is_empty()).then(|| Problems::new(self.name, found))
    }

    fn has_lost_a_table(&self) -> bool {
        self.lost
            .iter()
            .any(|lost| next_header(self.text, lost.start) < lost.end)
    }

    fn position(&self, place: Place) -> Position {
        Position::of(place.0, self.text)
    }
}

/// What a config quotes may have line breaks.
fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}
