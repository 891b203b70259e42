//! What a run found, as it is written to the JSON. Knows nothing of how it was found.

use serde::{Deserialize, Serialize};

use super::kind::{Line, Panel};
use crate::stage::{Machine, Spread};

/// Everything that a run found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// On what machine.
    pub(super) machine: Machine,
    /// How many rounds there were.
    pub(super) rounds: usize,
    /// How long each window was, in seconds.
    pub(super) window_seconds: f64,
    pub(super) curves: Vec<Curve>,
}

/// One line of one panel.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Curve {
    pub(super) panel: Panel,
    pub(super) line: Line,
    /// In the order of their sizes.
    pub(super) points: Vec<Point>,
}

/// The figures of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) size: u64,
    #[serde(flatten)]
    pub(super) spread: Spread,
    /// How many measurements say nothing; they are left out, unless there are no others.
    pub(super) invalid: usize,
}

/// One figure that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) panel: Panel,
    pub(super) line: Line,
    pub(super) size: u64,
    pub(super) figure: f64,
    /// Whether it says anything.
    pub(super) is_valid: bool,
}

/// Arranges what was found in curves, each in the order in which it first came.
pub(super) fn curves(found: &[Found]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for &Found { panel, line, .. } in found {
        if !curves
            .iter()
            .any(|curve| (curve.panel, curve.line) == (panel, line))
        {
            let of_curve = |it: &&Found| (it.panel, it.line) == (panel, line);
            let all: Vec<_> = found.iter().filter(of_curve).copied().collect();
            let points = points(&all);
            curves.push(Curve {
                panel,
                line,
                points,
            });
        }
    }
    curves
}

fn points(found: &[Found]) -> Vec<Point> {
    let mut sizes: Vec<_> = found.iter().map(|it| it.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let point = |&size: &u64| {
        let all = || found.iter().filter(move |it| it.size == size);
        let valid: Vec<_> = all().filter(|it| it.is_valid).map(|it| it.figure).collect();
        let invalid = all().count() - valid.len();
        let figures = if valid.is_empty() {
            all().map(|it| it.figure).collect()
        } else {
            valid
        };
        let spread = Spread::of(figures.into_iter());
        Point {
            size,
            spread,
            invalid,
        }
    };
    sizes.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(size: u64, figure: f64, is_valid: bool) -> Found {
        Found {
            panel: Panel::SizesCpu,
            line: Line::Nginx,
            size,
            figure,
            is_valid,
        }
    }

    #[test]
    fn rounds_become_points_in_the_order_of_their_sizes() {
        let all = [(10, 3.0), (1, 1.0), (10, 5.0), (1, 2.0)].map(|(a, b)| found(a, b, true));
        let curves = curves(&all);
        let texts: Vec<_> = curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|point| (point.size, point.spread.text(1)))
            .collect();
        assert_eq!(curves.len(), 1);
        let meant = [(1, "1.5 (1.0–2.0)"), (10, "4.0 (3.0–5.0)")];
        assert_eq!(texts, meant.map(|(size, text)| (size, text.to_owned())));
    }

    #[test]
    fn what_says_nothing_is_left_out_unless_there_is_nothing_else() {
        let point = |all: &[Found]| points(all).first().map(|it| (it.spread.max, it.invalid));
        let both = [found(1, 1.0, true), found(1, 9.0, false)];
        assert_eq!(point(&both), Some((1.0, 1)));
        assert_eq!(point(&[found(1, 9.0, false)]), Some((9.0, 1)));
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let written = curves(&[found(1, 1.5, true), found(1 << 20, 9.0, false)]);
        let json = serde_json::to_string(&written).unwrap();
        let read: Vec<Curve> = serde_json::from_str(&json).unwrap();
        assert_eq!(read, written);
    }
}
