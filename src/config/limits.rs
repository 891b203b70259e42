//! `[limits]`: how often clients may come.

use std::num::NonZeroU32;
use std::time::Duration;

use super::plan::{CrowdPlan, LimitsPlan, Rate};
use super::raw::RawLimits;
use super::source::{At, Source};

/// The most that a rate may allow in its time, and at once.
const MOST: u32 = 1_000_000;

/// More requests than that at a time no machine has.
const MOST_REQUESTS: usize = 1 << 30;

const SPANS: [(&str, Duration); 3] = [
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
];

pub(super) fn plan(raw: Option<RawLimits>, source: &Source<'_>) -> LimitsPlan {
    let raw = raw.unwrap_or_default();
    LimitsPlan {
        requests_per_address: source.accept(raw.requests_per_address, rate),
        requests_per_user: source.accept(raw.requests_per_user, rate),
        logins_per_address: source.accept(raw.logins_per_address, rate),
        capacity: raw.capacity.map_or(100_000, |capacity| capacity.value),
    }
}

/// `max_requests` and `queue` of an upstream.
pub(super) fn crowd(
    max_requests: Option<At<u64>>,
    queue: Option<At<u64>>,
    source: &Source<'_>,
) -> Option<CrowdPlan> {
    let count = |written: At<u64>| {
        let count = usize::try_from(written.value).unwrap_or(usize::MAX);
        count.min(MOST_REQUESTS)
    };
    let Some(max_requests) = max_requests.map(count) else {
        if let Some(queue) = queue {
            let text = "`queue` is for requests beyond `max_requests`; write that as well";
            source.problem(queue.place, text);
        }
        return None;
    };
    Some(CrowdPlan {
        max_requests,
        queue: queue.map_or(max_requests, count),
    })
}

/// A text that is no rate.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no rate; write \"20/s\", \"600/m\" or \"1000/h\", or \"20/s burst 50\" for 50 at once; \
     both numbers from 1 to {MOST}"
)]
struct NoRate(String);

fn rate(text: &str) -> Result<Rate, NoRate> {
    read(text).ok_or_else(|| NoRate(text.to_owned()))
}

fn read(text: &str) -> Option<Rate> {
    let (often, burst) = match text.split_once(" burst ") {
        Some((often, burst)) => (often, Some(count(burst)?)),
        None => (text, None),
    };
    let (number, unit) = often.split_once('/')?;
    let number = count(number)?;
    let (_, span) = SPANS.iter().find(|(name, _)| *name == unit)?;
    Some(Rate {
        every: *span / number.get(),
        burst: burst.unwrap_or(number),
    })
}

fn count(text: &str) -> Option<NonZeroU32> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = text.parse().ok().filter(|number| *number <= MOST)?;
    NonZeroU32::new(number).filter(|_| is_plain)
}
