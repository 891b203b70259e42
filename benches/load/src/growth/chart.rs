//! The results as small charts side by side in SVG, for a light page and a dark one: a point for the median, a line from
//! the least to the most. Knows nothing of how they were found.

mod axes;

use std::fmt::Write;

use self::axes::{Across, Up, number};
use super::kind::{Line, Panel};
use super::results::{Curve, Point, Results};

const COLUMNS: usize = 3;
const GAP: f64 = 20.0;
/// A panel, its words included.
const WIDTH: f64 = 290.0;
const HEIGHT: f64 = 210.0;
/// Where in a panel the lines are.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 276.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 178.0;

/// A page that is dark says so to the file that it shows.
const STYLE: &str = "\
<style>
  .paper { fill: #fff } text { fill: #24292f } .quiet { fill: #57606a } .grid { stroke: #d8dee4 }
  .a { color: #07935a } .b { color: #6e7781 } .c { color: #0969da } .d { color: #bc4c00 }
  .words { fill: currentColor } .line { stroke: currentColor; fill: none } .dot { fill: currentColor }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d }
    .a { color: #3fb950 } .b { color: #9198a1 } .c { color: #58a6ff } .d { color: #f0883e }
  }
</style>
";

impl Results {
    /// The chart, as the text of a file.
    #[must_use]
    pub fn chart(&self) -> String {
        let mut panels: Vec<Panel> = self.curves.iter().map(|curve| curve.panel).collect();
        panels.dedup();
        panels.sort_by_key(|panel| *panel as usize);
        panels.dedup();
        let (mut column, mut row, mut body) = (0, 0, String::new());
        let mut above = None;
        for panel in panels {
            // Each kind begins a row.
            let begins = above.replace(panel.kind()) != Some(panel.kind());
            if column == COLUMNS || (begins && column > 0) {
                (column, row) = (0, row + 1);
            }
            let of_panel = |curve: &&Curve| curve.panel == panel;
            let curves: Vec<_> = self.curves.iter().filter(of_panel).collect();
            let (x, y) = (place(column, WIDTH), place(row, HEIGHT));
            // Writing to a String does not fail.
            let _ = write!(
                body,
                "<g transform=\"translate({x} {y})\">\n{}</g>\n",
                draw(panel, &curves)
            );
            column += 1;
        }
        let (width, height) = (place(COLUMNS, WIDTH), place(row + 1, HEIGHT));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n{STYLE}\
             <rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n{body}</svg>\n"
        )
    }
}

/// Where the panel with this number begins, in one direction.
#[expect(clippy::cast_precision_loss, reason = "there are a handful of panels")]
fn place(number: usize, length: f64) -> f64 {
    GAP + number as f64 * (length + GAP)
}

fn draw(panel: Panel, curves: &[&Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let across = Across::new(points().map(|point| point.size));
    let up = Up::new(points().map(|point| point.spread));
    let title = format!("{}, by {}", panel.title(), panel.kind().title());
    let mut drawn = format!("<text x=\"0\" y=\"14\" font-weight=\"bold\">{title}</text>\n");
    drawn += &words(curves);
    drawn += &grid(panel, &across, &up);
    for curve in curves {
        drawn += &line(curve, &across, &up);
    }
    drawn
}

/// Whose lines these are, in their colours.
fn words(curves: &[&Curve]) -> String {
    let names = curves.iter().map(|curve| {
        let (class, name) = (class(curve.line), curve.line.title());
        format!("<tspan class=\"words {class}\" dx=\"8\">{name}</tspan>")
    });
    let names: String = names.collect();
    format!("<text x=\"-8\" y=\"34\" font-weight=\"bold\">{names}</text>\n")
}

fn grid(panel: Panel, across: &Across, up: &Up) -> String {
    let mut grid = String::new();
    for mark in up.marks() {
        let (y, text) = (up.place(mark), number(mark));
        let _ = writeln!(
            grid,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 8.0,
            y + 4.0,
        );
    }
    for &size in across.sizes() {
        let (x, text) = (across.place(size), panel.kind().write(size));
        let _ = writeln!(
            grid,
            "<text class=\"quiet\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            BOTTOM + 18.0,
        );
    }
    grid
}

fn line(curve: &Curve, across: &Across, up: &Up) -> String {
    let class = class(curve.line);
    let at = |point: &Point| (across.place(point.size), up.place(point.spread.median));
    let corners = curve.points.iter().map(|point| {
        let (x, y) = at(point);
        format!("{x:.1},{y:.1} ")
    });
    let corners: String = corners.collect();
    let corners = corners.trim_end();
    let mut drawn = format!(
        "<g class=\"{class}\"><polyline class=\"line\" stroke-width=\"2\" points=\"{corners}\"/>\n"
    );
    for point in &curve.points {
        let ((x, y), least, most) = (
            at(point),
            up.place(point.spread.min),
            up.place(point.spread.max),
        );
        let _ = writeln!(
            drawn,
            "<line class=\"line\" x1=\"{x:.1}\" y1=\"{least:.1}\" x2=\"{x:.1}\" y2=\"{most:.1}\"/>\
             <circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>"
        );
    }
    drawn + "</g>\n"
}

fn class(line: Line) -> &'static str {
    match line {
        Line::Wxgate | Line::Find => "a",
        Line::Nginx => "b",
        Line::Open => "c",
        Line::Close => "d",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{Machine, Spread};

    #[test]
    fn every_panel_has_its_lines_and_each_kind_begins_a_row() {
        let point = |size, figure: f64| Point {
            size,
            spread: Spread::of([figure].into_iter()),
            invalid: 0,
        };
        let curve = |panel, line| Curve {
            panel,
            line,
            points: vec![point(0, 1.0), point(1024, 5.0)],
        };
        let results = Results {
            machine: Machine::this(std::iter::empty()),
            rounds: 1,
            window_seconds: 1.0,
            curves: vec![
                curve(Panel::ConnectionsCpu, Line::Wxgate),
                curve(Panel::SizesCpu, Line::Wxgate),
                curve(Panel::SizesCpu, Line::Nginx),
            ],
        };
        let chart = results.chart();
        assert_eq!(chart.matches("<polyline").count(), 3);
        assert_eq!(chart.matches("nginx, no auth").count(), 1);
        assert_eq!(chart.matches("translate(20 20)").count(), 1);
        assert_eq!(chart.matches("translate(20 250)").count(), 1);
        assert!(!chart.contains("NaN") && !chart.contains("inf"), "{chart}");
    }
}
