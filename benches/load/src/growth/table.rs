//! The results as tables of Markdown: a table for each kind of growth, a row for each size. Knows nothing of how they
//! were found.

use std::fmt::{self, Display, Formatter};

use clap::ValueEnum;

use super::kind::Kind;
use super::results::{Curve, Point, Results};

impl Display for Results {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            rounds,
            window_seconds,
            ..
        } = self;
        writeln!(f, "{machine} Rounds: {rounds}, of {window_seconds} s each.")?;
        for &kind in Kind::value_variants() {
            let of_kind = |curve: &&Curve| curve.panel.kind() == kind;
            let curves: Vec<_> = self.curves.iter().filter(of_kind).collect();
            if !curves.is_empty() {
                write_kind(f, kind, &curves)?;
            }
        }
        Ok(())
    }
}

fn write_kind(f: &mut Formatter<'_>, kind: Kind, curves: &[&Curve]) -> fmt::Result {
    write!(f, "\n| {} |", kind.title())?;
    for curve in curves {
        write!(f, " {}: {} |", curve.line.title(), curve.panel.title())?;
    }
    writeln!(f, "\n|---|{}", "---|".repeat(curves.len()))?;
    let sizes = curves.iter().flat_map(|curve| &curve.points);
    let mut sizes: Vec<_> = sizes.map(|point| point.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        write!(f, "| {} |", kind.write(size))?;
        for curve in curves {
            let point = curve.points.iter().find(|point| point.size == size);
            write!(
                f,
                " {} |",
                point.map(|point| cell(curve, point)).unwrap_or_default()
            )?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn cell(curve: &Curve, point: &Point) -> String {
    let invalid = match point.invalid {
        0 => String::new(),
        count => format!(", {count} invalid"),
    };
    point.spread.text(curve.panel.digits()) + &invalid
}
