//! Tokens by a clock that is turned, from a WeChat of two lines; and what is read of `stable_token`'s replies.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::sync::Notify;

use super::*;
use crate::domain::identity::WechatId;
use crate::wechat::error::Errmsg;

const TWO_HOURS: Duration = Duration::from_hours(2);

/// Tokens, and a WeChat that gives what it is told to.
struct Harness {
    tokens: AccessTokens,
    clock: Clock,
    app: App,
    answers: RefCell<VecDeque<Result<(&'static str, Duration), i64>>>,
    /// Whether each fetch was forced.
    fetches: RefCell<Vec<bool>>,
}

impl Harness {
    fn new(answers: &[Result<&'static str, i64>]) -> Self {
        let clock = Clock::start();
        let app = App {
            name: "shop".to_owned(),
            appid: WechatId::parse("wx1").unwrap(),
            index: 0,
        };
        let answers = answers
            .iter()
            .map(|answer| answer.map(|text| (text, TWO_HOURS)));
        Self {
            tokens: AccessTokens::new(clock.clone()),
            clock,
            app,
            answers: RefCell::new(answers.collect()),
            fetches: RefCell::default(),
        }
    }

    /// The token, or what came instead.
    async fn get(&self) -> String {
        let fetch = |force| {
            self.fetches.borrow_mut().push(force);
            let answer = self.answers.borrow_mut().pop_front();
            let answer = answer.expect("WeChat should not be asked again");
            async move {
                // Whoever else wants the token has the time to come.
                tokio::task::yield_now().await;
                answer
                    .map(|(text, life)| issued(text, life))
                    .map_err(|errcode| errcode::of_access_token(errcode, Errmsg::new("", &[])))
            }
        };
        let token = self.tokens.get(&self.app, fetch).await;
        match token {
            Ok(token) => token.reveal().to_owned(),
            Err(error) => format!("failed: {}", error.outcome()),
        }
    }

    fn forget(&self, text: &str) {
        let token = AccessToken::parse(text).unwrap();
        self.tokens.forget(&self.app, &token);
    }
}

fn issued(text: &str, life: Duration) -> Issued {
    Issued {
        token: AccessToken::parse(text).unwrap(),
        life,
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let harness = Harness::new(&[Ok("t1")]);
    let many = futures_util::future::join_all((0..20).map(|_| harness.get())).await;
    assert!(many.iter().all(|token| *token == "t1"), "{many:?}");
    assert_eq!(harness.get().await, "t1");
    assert_eq!(*harness.fetches.borrow(), [false]);
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_wait_and_not_remembered() {
    let harness = Harness::new(&[Err(40125), Ok("t1")]);
    let (one, two) = tokio::join!(harness.get(), harness.get());
    assert_eq!(one, "failed: misconfigured");
    assert_eq!(two, "failed: misconfigured");
    assert_eq!(harness.get().await, "t1");
    assert_eq!(*harness.fetches.borrow(), [false, false]);
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_its_end() {
    let harness = Harness::new(&[Ok("t1"), Ok("t2")]);
    assert_eq!(harness.get().await, "t1");
    harness.clock.turn(Duration::from_mins(114));
    assert_eq!(harness.get().await, "t1");
    harness.clock.turn(Duration::from_mins(1));
    let (one, two) = tokio::join!(harness.get(), harness.get());
    assert_eq!([one, two], ["t2", "t2"]);
    assert_eq!(*harness.fetches.borrow(), [false, false]);
}

#[tokio::test]
async fn while_the_old_token_is_good_a_renewal_that_fails_is_none_and_not_tried_again_at_once() {
    let harness = Harness::new(&[Ok("t1"), Err(-1), Err(-1), Ok("t2")]);
    assert_eq!(harness.get().await, "t1");
    harness.clock.turn(Duration::from_mins(116));
    for _ in 0..3 {
        let (one, two) = tokio::join!(harness.get(), harness.get());
        assert_eq!([one, two], ["t1", "t1"]);
    }
    assert_eq!(harness.fetches.borrow().len(), 2);
    harness.clock.turn(Duration::from_mins(4));
    // Now it has ended.
    assert_eq!(harness.get().await, "failed: busy");
    assert_eq!(harness.get().await, "t2");
}

#[tokio::test]
async fn a_token_with_a_short_life_is_not_asked_for_all_the_time() {
    let harness = Harness::new(&[]);
    let short = Duration::from_mins(2);
    *harness.answers.borrow_mut() = [Ok(("t1", short)), Ok(("t1", short))].into();
    assert_eq!(harness.get().await, "t1");
    harness.clock.turn(Duration::from_secs(50));
    assert_eq!(harness.get().await, "t1");
    assert_eq!(harness.fetches.borrow().len(), 1);
    harness.clock.turn(Duration::from_secs(20));
    assert_eq!(harness.get().await, "t1");
    assert_eq!(harness.fetches.borrow().len(), 2);
}

#[tokio::test]
async fn a_spoiled_token_makes_way_for_another_once_however_many_found_it() {
    let harness = Harness::new(&[Ok("t1"), Ok("t2")]);
    assert_eq!(harness.get().await, "t1");
    harness.forget("t1");
    assert_eq!(harness.get().await, "t2");
    // One who had the first token, and comes late.
    harness.forget("t1");
    assert_eq!(harness.get().await, "t2");
    assert_eq!(*harness.fetches.borrow(), [false, false]);
}

#[tokio::test]
async fn only_if_the_spoiled_token_comes_again_is_another_forced_and_not_often() {
    let harness = Harness::new(&[Ok("t1"), Ok("t1"), Ok("t2"), Ok("t2"), Ok("t2"), Ok("t3")]);
    assert_eq!(harness.get().await, "t1");
    harness.forget("t1");
    assert_eq!(harness.get().await, "t2");
    assert_eq!(*harness.fetches.borrow(), [false, false, true]);
    // WeChat would not force another one so soon.
    harness.forget("t2");
    assert_eq!(harness.get().await, "t2");
    assert_eq!(harness.fetches.borrow().len(), 4);
    harness.clock.turn(BETWEEN_FORCED);
    harness.forget("t2");
    assert_eq!(harness.get().await, "t3");
    let fetches = harness.fetches.borrow();
    assert_eq!(*fetches, [false, false, true, false, false, true]);
}

#[tokio::test]
async fn one_who_waits_is_not_hung_up_by_one_who_goes() {
    let harness = Harness::new(&[Ok("t1")]);
    let (stuck, begun) = (Notify::new(), Cell::new(false));
    let never = |_| async {
        begun.set(true);
        stuck.notified().await;
        Ok(issued("t0", TWO_HOURS))
    };
    {
        let mut gone = Box::pin(harness.tokens.get(&harness.app, never));
        tokio::select! {
            biased;
            _ = &mut gone => panic!("it should wait"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(begun.get());
    assert_eq!(harness.get().await, "t1");
}

fn read_text(body: &str) -> Result<(String, Duration), String> {
    read(body.as_bytes(), &["s3cret"])
        .map(|issued| (issued.token.reveal().to_owned(), issued.life))
        .map_err(|error| with_causes(&error))
}

#[test]
fn a_token_with_its_life_is_read() {
    let token = "t".repeat(512);
    let body = json!({"access_token": token, "expires_in": 7200, "new": {}}).to_string();
    assert_eq!(read_text(&body), Ok((token, TWO_HOURS)));
    let body = json!({"errcode": 0, "access_token": "t", "expires_in": u64::MAX}).to_string();
    assert_eq!(read_text(&body), Ok(("t".to_owned(), MAX_LIFE)));
}

#[test]
fn what_cannot_be_a_token_is_none() {
    let long = "t".repeat(513);
    let odd = [
        json!(null),
        json!(7),
        json!(""),
        json!("a b"),
        json!("a\r\nb"),
        json!("令牌"),
        json!(long),
    ];
    for token in odd {
        let body = json!({"access_token": token, "expires_in": 7200}).to_string();
        let error = read_text(&body).unwrap_err();
        assert!(error.ends_with("has no usable `access_token`"), "{error}");
    }
    for life in [
        json!(null),
        json!(0),
        json!(-1),
        json!(1.5),
        json!("7200"),
        json!(1e30),
    ] {
        let body = json!({"access_token": "t", "expires_in": life}).to_string();
        let error = read_text(&body).unwrap_err();
        assert!(error.ends_with("has no usable `expires_in`"), "{error}");
    }
}

#[test]
fn an_errcode_is_a_failure_whatever_else_is_there_and_the_secret_is_not_repeated() {
    let read = |errcode: i64| {
        let body = json!({"errcode": errcode, "errmsg": "no s3cret", "access_token": "t", "expires_in": 1});
        read_text(&body.to_string()).unwrap_err()
    };
    for errcode in [40001, 40125] {
        let error = format!("WeChat rejects this app: {errcode} no ***; check the app's `secret`");
        assert_eq!(read(errcode), error);
    }
    let limited = "WeChat takes no more of these calls for now";
    assert_eq!((read(45009), read(45011)), (limited.into(), limited.into()));
    assert!(read(-1).ends_with("WeChat is busy"));
    assert!(read(40002).ends_with("the unknown errcode 40002: no ***"));
}

#[test]
fn a_token_does_not_show_in_debug_output() {
    let harness = Harness::new(&[]);
    let issued = issued("a-token", TWO_HOURS);
    harness.tokens.keep(0, 1, issued);
    let token = AccessToken::parse("a-token").unwrap();
    let shown = format!("{token:?} {:?}", harness.tokens);
    assert!(!shown.contains("a-token"), "{shown}");
}

proptest! {
    #[test]
    fn no_reply_panics(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = read(&body, &[]);
    }

    #[test]
    fn whatever_is_read_is_a_token(token in "\\PC{0,600}", life in any::<i64>()) {
        let body = json!({"access_token": token, "expires_in": life}).to_string();
        if let Ok((read, span)) = read_text(&body) {
            prop_assert!((1..=512).contains(&read.len()));
            prop_assert!(read.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(span > Duration::ZERO && span <= MAX_LIFE);
        }
    }
}
