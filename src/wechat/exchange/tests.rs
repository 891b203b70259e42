//! An exchange with the simulator: what comes of each of its answers.

use std::error::Error;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::config::plan::WechatPlan;
use crate::domain::clock::Clock;
use crate::domain::identity::App;
use crate::domain::secret::Secret;
use crate::simulator::{Behaviour, Simulator};
use crate::wechat::OK;

const APPID: &str = "wx0123456789abcdef";
/// With characters that have a meaning in a query.
const SECRET: &str = "s3cret&js_code=%41+#/ü";

/// A simulator and a client that knows it.
struct Harness {
    simulator: Simulator,
    wechat: WeChat,
}

/// What came of one login.
struct Login {
    answer: Result<Exchange, WeChatError>,
    outcomes: Vec<&'static str>,
}

impl Harness {
    fn start() -> Self {
        Self::start_with(|_| ())
    }

    fn start_with(alter: impl FnOnce(&mut WechatPlan)) -> Self {
        let simulator = simulator(TcpListener::bind("127.0.0.1:0").unwrap());
        let mut plan = plan(simulator.base_url());
        alter(&mut plan);
        let wechat = WeChat::new(&plan, Clock::start()).unwrap();
        Self { simulator, wechat }
    }

    fn answering(behaviour: Behaviour) -> Self {
        let harness = Self::start();
        harness.simulator.behave(behaviour);
        harness
    }

    async fn log_in(&self, user: &str) -> Login {
        self.log_in_with(&self.simulator.issue_code(user)).await
    }

    async fn log_in_with(&self, code: &str) -> Login {
        let outcomes = Mutex::new(Vec::new());
        let note = |outcome, _| outcomes.lock().unwrap().push(outcome);
        let code = LoginCode::parse(code).unwrap();
        let answer = self.wechat.exchange(&app(APPID), &code, note).await;
        if let Err(error) = &answer {
            assert_tells_no_secret(error, &[code.reveal()]);
        }
        let outcomes = outcomes.into_inner().unwrap();
        Login { answer, outcomes }
    }
}

impl Login {
    /// The error's texts, from the outermost to its root.
    fn error(&self) -> String {
        chain(self.answer.as_ref().unwrap_err()).join(": ")
    }
}

fn simulator(listener: TcpListener) -> Simulator {
    let simulator = Simulator::start(listener).unwrap();
    simulator.register_app(APPID, SECRET);
    simulator
}

fn plan(base_url: String) -> WechatPlan {
    WechatPlan {
        base_url,
        timeout: Duration::from_secs(20),
        deadline: Duration::from_mins(1),
        open_data_max_age: None,
    }
}

fn app(appid: &str) -> AppPlan {
    let app = App {
        name: "shop".to_owned(),
        appid: WechatId::parse(appid).unwrap(),
        index: 0,
    };
    AppPlan {
        app: Arc::new(app),
        secret: Secret::new(SECRET),
    }
}

fn chain(error: &WeChatError) -> Vec<String> {
    std::iter::successors(Some(error as &dyn Error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

fn assert_tells_no_secret(error: &WeChatError, more: &[&str]) {
    let shown = format!("{error:?} {error:#?} {error:#} {}", chain(error).join(" "));
    let spellings = ["s3cret", "jscode2session", "oSecret", "kSecret"];
    for secret in spellings.iter().chain(more) {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn a_code_becomes_a_user() {
    let harness = Harness::start();
    harness.simulator.set_unionid("alice", Some("uAlice"));
    let login = harness.log_in("alice").await;
    let exchange = login.answer.unwrap();
    let openid = harness.simulator.openid_of(APPID, "alice");
    let key = harness.simulator.session_key_of(APPID, "alice");
    assert_eq!(exchange.openid.as_str(), openid);
    assert_eq!(exchange.unionid.unwrap().as_str(), "uAlice");
    assert_eq!(exchange.session_key.reveal(), key);
    assert_eq!(login.outcomes, [OK]);
}

#[tokio::test]
async fn a_user_without_a_unionid_has_none() {
    let exchange = Harness::start().log_in("alice").await.answer.unwrap();
    assert_eq!(exchange.unionid, None);
}

#[tokio::test]
async fn no_code_changes_the_meaning_of_the_query() {
    let harness = Harness::start();
    let good = harness.simulator.issue_code("alice");
    let login = harness.log_in_with(&format!("x&js_code={good}")).await;
    assert_eq!(login.error(), "WeChat does not know this code");
    assert_eq!(harness.log_in_with(&good).await.outcomes, [OK]);
}

#[tokio::test]
async fn every_errcode_has_its_error_and_is_asked_once() {
    for (errcode, outcome, error) in [
        (40029, "code_invalid", "WeChat does not know this code"),
        (40163, "code_used", "this code was used before"),
        (40226, "blocked", "WeChat blocks this user"),
        (
            45011,
            "rate_limited",
            "WeChat takes no more of these calls for now",
        ),
        (
            40013,
            "misconfigured",
            "WeChat rejects this app: 40013 invalid appid, rid: ",
        ),
        (
            40125,
            "misconfigured",
            "WeChat rejects this app: 40125 invalid appsecret, rid: ",
        ),
        (
            40164,
            "misconfigured",
            "WeChat rejects this app: 40164 invalid ip 127.0.0.1, not",
        ),
        (
            41002,
            "misconfigured",
            "WeChat rejects this app: 41002 appid missing, rid: ",
        ),
        (
            41004,
            "misconfigured",
            "WeChat rejects this app: 41004 appsecret missing, rid: ",
        ),
        (
            41008,
            "unknown_errcode",
            "WeChat gave no usable answer: WeChat answered with the unknown errcode 41008: missing",
        ),
        (
            i64::MIN,
            "unknown_errcode",
            "WeChat gave no usable answer: WeChat answered with the unknown errcode -9223372036854775808: ",
        ),
    ] {
        let harness = Harness::answering(Behaviour::Errcode(errcode));
        let login = harness.log_in("alice").await;
        assert!(login.error().starts_with(error), "{}", login.error());
        assert_eq!(login.outcomes, [outcome]);
        assert_eq!(login.answer.unwrap_err().outcome(), outcome);
        assert_eq!(harness.simulator.calls(), 1);
    }
}

#[tokio::test]
async fn an_address_that_is_not_on_the_allowlist_comes_with_a_remedy() {
    let harness = Harness::answering(Behaviour::Errcode(40164));
    let error = harness.log_in("alice").await.error();
    let remedy = "; add the gateway's address to the IP allowlist of this mini-program";
    assert!(error.ends_with(remedy), "{error}");
}

#[tokio::test]
async fn a_code_works_once() {
    let harness = Harness::start();
    let code = harness.simulator.issue_code("alice");
    assert_eq!(harness.log_in_with(&code).await.outcomes, [OK]);
    assert_eq!(harness.log_in_with(&code).await.outcomes, ["code_used"]);
}

#[tokio::test]
async fn the_simulator_does_not_know_another_app() {
    let harness = Harness::start();
    let code = LoginCode::parse("anything").unwrap();
    let app = app("wxunknown");
    let error = harness.wechat.exchange(&app, &code, |_, _| ()).await;
    assert_eq!(error.unwrap_err().outcome(), "misconfigured");
}

#[tokio::test]
async fn a_busy_wechat_is_asked_again() {
    let harness = Harness::start();
    harness.simulator.behave_next(2, Behaviour::Busy);
    let login = harness.log_in("alice").await;
    assert_eq!(login.outcomes, ["busy", "busy", OK]);
    assert_eq!(harness.simulator.calls(), 3);
    assert!(login.answer.is_ok());
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let wechat = WeChat::new(&plan(format!("http://{address}")), Clock::start()).unwrap();
    let late = Mutex::new(None);
    let outcomes = Mutex::new(Vec::new());
    // WeChat comes up once the first call has failed.
    let on_call = |outcome, _| {
        outcomes.lock().unwrap().push(outcome);
        let start = || {
            let simulator = simulator(TcpListener::bind(address).unwrap());
            simulator.behave(Behaviour::RateLimited);
            simulator
        };
        late.lock().unwrap().get_or_insert_with(start);
    };
    let code = LoginCode::parse("anything").unwrap();
    let error = wechat.exchange(&app(APPID), &code, on_call).await;
    assert_eq!(error.unwrap_err().outcome(), "rate_limited");
    assert_eq!(*outcomes.lock().unwrap(), ["connect", "rate_limited"]);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let harness = Harness::start_with(|plan| plan.timeout = Duration::from_millis(50));
    harness.simulator.behave(Behaviour::Hang);
    let login = harness.log_in("alice").await;
    assert_eq!(
        login.error(),
        "WeChat gave no usable answer: WeChat did not answer in time"
    );
    assert_eq!(login.outcomes, ["timeout"]);
}

#[tokio::test]
async fn the_deadline_also_ends_a_single_call() {
    let harness = Harness::start_with(|plan| plan.deadline = Duration::from_millis(50));
    harness.simulator.behave(Behaviour::Hang);
    assert_eq!(harness.log_in("alice").await.outcomes, ["timeout"]);
}

#[tokio::test]
async fn what_is_not_the_documented_answer_ends_the_login_after_one_call() {
    for (behaviour, outcome, error) in [
        (
            Behaviour::Reset,
            "broken",
            "the connection to WeChat broke off: ",
        ),
        (Behaviour::Html, "not_json", "WeChat's answer is no JSON: "),
        (
            Behaviour::HalfJson,
            "not_json",
            "WeChat's answer is no JSON: EOF while parsing",
        ),
        (
            Behaviour::Nothing,
            "not_json",
            "WeChat's answer is no JSON: EOF while parsing",
        ),
        (Behaviour::Huge, "too_large", "WeChat's answer is too long"),
        (
            Behaviour::Status(500),
            "status",
            "WeChat answered with the HTTP status 500",
        ),
        (
            Behaviour::Status(404),
            "status",
            "WeChat answered with the HTTP status 404",
        ),
        (
            Behaviour::Body("[]".to_owned()),
            "not_json",
            "WeChat's answer is no JSON object",
        ),
        (
            Behaviour::Body(r#""oSecret""#.to_owned()),
            "not_json",
            "WeChat's answer is no JSON object",
        ),
        (
            Behaviour::Body(r#"{"openid":"oSecret\r\nX:1","session_key":"kSecret"}"#.to_owned()),
            "bad_field",
            "WeChat's answer has no usable `openid`",
        ),
    ] {
        let harness = Harness::answering(behaviour.clone());
        let login = harness.log_in("alice").await;
        let expected = format!("WeChat gave no usable answer: {error}");
        assert!(login.error().starts_with(&expected), "{}", login.error());
        assert_eq!(login.outcomes, [outcome], "{behaviour:?}");
        assert_eq!(harness.simulator.calls(), 1, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = simulator(TcpListener::bind("127.0.0.1:0").unwrap());
    let location = format!("{}/sns/jscode2session", elsewhere.base_url());
    let harness = Harness::answering(Behaviour::Redirect(location));
    let login = harness.log_in("alice").await;
    assert_eq!(
        login.error(),
        "WeChat gave no usable answer: WeChat answered with the HTTP status 302"
    );
    assert_eq!((elsewhere.calls(), harness.simulator.calls()), (0, 1));
}

#[tokio::test]
async fn a_connection_that_breaks_on_its_second_call_is_not_tried_again() {
    let harness = Harness::start();
    assert_eq!(harness.log_in("alice").await.outcomes, [OK]);
    harness.simulator.behave(Behaviour::Reset);
    assert_eq!(harness.log_in("alice").await.outcomes, ["broken"]);
    assert_eq!(harness.simulator.calls(), 2);
}

#[tokio::test]
async fn a_message_that_repeats_secret_and_code_is_masked() {
    let code = "0a1B2c3D4e5F";
    let errmsg = format!("bad {SECRET} and {code}\u{7}{}", "x".repeat(300));
    for errcode in [40125, 12345] {
        let body = json!({"errcode": errcode, "errmsg": errmsg}).to_string();
        let harness = Harness::answering(Behaviour::Body(body));
        let error = harness.log_in_with(code).await.error();
        assert!(error.contains("bad *** and ***xxx"), "{error}");
        assert!(error.len() < 400, "{error}");
    }
}

#[tokio::test]
async fn a_held_answer_arrives_once_it_is_released() {
    let harness = Harness::answering(Behaviour::Held);
    let release = async {
        assert!(harness.simulator.arrived(1).await);
        harness.simulator.release();
    };
    let (login, ()) = tokio::join!(harness.log_in("alice"), release);
    assert_eq!(login.outcomes, [OK]);
}

#[tokio::test]
async fn an_exchange_can_run_as_a_task_of_any_thread() {
    let harness = Harness::start();
    let wechat = harness.wechat.clone();
    let code = LoginCode::parse(&harness.simulator.issue_code("alice")).unwrap();
    let task = async move { wechat.exchange(&app(APPID), &code, |_, _| ()).await };
    assert!(tokio::spawn(task).await.unwrap().is_ok());
}
