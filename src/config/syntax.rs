//! TOML read as far as it can be understood: a line that cannot is left out, and the rest is still read.
//! Knows no keys.

use std::ops::Range;

use toml::de::DeTable;

/// A TOML text, and what of it could not be read.
pub(super) struct Syntax {
    /// What is wrong, each with the offset of the byte where it shows.
    pub(super) errors: Errors,
    /// The lines that were left out.
    pub(super) lost: Vec<Range<usize>>,
    readable: String,
}

/// How many parts are left out before the whole text is given up: it is something else than a config.
const MOST_LOST: usize = 100;

/// Offsets and sentences.
type Errors = Vec<(usize, String)>;

impl Syntax {
    /// Looks through `text`; what cannot be read is left out, the smallest part that makes the rest readable.
    pub(super) fn read(text: &str) -> Self {
        let mut syntax = Self {
            errors: Vec::new(),
            lost: Vec::new(),
            readable: text.to_owned(),
        };
        loop {
            let errors = errors_of(&syntax.readable);
            if errors.is_empty() {
                return syntax;
            }
            syntax.leave_out(errors);
        }
    }

    /// What can be read; every place in it is the one that it has in the text.
    pub(super) fn table(&self) -> DeTable<'_> {
        DeTable::parse_recoverable(&self.readable).0.into_inner()
    }

    /// Leaves out what is to blame for the first of `errors`, or everything if that would not help.
    fn leave_out(&mut self, errors: Errors) {
        if self.lost.len() < MOST_LOST
            && let Some((readable, range)) = without_first(&self.readable, &errors)
        {
            self.errors.extend(errors.into_iter().take(1));
            self.lost.push(range);
            self.readable = readable;
        } else {
            self.errors.extend(errors);
            self.lost.push(0..self.readable.len());
            self.readable.clear();
        }
    }
}

/// The errors in the order of the text.
fn errors_of(text: &str) -> Errors {
    let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let (_, errors) = DeTable::parse_recoverable(text);
    let mut errors: Vec<_> = errors
        .iter()
        .map(|error| (place(error), error.message().to_owned()))
        .collect();
    errors.sort();
    errors
}

/// The text without the part that is to blame for the first error, unless an error stays there.
///
/// It is the part without which reading comes farthest; how many errors are left says less, since one may hide others.
fn without_first(text: &str, errors: &Errors) -> Option<(String, Range<usize>)> {
    let offset = errors.first()?.0;
    let line = line_at(text, offset);
    let statement_before = statement_before(text, line.start)..line.start;
    let attempts = [statement_before, whole_table(text, line)].map(|range| {
        let less = blank(text, &range);
        let next = errors_of(&less)
            .first()
            .map_or(usize::MAX, |(next, _)| *next);
        (next, less, range)
    });
    let (next, less, range) = attempts.into_iter().max_by_key(|(next, ..)| *next)?;
    (next > offset).then_some((less, range))
}

/// The line that holds the byte at `offset`, with its line break.
pub(super) fn line_at(text: &str, offset: usize) -> Range<usize> {
    let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after
        .find('\n')
        .map_or(text.len(), |newline| offset + newline + 1);
    start..end
}

/// The line, and all lines of its table too if it is a header: they would fall to the table before.
fn whole_table(text: &str, line: Range<usize>) -> Range<usize> {
    if is_header(text.get(line.clone()).unwrap_or_default()) {
        line.start..next_header(text, line.end)
    } else {
        line
    }
}

/// Where the first table header at or after `offset` begins, or the text ends.
pub(super) fn next_header(text: &str, offset: usize) -> usize {
    let mut at = offset;
    for line in text.get(offset..).unwrap_or_default().split_inclusive('\n') {
        if is_header(line) {
            return at;
        }
        at += line.len();
    }
    text.len()
}

/// Where the statement begins that ends right before `offset`: it may lack its closing bracket or brace.
fn statement_before(text: &str, offset: usize) -> usize {
    let mut at = offset;
    for line in text
        .get(..offset)
        .unwrap_or_default()
        .split_inclusive('\n')
        .rev()
    {
        at -= line.len();
        if is_statement(line) {
            break;
        }
    }
    at
}

fn is_statement(line: &str) -> bool {
    let is_key_char = |c: char| c.is_ascii_alphanumeric() || "-_.\"' ".contains(c);
    line.split_once('=')
        .is_some_and(|(key, _)| key.trim_start().chars().all(is_key_char))
}

fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// The same text with spaces for everything in `range` but the line breaks, so that all places stay where they are.
fn blank(text: &str, range: &Range<usize>) -> String {
    let part = text.get(range.clone()).unwrap_or_default();
    let blank: String = part
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    let mut less = text.to_owned();
    less.replace_range(range.clone(), &blank);
    less
}
