//! The time as answers tell it. Knows nothing else of them.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use tokio::time::Instant;

use crate::domain::clock::wall_time;

/// The time as `Date` tells it. It belongs to one thread, and is written anew once in a second.
#[derive(Debug, Default)]
pub(super) struct Dates(RefCell<Option<(Instant, HeaderValue)>>);

impl Dates {
    /// Hands what `Date` says at `now` to `write`.
    pub(super) fn at(&self, now: Instant, write: impl FnOnce(&HeaderValue)) {
        let mut dates = self.0.borrow_mut();
        let (until, text) = dates.get_or_insert_with(|| (now, HeaderValue::from_static("")));
        if now >= *until {
            let wall_time = wall_time();
            let gone = Duration::from_nanos(wall_time.subsec_nanos().into());
            *until = now + Duration::from_secs(1).saturating_sub(gone);
            let date = httpdate::fmt_http_date(UNIX_EPOCH + wall_time);
            if let Ok(date) = HeaderValue::try_from(date) {
                *text = date;
            }
        }
        write(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_date_is_that_of_the_second() {
        let dates = Dates::default();
        let at = |now| {
            let mut text = String::new();
            dates.at(now, |date| text = date.to_str().unwrap().to_owned());
            httpdate::parse_http_date(&text).unwrap()
        };
        let now = Instant::now();
        let first = at(now);
        let gap = (UNIX_EPOCH + wall_time()).duration_since(first).unwrap();
        assert!(gap < Duration::from_secs(5), "{gap:?}");
        let written = dates.0.borrow().as_ref().unwrap().0;
        assert!(written > now && written <= now + Duration::from_secs(1));
        at(written);
        assert!(dates.0.borrow().as_ref().unwrap().0 > written);
    }
}
