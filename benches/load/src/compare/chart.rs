//! The ratios as a chart in SVG: a point for the median, a line from the least to the most, on a logarithmic scale.
//! Knows nothing of how they were found.

use std::fmt::Write;

use super::case::{Case, Mode};
use super::results::{Results, Row};
use crate::stage::Subject;

const WIDTH: f64 = 860.0;
/// Where the scale begins and ends.
const LEFT: f64 = 250.0;
const RIGHT: f64 = 800.0;
const LEAST: f64 = 0.125;
const MOST: f64 = 16.0;
const MARKS: [f64; 8] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
const ROW: f64 = 22.0;
const TOP: f64 = 64.0;

impl Results {
    /// The chart, as the text of a file.
    #[must_use]
    pub fn chart(&self) -> String {
        let (mut y, mut body) = (TOP, String::new());
        let mut above: Option<(Case, Mode)> = None;
        let is_shown = |row: &&Row| row.subject != Subject::Nginx && row.ratio.median.is_finite();
        for row in self.rows.iter().filter(is_shown) {
            let group = (row.case, row.mode);
            if above.replace(group) != Some(group) {
                y += ROW * 1.4;
                let title = format!("{}, {}", row.case.title(), row.mode.title());
                body += &text(12.0, y, "start", "bold", &title);
                y += ROW;
            }
            body += &point(row, y);
            y += ROW;
        }
        let height = y + ROW;
        let title = text(
            12.0,
            26.0,
            "start",
            "bold",
            "CPU time of a request or a handshake, nginx without auth = 1",
        );
        let scale = scale(y);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{title}{scale}{body}</svg>\n"
        )
    }
}

fn scale(bottom: f64) -> String {
    let mut scale = String::new();
    for mark in MARKS {
        let (x, y) = (x(mark), TOP);
        let color = if mark.to_bits() == 1.0_f64.to_bits() {
            "#555"
        } else {
            "#ddd"
        };
        scale += &text(x, y - 8.0, "middle", "normal", &mark.to_string());
        // Writing to a String does not fail.
        let _ = writeln!(
            scale,
            "<line x1=\"{x:.1}\" y1=\"{y}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{color}\"/>"
        );
    }
    scale
}

fn point(row: &Row, y: f64) -> String {
    let color = if row.subject == Subject::Wxgate {
        "#07a35a"
    } else {
        "#667"
    };
    let weight = if row.subject == Subject::Wxgate {
        "bold"
    } else {
        "normal"
    };
    let (least, middle, most) = (x(row.ratio.min), x(row.ratio.median), x(row.ratio.max));
    let line = y - 4.0;
    let mut point = text(LEFT - 12.0, y, "end", weight, row.subject.title());
    let _ = writeln!(
        point,
        "<line x1=\"{least:.1}\" y1=\"{line:.1}\" x2=\"{most:.1}\" y2=\"{line:.1}\" \
         stroke=\"{color}\" stroke-width=\"3\"/>\n\
         <circle cx=\"{middle:.1}\" cy=\"{line:.1}\" r=\"5\" fill=\"{color}\"/>"
    );
    let label = format!("{:.2}", row.ratio.median);
    point + &text(most.max(middle) + 12.0, y, "start", weight, &label)
}

fn text(x: f64, y: f64, anchor: &str, weight: &str, words: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\" \
         fill=\"#222\">{words}</text>\n"
    )
}

/// Where a ratio is on the scale, at whose ends stands what is beyond.
fn x(ratio: f64) -> f64 {
    let part = (ratio.clamp(LEAST, MOST) / LEAST).log2() / (MOST / LEAST).log2();
    LEFT + part * (RIGHT - LEFT)
}
