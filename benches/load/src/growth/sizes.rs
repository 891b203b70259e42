//! How the cost of a request grows with the size of its answer, as fast as a few connections are answered.

use super::kind::{Line, Panel};
use super::results::Found;
use super::run::Choice;
use super::turns;
use crate::stage::{Asking, Measurement, Place, Way, measure as measure_once};

const KIB: u32 = 1 << 10;
const MIB: u32 = 1 << 20;
const SIZES: [u32; 6] = [0, KIB, 10 * KIB, 100 * KIB, MIB, 10 * MIB];
const CONNECTIONS: u32 = 16;

pub(super) fn measure(place: &Place, choice: &Choice) -> anyhow::Result<Vec<Found>> {
    turns::of_running(place, choice, &SIZES, |running, line, size| {
        let asking = Asking {
            path: &format!("/bytes/{size}"),
            body_bytes: 0,
            connections: CONNECTIONS,
            rate: None,
            way: Way::Kept,
        };
        let once = measure_once(place, running, asking, choice.rounds.spans())?;
        Ok(figures(size, line, once).collect())
    })
}

/// The figure of a request, and that of a MiB if there is anything of one.
fn figures(size: u32, line: Line, once: Measurement) -> impl Iterator<Item = Found> {
    let found = move |panel, figure| Found {
        panel,
        line,
        size: u64::from(size),
        figure,
        is_valid: once.is_valid,
    };
    let mibs = f64::from(size) / f64::from(MIB);
    let of_request = found(Panel::SizesCpu, once.cpu_us);
    // Below this the head is most of what there is.
    let of_mib = (size >= 10 * KIB).then(|| found(Panel::SizesCpuPerMib, once.cpu_us / mibs));
    std::iter::once(of_request).chain(of_mib)
}
