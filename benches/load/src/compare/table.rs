//! The results as tables of Markdown. Knows nothing of how they were found.

use std::fmt::{self, Display, Formatter};

use super::case::{Case, Mode};
use super::results::{IdleRow, Results, Row};
use super::run::IDLE_CONNECTIONS;
use crate::stage::{Spread, Subject};

impl Display for Results {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_rounds(f, self)?;
        let mut above: Option<(Case, Mode)> = None;
        for row in &self.rows {
            let group = (row.case, row.mode);
            if above.replace(group) != Some(group) {
                let rate = match row.mode {
                    Mode::Fixed => format!(", {} a second", row.case.rate()),
                    Mode::Saturated => String::new(),
                };
                writeln!(
                    f,
                    "\n**{}, {}{rate}**\n",
                    row.case.title(),
                    row.mode.title()
                )?;
                writeln!(
                    f,
                    "| | ratio | µs a {} | a second | p50 µs | p99 µs | proxy | ends |",
                    row.case.unit()
                )?;
                writeln!(f, "|---|---|---|---|---|---|---|---|")?;
            }
            write_row(f, row)?;
        }
        write_idle(f, &self.idle)
    }
}

fn write_rounds(f: &mut Formatter<'_>, results: &Results) -> fmt::Result {
    let Results {
        machine,
        rounds,
        window_seconds,
        ..
    } = results;
    writeln!(f, "{machine} Rounds: {rounds}, of {window_seconds} s each.")
}

fn write_row(f: &mut Formatter<'_>, row: &Row) -> fmt::Result {
    let ratio = match row.subject {
        Subject::Nginx => "1".to_owned(),
        _ => row.ratio.text(2),
    };
    let invalid = match row.invalid {
        0 => String::new(),
        count => format!(" ({count} invalid)"),
    };
    writeln!(
        f,
        "| {}{invalid} | {ratio} | {} | {:.0} | {:.0} | {} | {:.0} % | {:.0} % |",
        row.subject.title(),
        row.cpu_us.text(1),
        row.rate.median,
        row.p50_us.median,
        row.p99_us.text(0),
        row.proxy_share.median * 100.0,
        row.ends_share.median * 100.0,
    )
}

fn write_idle(f: &mut Formatter<'_>, rows: &[IdleRow]) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n**{IDLE_CONNECTIONS} idle connections**\n")?;
    writeln!(f, "| | KiB a connection |")?;
    writeln!(f, "|---|---|")?;
    for row in rows {
        let Spread { median, min, max } = row.bytes;
        let kib = Spread {
            median: median / 1024.0,
            min: min / 1024.0,
            max: max / 1024.0,
        };
        writeln!(f, "| {} | {} |", row.subject.title(), kib.text(2))?;
    }
    Ok(())
}
