//! The access log: lines that come with every request, in the form of all others, but written out by their worker itself,
//! because the way of the rare ones would cost more than all else that a request does. Knows nothing of what they tell.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{Level, Subscriber, dispatcher};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;

use super::line;
use crate::config::plan::LogFormat;
use crate::domain::clock::wall_time;

/// What a line takes at once, in bytes; most are shorter.
const USUAL_LINE: usize = 512;

/// One thread's access log. It writes to the log that the thread had when this was made.
pub struct AccessLog {
    outlet: Option<Outlet>,
    line: RefCell<String>,
    second: RefCell<Second>,
}

type Write = dyn Fn(&[u8]) + Send + Sync;

/// Where lines go, and in which form. It stands among the layers of the log to be found there, and does nothing.
#[derive(Clone)]
pub(super) struct Outlet {
    write: Arc<Write>,
    format: LogFormat,
}

impl<S: Subscriber> Layer<S> for Outlet {}

impl Outlet {
    pub(super) fn new<W>(writer: W, format: LogFormat) -> Self
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        let write = move |line: &[u8]| {
            // There is nowhere left to say that the log cannot be written.
            let _ = writer.make_writer().write_all(line);
        };
        Self {
            write: Arc::new(write),
            format,
        }
    }
}

impl AccessLog {
    /// The access log of this thread's log; without one, or where the level leaves it out, it writes nothing.
    #[must_use]
    pub fn here() -> Self {
        let find = |dispatch: &tracing::Dispatch| dispatch.downcast_ref::<Outlet>().cloned();
        // The level does not change while the log lasts.
        let is_told = tracing::enabled!(target: "wxgate::access", Level::INFO);
        Self {
            outlet: dispatcher::get_default(find).filter(|_| is_told),
            line: RefCell::new(String::with_capacity(USUAL_LINE)),
            second: RefCell::default(),
        }
    }

    /// The fields that `tell` gives, as lines of this log have them.
    #[must_use]
    pub fn render(&self, tell: impl FnOnce(&mut Fields<'_>)) -> Rendered {
        let mut line = String::new();
        if let Some(Outlet { format, .. }) = &self.outlet {
            tell(&mut Fields {
                line: &mut line,
                format: *format,
            });
        }
        Rendered(line)
    }

    /// Writes one line at `now` with a message and the fields that `tell` gives it, unless there is no log for it.
    pub fn write(&self, message: &Rendered, now: Instant, tell: impl FnOnce(&mut Fields<'_>)) {
        let Some(outlet) = &self.outlet else { return };
        let mut line = self.line.borrow_mut();
        line.clear();
        let mut fields = Fields {
            line: &mut line,
            format: outlet.format,
        };
        fields.begin(&mut self.second.borrow_mut(), now);
        fields.add(message);
        tell(&mut fields);
        fields.end();
        (outlet.write)(line.as_bytes());
    }
}

/// Fields that many lines have, written once.
#[derive(Debug, Default)]
pub struct Rendered(String);

/// The name of a field, with what stands around it in each form.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    text: &'static str,
    json: &'static str,
}

impl Name {
    /// A name as [`name!`](crate::telemetry::name) makes it.
    #[must_use]
    pub const fn new(text: &'static str, json: &'static str) -> Self {
        Self { text, json }
    }
}

/// A [`Name`], written out for both forms while compiling.
macro_rules! name {
    ($name:literal) => {
        $crate::telemetry::Name::new(concat!(" ", $name, "="), concat!(",\"", $name, "\":"))
    };
}

pub(crate) use name;

/// The fields of a line that is being written.
pub struct Fields<'a> {
    line: &'a mut String,
    format: LogFormat,
}

impl Fields<'_> {
    /// What happened, before all that is told of it.
    pub fn message(&mut self, message: &str) {
        match self.format {
            LogFormat::Text => line::write_text_field(self.line, "message", message),
            LogFormat::Json => self.text(name!("message"), message),
        }
    }

    /// A text, which may come from anybody.
    pub fn text(&mut self, name: Name, value: &str) {
        self.name(name);
        match self.format {
            LogFormat::Text => line::write_text(self.line, value),
            LogFormat::Json => line::write_json_text(self.line, value),
        }
    }

    /// What was rendered before.
    pub fn add(&mut self, rendered: &Rendered) {
        let Rendered(fields) = rendered;
        self.line.push_str(fields);
    }

    /// A text that is certainly one word of letters, digits and what separates neither words nor fields.
    pub fn word(&mut self, name: Name, value: &str) {
        self.name(name);
        if self.format == LogFormat::Json {
            self.line.push('"');
        }
        self.line.push_str(value);
        if self.format == LogFormat::Json {
            self.line.push('"');
        }
    }

    /// A whole number.
    pub fn number(&mut self, name: Name, value: u64) {
        self.name(name);
        self.line.push_str(itoa::Buffer::new().format(value));
    }

    /// Milliseconds, to the microsecond.
    pub fn millis(&mut self, name: Name, span: Duration) {
        self.name(name);
        let micros = (span.subsec_nanos() + 500) / 1000;
        let whole = span.as_secs() * 1000 + u64::from(micros / 1000);
        self.line.push_str(itoa::Buffer::new().format(whole));
        self.line.push('.');
        let mut digits = itoa::Buffer::new();
        let part = behind_one(&mut digits, 1000 + micros % 1000).trim_end_matches('0');
        self.line.push_str(if part.is_empty() { "0" } else { part });
    }

    /// That something is so.
    pub fn flag(&mut self, name: Name) {
        self.name(name);
        self.line.push_str("true");
    }

    fn begin(&mut self, second: &mut Second, now: Instant) {
        match self.format {
            LogFormat::Text => {
                second.write_time(now, self.line);
                self.line.push_str("  INFO wxgate::access: ");
            }
            LogFormat::Json => {
                self.line.push_str("{\"timestamp\":\"");
                second.write_time(now, self.line);
                self.line.push_str("\",\"level\":\"INFO\"");
            }
        }
    }

    fn name(&mut self, name: Name) {
        self.line.push_str(match self.format {
            LogFormat::Text => name.text,
            LogFormat::Json => name.json,
        });
    }

    fn end(&mut self) {
        self.line.push_str(match self.format {
            LogFormat::Text => "\n",
            LogFormat::Json => ",\"target\":\"wxgate::access\"}\n",
        });
    }
}

/// A second of the wall clock and how it is written: most lines fall into that of the one before, and their time is told
/// by how long ago it began.
#[derive(Default)]
struct Second {
    began: Option<Instant>,
    text: String,
}

impl Second {
    /// Writes what the wall clock shows at `now` as RFC 3339 has it, in UTC, to the microsecond.
    fn write_time(&mut self, now: Instant, line: &mut String) {
        let gone = match self.began.map(|began| now.saturating_duration_since(began)) {
            Some(gone) if gone.as_secs() == 0 => gone,
            _ => {
                let time = wall_time();
                self.turn(time.as_secs());
                let gone = Duration::from_nanos(time.subsec_nanos().into());
                self.began = now.checked_sub(gone);
                gone
            }
        };
        line.push_str(&self.text);
        let mut digits = itoa::Buffer::new();
        line.push_str(behind_one(&mut digits, 1_000_000 + gone.subsec_micros()));
        line.push('Z');
    }

    fn turn(&mut self, since_epoch: u64) {
        let seconds = i64::try_from(since_epoch).unwrap_or_default();
        let time = OffsetDateTime::from_unix_timestamp(seconds);
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        let (hour, minute, second) = time.to_hms();
        self.text.clear();
        // Nothing that is written into a string fails.
        let _ = write!(
            self.text,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}."
        );
    }
}

/// The digits behind the one that a number begins with: so they are written with zeros before them.
fn behind_one(digits: &mut itoa::Buffer, number: u32) -> &str {
    digits.format(number).get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_of(since_epoch: u64) -> String {
        let mut second = Second::default();
        second.turn(since_epoch);
        second.text
    }

    fn millis(span: Duration) -> String {
        let mut line = String::new();
        let format = LogFormat::Text;
        let line_of = &mut line;
        Fields {
            line: line_of,
            format,
        }
        .millis(name!("t"), span);
        line
    }

    #[test]
    fn the_time_is_that_of_utc() {
        assert_eq!(time_of(0), "1970-01-01T00:00:00.");
        assert_eq!(time_of(951_782_400), "2000-02-29T00:00:00.");
        assert_eq!(time_of(1_795_511_999), "2026-11-24T09:19:59.");
    }

    #[test]
    fn the_wall_clock_is_looked_at_again_when_a_second_is_over() {
        let began = Instant::now();
        let mut second = Second {
            began: Some(began),
            text: "then.".to_owned(),
        };
        let mut time_after = |micros| {
            let mut line = String::new();
            second.write_time(began + Duration::from_micros(micros), &mut line);
            line
        };
        assert_eq!(time_after(7), "then.000007Z");
        assert_eq!(time_after(999_999), "then.999999Z");
        let time = time_after(1_000_000);
        assert!(!time.starts_with("then."), "{time}");
        assert_eq!(time.len(), "2026-11-24T09:19:59.123456Z".len());
    }

    #[test]
    fn milliseconds_are_told_to_the_microsecond() {
        assert_eq!(millis(Duration::ZERO), " t=0.0");
        assert_eq!(millis(Duration::from_nanos(1_234_500)), " t=1.235");
        assert_eq!(millis(Duration::from_micros(12_050)), " t=12.05");
        assert_eq!(millis(Duration::from_micros(7)), " t=0.007");
        assert_eq!(millis(Duration::from_secs(3)), " t=3000.0");
    }

    #[test]
    fn without_a_log_nothing_is_written() {
        let log = AccessLog {
            outlet: None,
            line: RefCell::default(),
            second: RefCell::default(),
        };
        let tell = |_: &mut Fields<'_>| panic!("nobody asked for it");
        log.write(&Rendered::default(), Instant::now(), tell);
    }
}
