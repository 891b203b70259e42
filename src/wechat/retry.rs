//! Trying again what is safe to try again. Knows nothing of what is tried.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::error::{OK, WeChatError};

/// The pause before the second call; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// What no pause exceeds.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Calls until WeChat decides or `deadline` leaves no time for one more pause.
///
/// `call` gets the time that is left; `on_call` gets the outcome and the duration of each call.
pub(super) async fn persist<T, F>(
    deadline: Duration,
    mut call: impl FnMut(Duration) -> F,
    on_call: impl Fn(&'static str, Duration),
) -> Result<T, WeChatError>
where
    F: Future<Output = Result<T, WeChatError>>,
{
    let begun = Instant::now();
    let time_left = || deadline.saturating_sub(begun.elapsed());
    let mut longest_pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let answer = call(time_left()).await;
        let outcome = answer.as_ref().map_or_else(WeChatError::outcome, |_| OK);
        on_call(outcome, started.elapsed());
        let pause = jittered(longest_pause);
        match answer {
            Err(error) if error.spares_the_code() && pause < time_left() => sleep(pause).await,
            Ok(_) | Err(_) => return answer,
        }
        longest_pause = (longest_pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half of `pause` and the whole, so that gateways that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::wechat::error::Unavailable;

    const DEADLINE: Duration = Duration::from_secs(8);

    /// Persists on a clock that stands still but for the pauses; gives the outcomes and the time it took.
    async fn outcomes_of(answer: impl Fn() -> WeChatError) -> (Vec<&'static str>, Duration) {
        let outcomes = RefCell::new(Vec::new());
        let begun = Instant::now();
        let call = |_| std::future::ready(Err::<(), _>(answer()));
        let note = |outcome, _| outcomes.borrow_mut().push(outcome);
        let error = persist(DEADLINE, call, note).await;
        let outcomes = outcomes.into_inner();
        assert_eq!(outcomes.last(), Some(&error.unwrap_err().outcome()));
        (outcomes, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn while_wechat_is_busy_the_calls_go_on_to_the_deadline() {
        let (outcomes, took) = outcomes_of(|| Unavailable::Busy.into()).await;
        assert!((6..=12).contains(&outcomes.len()), "{outcomes:?}");
        assert!(took < DEADLINE, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_spent_the_code_is_never_tried_again() {
        for answer in [
            || Unavailable::Timeout.into(),
            || Unavailable::Status(500).into(),
            || Unavailable::TooLarge.into(),
            || Unavailable::NotAnObject.into(),
            || Unavailable::BadField("openid").into(),
            || WeChatError::CodeInvalid,
            || WeChatError::CodeUsed,
            || WeChatError::Blocked,
            || WeChatError::RateLimited,
        ] {
            let (outcomes, took) = outcomes_of(answer).await;
            assert_eq!((outcomes.len(), took), (1, Duration::ZERO), "{outcomes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_gets_what_the_deadline_leaves() {
        let times = RefCell::new(Vec::new());
        let call = |time_left| {
            times.borrow_mut().push(time_left);
            std::future::ready(Err::<(), _>(Unavailable::Busy.into()))
        };
        let _busy = persist(DEADLINE, call, |_, _| ()).await;
        let times = times.into_inner();
        assert_eq!(times.first(), Some(&DEADLINE));
        assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
        assert!(times.last().unwrap() > &Duration::ZERO);
    }

    #[test]
    fn pauses_differ_within_half_their_length() {
        for _ in 0..1000 {
            let pause = jittered(FIRST_PAUSE);
            assert!(
                pause >= FIRST_PAUSE / 2 && pause <= FIRST_PAUSE,
                "{pause:?}"
            );
        }
    }
}
