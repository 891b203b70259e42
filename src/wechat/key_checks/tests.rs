//! Checks of keys beyond so many at a time, which no request is made to wait for.

use std::net::TcpListener;

use super::*;
use crate::config::plan::WechatPlan;
use crate::domain::login_code::LoginCode;
use crate::domain::secret::Secret;
use crate::metrics::Labels;
use crate::simulator::{Api, Simulator};

const APPID: &str = "wx1";

#[tokio::test]
async fn of_keys_beyond_so_many_nothing_is_known_and_nothing_is_remembered() {
    let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    simulator.register_app(APPID, "s3cret");
    let app = app();
    let checks = checks(&simulator, &app);
    let code = LoginCode::parse(&simulator.issue_code_of(APPID, "alice")).unwrap();
    let exchange = checks.wechat.exchange(&checks.apps[0], &code, |_, _| ());
    let alice = exchange.await.unwrap();

    let all = u32::try_from(MOST_AT_A_TIME).unwrap();
    let others = checks.places.try_acquire_many(all).unwrap();
    let verdict = || checks.verdict(&app, &alice.openid, &alice.session_key);
    assert_eq!(verdict().await, Verdict::Unknown);
    assert_eq!(simulator.calls_at(Api::SessionKey), 0);
    drop(others);
    assert_eq!(verdict().await, Verdict::Good);
    assert_eq!(verdict().await, Verdict::Good);
    assert_eq!(simulator.calls_at(Api::SessionKey), 1);
    assert_eq!(checks.places.available_permits(), MOST_AT_A_TIME);
}

fn app() -> Arc<App> {
    Arc::new(App {
        name: "shop".to_owned(),
        appid: WechatId::parse(APPID).unwrap(),
        index: 0,
    })
}

fn checks(simulator: &Simulator, app: &Arc<App>) -> Arc<KeyChecks> {
    let plan = WechatPlan {
        base_url: simulator.base_url(),
        timeout: Duration::from_secs(20),
        deadline: Duration::from_mins(1),
        open_data_max_age: None,
    };
    let clock = Clock::start();
    let wechat = WeChat::new(&plan, clock.clone()).unwrap();
    let app = AppPlan {
        app: Arc::clone(app),
        secret: Secret::new("s3cret"),
    };
    let metrics = Arc::new(Metrics::new(Labels::default(), 1));
    Arc::new(KeyChecks::new(
        vec![app],
        wechat,
        clock,
        metrics,
        Handle::current(),
    ))
}
