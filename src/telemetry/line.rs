//! The form of one log line, in which no value can pass for something else. Knows nothing of levels and outputs.

use std::fmt::{self, Write as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::domain::byte_set::ByteSet;

/// What is sure to stand in a word of a text line as it is; other characters may.
const PLAIN_IN_TEXT: ByteSet = ByteSet::ALPHANUMERIC.and(b"!#$%&'()*+,-./:;<>?@[]^_`{|}~");
/// What is sure to stand in a string of JSON as it is.
const PLAIN_IN_JSON: ByteSet = PLAIN_IN_TEXT.and(b" =");

/// A JSON line of the format inside, with what JSON lets stand but a terminal would obey escaped as well.
pub(super) struct JsonLine<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for JsonLine<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        let mut tamed = String::with_capacity(line.len());
        write_tamed(&mut tamed, line.trim_end());
        writeln!(writer, "{tamed}")
    }
}

/// Fields as `key=value`, quoted where they could be read as something else.
pub(super) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = TextLine(String::new());
        fields.record(&mut line);
        let TextLine(line) = line;
        writer.write_str(line.strip_prefix(' ').unwrap_or(&line))
    }
}

struct TextLine(String);

impl Visit for TextLine {
    fn record_str(&mut self, field: &Field, value: &str) {
        write_text_field(&mut self.0, field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Writes `key=value` behind other fields, or the message as it is, of which fields come behind.
pub(super) fn write_text_field(line: &mut String, name: &str, value: &str) {
    if name == "message" {
        write_escaped(line, value, deceives);
        return;
    }
    line.push(' ');
    line.push_str(name);
    line.push('=');
    write_text(line, value);
}

/// Writes a value as one word, or quoted.
pub(super) fn write_text(line: &mut String, value: &str) {
    if is_one_word(value) {
        line.push_str(value);
        return;
    }
    line.push('"');
    write_escaped(line, value, |c| deceives(c) || c == '"' || c == '\\');
    line.push('"');
}

/// Writes a string of JSON that no terminal obeys.
pub(super) fn write_json_text(line: &mut String, value: &str) {
    if PLAIN_IN_JSON.has_all(value.as_bytes()) {
        line.push('"');
        line.push_str(value);
        line.push('"');
    } else {
        write_tamed(line, &Value::from(value).to_string());
    }
}

/// Writes JSON with what it lets stand but a terminal would obey escaped as well. Such a character stands only within a
/// string, where `\u` and four digits mean it; none needs more.
fn write_tamed(line: &mut String, mut json: &str) {
    while let Some(place) = json.find(deceives) {
        let (clean, tail) = json.split_at(place);
        let mut tail = tail.chars();
        line.push_str(clean);
        if let Some(c) = tail.next() {
            // Nothing that is written into a string fails.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
        json = tail.as_str();
    }
    line.push_str(json);
}

fn write_escaped(line: &mut String, text: &str, is_escaped: fn(char) -> bool) {
    if !text.contains(is_escaped) {
        line.push_str(text);
        return;
    }
    for c in text.chars() {
        if is_escaped(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

fn is_one_word(value: &str) -> bool {
    if !value.is_empty() && PLAIN_IN_TEXT.has_all(value.as_bytes()) {
        return true;
    }
    let splits = |c: char| deceives(c) || c.is_whitespace() || matches!(c, '"' | '\\' | '=');
    !value.is_empty() && !value.contains(splits)
}

/// Whether a character breaks a line, steers a terminal, or turns the direction of writing.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}'
        )
        || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
