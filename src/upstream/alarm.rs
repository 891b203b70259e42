//! A timer that a connection keeps over its requests. Knows nothing of what is waited for.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// An alarm that may ring early and is set anew only then: to set one for every request would cost more than to be woken
/// once in a while for nothing.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until what `due` says is past; it is asked again whenever the alarm rings.
    pub(super) fn poll(&mut self, due: impl Fn() -> Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Self(alarm) = self;
        let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(due())));
        loop {
            ready!(alarm.as_mut().poll(cx));
            let due = due();
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_when_it_is_due_and_not_when_what_was_waited_for_before_was() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let is_early = poll_fn(|cx| Poll::Ready(alarm.poll(|| at(5), cx).is_ready()));
        assert!(!is_early.await);
        for seconds in [8, 9, 20] {
            poll_fn(|cx| alarm.poll(|| at(seconds), cx)).await;
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }
}
