//! What a comparison found, as it is written to the JSON. Knows nothing of how it was found.

use serde::{Deserialize, Serialize};

use super::case::{Case, Mode};
use crate::stage::{Machine, Measurement, Spread, Subject};

/// Everything that a comparison found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// On what machine.
    pub(super) machine: Machine,
    /// How many rounds there were.
    pub(super) rounds: usize,
    /// How long each window was, in seconds.
    pub(super) window_seconds: f64,
    /// The requests.
    pub(super) rows: Vec<Row>,
    /// The waiting connections.
    pub(super) idle: Vec<IdleRow>,
}

/// One subject in one case at one pace.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) case: Case,
    pub(super) mode: Mode,
    pub(super) subject: Subject,
    /// The CPU time of a request over that of the reference just before and after.
    pub(super) ratio: Spread,
    pub(super) cpu_us: Spread,
    pub(super) rate: Spread,
    pub(super) p50_us: Spread,
    pub(super) p99_us: Spread,
    pub(super) proxy_share: Spread,
    pub(super) ends_share: Spread,
    /// How many measurements say nothing; they are left out, unless there are no others.
    pub(super) invalid: usize,
}

/// The memory of one subject for a waiting connection.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct IdleRow {
    pub(super) subject: Subject,
    pub(super) bytes: Spread,
}

/// A measurement, and what the reference had just before and after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compared {
    pub(super) own: Measurement,
    pub(super) ratio: f64,
    pub(super) is_valid: bool,
}

impl Compared {
    pub(super) fn new(before: Measurement, own: Measurement, after: Measurement) -> Self {
        Self {
            own,
            ratio: own.cpu_us / f64::midpoint(before.cpu_us, after.cpu_us),
            is_valid: before.is_valid && own.is_valid && after.is_valid,
        }
    }

    /// A measurement of the reference itself.
    pub(super) fn reference(own: Measurement) -> Self {
        Self {
            own,
            ratio: 1.0,
            is_valid: own.is_valid,
        }
    }
}

impl Row {
    pub(super) fn new(case: Case, mode: Mode, subject: Subject, all: &[Compared]) -> Self {
        let mut counted: Vec<_> = all.iter().filter(|compared| compared.is_valid).collect();
        let invalid = all.len() - counted.len();
        if counted.is_empty() {
            counted = all.iter().collect();
        }
        let spread = |figure: fn(&Measurement) -> f64| {
            Spread::of(counted.iter().map(|compared| figure(&compared.own)))
        };
        Self {
            case,
            mode,
            subject,
            ratio: Spread::of(counted.iter().map(|compared| compared.ratio)),
            cpu_us: spread(|own| own.cpu_us),
            rate: spread(|own| own.rate),
            p50_us: spread(|own| own.p50_us),
            p99_us: spread(|own| own.p99_us),
            proxy_share: spread(|own| own.proxy_share),
            ends_share: spread(|own| own.ends_share),
            invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_unless_there_is_nothing_else() {
        let own = Measurement {
            cpu_us: 1.0,
            rate: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
            proxy_share: 1.0,
            ends_share: 1.0,
            is_valid: true,
        };
        let valid = Compared {
            own,
            ratio: 1.0,
            is_valid: true,
        };
        let invalid = Compared {
            own,
            ratio: 9.0,
            is_valid: false,
        };
        let row = |all: &[Compared]| Row::new(Case::Get1k, Mode::Fixed, Subject::Wxgate, all);
        let both = row(&[valid, invalid]);
        assert_eq!((both.ratio.max, both.invalid), (1.0, 1));
        let alone = row(&[invalid]);
        assert_eq!((alone.ratio.max, alone.invalid), (9.0, 1));
    }
}
