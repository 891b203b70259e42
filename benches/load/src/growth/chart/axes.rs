//! The two scales of a panel. Knows nothing of what is drawn.

use super::{BOTTOM, LEFT, RIGHT, TOP};
use crate::stage::Spread;

/// Figures that lie further apart than this are drawn on a logarithmic scale; others on one that begins at 0.
const FAR_APART: f64 = 20.0;
/// How many steps a scale from 0 has.
const STEPS: u32 = 4;
/// How far the outermost points stay from the ends.
const MARGIN: f64 = 14.0;

/// The sizes, on a logarithmic scale; 0 stands one step before the first.
pub(super) struct Across {
    sizes: Vec<u64>,
    first: f64,
    last: f64,
}

/// The figures.
pub(super) enum Up {
    /// From 0 to this.
    Even(f64),
    /// From one power of ten to another.
    Powers(i32, i32),
}

impl Across {
    pub(super) fn new(sizes: impl Iterator<Item = u64>) -> Self {
        let mut sizes: Vec<_> = sizes.collect();
        sizes.sort_unstable();
        sizes.dedup();
        let above = sizes.iter().copied().filter(|size| *size > 0);
        let (first, last) = (above.clone().min(), above.max());
        let has_nothing = sizes.first() == Some(&0);
        Self {
            first: log(first.unwrap_or(1)) - f64::from(u8::from(has_nothing)),
            last: log(last.unwrap_or(1)),
            sizes,
        }
    }

    pub(super) fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    pub(super) fn place(&self, size: u64) -> f64 {
        let at = if size == 0 { self.first } else { log(size) };
        let length = self.last - self.first;
        let part = if length > 0.0 {
            (at - self.first) / length
        } else {
            0.5
        };
        LEFT + MARGIN + part * (RIGHT - LEFT - 2.0 * MARGIN)
    }
}

impl Up {
    pub(super) fn new(spreads: impl Iterator<Item = Spread> + Clone) -> Self {
        let least = spreads
            .clone()
            .map(|it| it.min)
            .fold(f64::INFINITY, f64::min);
        let most = spreads.map(|it| it.max).fold(0.0, f64::max);
        if least > 0.0 && most / least > FAR_APART {
            return Self::Powers(whole(least.log10().floor()), whole(most.log10().ceil()));
        }
        Self::Even(round_up(most))
    }

    pub(super) fn marks(&self) -> Vec<f64> {
        match *self {
            Self::Even(most) => (0..=STEPS)
                .map(|step| most * f64::from(step) / f64::from(STEPS))
                .collect(),
            Self::Powers(first, last) => (first..=last).map(|power| 10_f64.powi(power)).collect(),
        }
    }

    pub(super) fn place(&self, figure: f64) -> f64 {
        let part = match *self {
            Self::Even(most) => figure / most,
            Self::Powers(first, last) => {
                (figure.log10() - f64::from(first)) / f64::from(last - first)
            }
        };
        BOTTOM - part * (BOTTOM - TOP)
    }
}

/// A figure in a few characters.
pub(super) fn number(figure: f64) -> String {
    let (figure, name) = match figure {
        figure if figure >= 1e6 => (figure / 1e6, "M"),
        figure if figure >= 1e4 => (figure / 1e3, "k"),
        figure => (figure, ""),
    };
    let text = format!("{figure:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{name}")
}

/// The next figure above that makes even steps of a few digits.
fn round_up(most: f64) -> f64 {
    if most <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| most <= step * power);
    step.unwrap_or(10.0) * power
}

#[expect(clippy::cast_precision_loss, reason = "a scale needs no more digits")]
fn log(size: u64) -> f64 {
    (size as f64).log10()
}

#[expect(clippy::cast_possible_truncation, reason = "a power of ten is small")]
fn whole(power: f64) -> i32 {
    power as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(figures: [f64; 2]) -> Up {
        Up::new([Spread::of(figures.into_iter())].into_iter())
    }

    #[test]
    fn figures_near_each_other_stand_on_a_scale_from_nothing() {
        let up = up([60.0, 75.0]);
        assert_eq!(up.marks(), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert!((up.place(0.0) - BOTTOM).abs() < 1e-9);
        assert!((up.place(80.0) - TOP).abs() < 1e-9);
    }

    #[test]
    fn figures_far_apart_stand_on_a_scale_of_powers() {
        let up = up([40.0, 5000.0]);
        assert_eq!(up.marks(), [10.0, 100.0, 1000.0, 10_000.0]);
        assert!((up.place(10.0) - BOTTOM).abs() < 1e-9);
    }

    #[test]
    fn nothing_stands_a_step_before_the_first_size() {
        let across = Across::new([0, 1000, 10_000].into_iter());
        let places = [0, 1000, 10_000].map(|size| across.place(size));
        let steps = [places[1] - places[0], places[2] - places[1]];
        assert!((steps[0] - steps[1]).abs() < 1e-9, "{places:?}");
    }

    #[test]
    fn figures_are_written_in_a_few_characters() {
        let texts = [0.0, 1.25, 2500.0, 40_000.0, 1.2e6].map(number);
        assert_eq!(texts, ["0", "1.25", "2500", "40k", "1.2M"]);
    }
}
