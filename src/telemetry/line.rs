//! The form of one log line, in which no value can pass for something else. Knows nothing of levels and outputs.

use std::fmt;
use std::mem;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

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
        let mut rest = line.trim_end();
        // Such a character stands only within a string, where `\u` and four digits mean it; none needs more.
        while let Some(place) = rest.find(deceives) {
            let (clean, tail) = rest.split_at(place);
            let mut tail = tail.chars();
            writer.write_str(clean)?;
            if let Some(c) = tail.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = tail.as_str();
        }
        writeln!(writer, "{rest}")
    }
}

/// Fields as `key=value`, quoted where they could be read as something else.
pub(super) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = TextLine {
            writer,
            is_empty: true,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }
}

struct TextLine<'w> {
    writer: Writer<'w>,
    is_empty: bool,
    result: fmt::Result,
}

impl Visit for TextLine<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if self.result.is_ok() {
            self.result = self.write_field(field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl TextLine<'_> {
    fn write_field(&mut self, name: &str, value: &str) -> fmt::Result {
        if !mem::take(&mut self.is_empty) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            return self.write_escaped(value, deceives);
        }
        self.writer.write_str(name)?;
        self.writer.write_char('=')?;
        if is_one_word(value) {
            return self.writer.write_str(value);
        }
        self.writer.write_char('"')?;
        self.write_escaped(value, |c| deceives(c) || c == '"' || c == '\\')?;
        self.writer.write_char('"')
    }

    fn write_escaped(&mut self, text: &str, is_escaped: fn(char) -> bool) -> fmt::Result {
        if !text.contains(is_escaped) {
            return self.writer.write_str(text);
        }
        for c in text.chars() {
            if is_escaped(c) {
                write!(self.writer, "{}", c.escape_default())?;
            } else {
                self.writer.write_char(c)?;
            }
        }
        Ok(())
    }
}

fn is_one_word(value: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.bytes().all(is_plain) {
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
