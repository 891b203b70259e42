//! The log: which lines are written, in which form, and where to. Knows nothing of what they tell.

mod access;
mod line;
mod queue;

use std::io::{self, BufWriter};

use tracing::dispatcher::{self, SetGlobalDefaultError};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level};
use tracing_subscriber::filter::{EnvFilter, ParseError, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;

use crate::config::plan::{LogFormat, LogPlan};
pub(crate) use access::name;
pub use access::{AccessLog, Fields, Name, Rendered};

use access::Outlet;
use line::{JsonLine, TextFields};
use queue::{Lines, Writing};

/// The lines that wait to be written before new ones are dropped: some megabytes at most.
const WAITING_LINES: usize = 16_384;
/// How much of them goes out at once, in bytes: what comes between two looks, where not very much does.
const AT_ONCE: usize = 64 * 1024;
/// What holds where neither the config nor the environment says anything.
const DEFAULT_LEVEL: &str = "info";

/// Keeps the log going; what waits to be written is written when this is dropped.
#[must_use = "without it nothing more is written"]
pub struct Guard {
    lines: Lines,
    _writing: Writing,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A word where a level should be. Left alone it would name a target, and silence all others.
    #[error(
        "`{0}` is no log level; there are off, error, warn, info, debug and trace, \
         and TARGET=LEVEL, separated by commas"
    )]
    UnknownLevel(String),
    /// What is no filter.
    #[error("`{text}` is no log filter; write a level such as `info`, or `wxgate=debug,info`")]
    Filter {
        /// What was written.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// `RUST_LOG` is not Unicode.
    #[error("RUST_LOG cannot be read")]
    Environment(#[source] std::env::VarError),
    /// The system gives no thread.
    #[error("the system gives no thread for the log")]
    Thread(#[source] io::Error),
    /// This process has a log already.
    #[error("the log was started twice")]
    Twice(#[from] SetGlobalDefaultError),
}

impl Guard {
    /// Counts the lines that were dropped since the start, whenever it is called.
    pub fn dropped_lines(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let lines = self.lines.clone();
        move || lines.dropped()
    }
}

/// Starts the log of this process, on stdout; a reader that is too slow loses lines, but holds up no request.
///
/// # Errors
///
/// The level is none, there is a log already, or the system gives no thread.
pub fn start(log: &LogPlan) -> Result<Guard, TelemetryError> {
    let stdout = BufWriter::with_capacity(AT_ONCE, io::stdout());
    let (lines, writing) = queue::start(stdout, WAITING_LINES).map_err(TelemetryError::Thread)?;
    dispatcher::set_global_default(subscriber(log, lines.clone())?)?;
    Ok(Guard {
        lines,
        _writing: writing,
    })
}

/// A log that writes to `writer`, for one gateway or one thread.
///
/// # Errors
///
/// The level is none.
pub fn subscriber<W>(log: &LogPlan, writer: W) -> Result<Dispatch, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Clone + Send + Sync + 'static,
{
    let filter = match &log.level {
        Some(level) => parse_filter(level)?,
        None => parse_filter(&environment()?)?,
    };
    let filtered = tracing_subscriber::registry()
        .with(filter)
        .with(discretion())
        .with(Outlet::new(writer.clone(), log.format));
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    Ok(match log.format {
        LogFormat::Text => Dispatch::new(filtered.with(lines.fmt_fields(TextFields))),
        LogFormat::Json => {
            let flat = lines.json().flatten_event(true);
            let flat = flat.with_current_span(false).with_span_list(false);
            Dispatch::new(filtered.with(flat.map_event_format(JsonLine)))
        }
    })
}

fn environment() -> Result<String, TelemetryError> {
    match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(text) => Ok(text),
        Err(std::env::VarError::NotPresent) => Ok(String::new()),
        Err(error @ std::env::VarError::NotUnicode(_)) => Err(TelemetryError::Environment(error)),
    }
}

fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let text = if text.trim().is_empty() {
        DEFAULT_LEVEL
    } else {
        text
    };
    let words = text.split(',').map(str::trim);
    let mut unknown = words.filter(|w| !w.contains('=') && w.parse::<LevelFilter>().is_err());
    // Within the brackets of a span, a comma separates something else.
    if let Some(word) = unknown.next().filter(|_| !text.contains('[')) {
        return Err(TelemetryError::UnknownLevel(word.to_owned()));
    }
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| TelemetryError::Filter {
            text: text.to_owned(),
            source,
        })
}

/// Libraries print addresses with queries, and headers, below `info`: secrets and skeys would be among them.
fn discretion() -> Targets {
    Targets::new()
        .with_default(Level::INFO)
        .with_target("wxgate", Level::TRACE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::Instant;
    use tracing::{debug, info, warn};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn plan(format: LogFormat, level: &str) -> LogPlan {
        LogPlan {
            format,
            level: Some(level.to_owned()),
        }
    }

    /// What `tell` has written to a log like this.
    fn written(log: &LogPlan, tell: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let dispatch = subscriber(log, move || writer.clone()).unwrap();
        dispatcher::with_default(&dispatch, tell);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn refused(level: &str) -> String {
        let log = plan(LogFormat::Text, level);
        subscriber(&log, io::sink).unwrap_err().to_string()
    }

    #[test]
    fn a_text_line_has_its_fields_as_key_and_value() {
        let text = written(&plan(LogFormat::Text, "info"), || {
            info!(status = 200, path = "/a", app = %"shop", empty = "", said = "a b=c", "answered");
        });
        let (head, line) = text.split_once("wxgate::telemetry::tests: ").unwrap();
        assert!(head.ends_with("  INFO "), "{head}");
        assert_eq!(
            line,
            "answered status=200 path=/a app=shop empty=\"\" said=\"a b=c\"\n"
        );
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = written(&plan(LogFormat::Json, "info"), || {
            warn!(status = 503, path = "/a", "answered");
        });
        let Value::Object(line) = serde_json::from_str(&text).unwrap() else {
            panic!("{text} is no object");
        };
        let mut keys: Vec<_> = line.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["level", "message", "path", "status", "target", "timestamp"]
        );
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["status"], 503);
    }

    #[test]
    fn no_value_can_forge_a_line_or_steer_a_terminal() {
        let evil = "x\r\n2030-01-01 ERROR forged \x1b[31m\u{9b}2J";
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = written(&plan(format, "info"), || {
                info!(plain = evil, shown = %evil, debugged = ?evil, "told {evil}");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.ends_with('\n'));
            assert!(!text.trim_end().contains(char::is_control), "{text}");
        }
    }

    #[test]
    fn a_json_value_is_read_back_as_it_was() {
        let told = "\u{9b}2J\u{202e}\u{7f}\n\"用户";
        let text = written(&plan(LogFormat::Json, "info"), || info!(told, "answered"));
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{7f}']), "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["told"], told);
    }

    #[test]
    fn a_text_value_is_quoted_so_that_it_cannot_pass_for_another_field() {
        let text = written(&plan(LogFormat::Text, "info"), || {
            info!(agent = %"a\" status=200 \u{202e}\u{9b}\n", "answered");
        });
        let expected = r#"answered agent="a\" status=200 \u{202e}\u{9b}\n""#;
        assert!(text.trim_end().ends_with(expected), "{text}");
    }

    #[test]
    fn the_level_says_which_lines_are_written() {
        let tell = || {
            debug!("fine");
            info!("coarse");
        };
        let lines = |level| written(&plan(LogFormat::Text, level), tell).lines().count();
        assert_eq!(lines("off"), 0);
        assert_eq!(lines("warn"), 0);
        assert_eq!(lines("info"), 1);
        assert_eq!(lines(""), 1);
        assert_eq!(lines("DEBUG"), 2);
        assert_eq!(lines("error,wxgate=debug"), 2);
        assert_eq!(lines("debug,wxgate::telemetry=info"), 1);
    }

    #[test]
    fn the_level_holds_for_access_lines_too() {
        let tell = || AccessLog::here().write(&Rendered::default(), Instant::now(), |_| {});
        let lines = |level| written(&plan(LogFormat::Text, level), tell).lines().count();
        for level in [
            "info",
            "",
            "trace",
            "error,wxgate::access=info",
            "warn,wxgate=info",
        ] {
            assert_eq!(lines(level), 1, "{level}");
        }
        for level in [
            "off",
            "warn",
            "info,wxgate::access=off",
            "debug,wxgate=warn",
        ] {
            assert_eq!(lines(level), 0, "{level}");
        }
    }

    /// What follows the time of a line.
    fn timeless(line: &str) -> String {
        assert_eq!(line.lines().count(), 1, "{line}");
        line.split_once("INFO").unwrap().1.to_owned()
    }

    proptest! {
        #[test]
        fn an_access_line_is_what_any_other_line_would_be(
            path in any::<String>(), reason in "[ -~\u{80}-\u{9f}\u{2028}\u{202e}\n\r\t\u{1b}用]{0,20}",
            method in "[A-Z!#$%&'*+.^_`|~-]{1,8}", bytes in any::<u64>(), micros in any::<u32>(),
        ) {
            let (path, reason, method) = (path.as_str(), reason.as_str(), method.as_str());
            let (span, millis) = (Duration::from_micros(micros.into()), f64::from(micros) / 1000.0);
            for format in [LogFormat::Text, LogFormat::Json] {
                let log = plan(format, "info");
                let own = written(&log, || {
                    let log = AccessLog::here();
                    let message = log.render(|line| line.message("request"));
                    let path = log.render(|line| line.text(name!("path"), path));
                    log.write(&message, Instant::now(), |line| {
                    line.word(name!("method"), method);
                    line.add(&path);
                    line.number(name!("bytes"), bytes);
                    line.millis(name!("took_ms"), span);
                    line.flag(name!("cut"));
                    line.text(name!("reason"), reason);
                    });
                });
                let traced = written(&log, || info!(
                    target: "wxgate::access",
                    method, path, bytes, took_ms = millis, cut = true, reason, app = None::<&str>, "request"
                ));
                prop_assert_eq!(timeless(&own), timeless(&traced));
            }
        }
    }

    #[test]
    fn libraries_are_silent_below_info_at_any_level() {
        let text = written(&plan(LogFormat::Text, "trace"), || {
            debug!(target: "reqwest::connect", "to https://api.weixin.qq.com/?secret=s3cret");
            info!(target: "reqwest", "harmless");
        });
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("harmless"), "{text}");
    }

    #[test]
    fn what_is_no_level_is_refused_by_name() {
        let unknown = refused("inof");
        assert!(
            unknown.starts_with("`inof` is no log level; there are off, error"),
            "{unknown}"
        );
        assert!(refused("info,loud").starts_with("`loud` is no log level"));
        assert!(refused("wxgate=loud").starts_with("`wxgate=loud` is no log filter"));
    }
}
