//! Logins against the simulator: how many there may be at a time.

use std::net::{Ipv4Addr, TcpListener};

use http::Request;

use super::*;
use crate::config::plan::{SessionsPlan, WechatPlan};
use crate::domain::app_choice::AppChoice;
use crate::domain::secret::Secret;
use crate::domain::session::SessionLimits;
use crate::metrics::Labels;
use crate::simulator::Simulator;

const APPID: &str = "wx0123456789abcdef";

fn shop() -> Arc<App> {
    Arc::new(App {
        name: "shop".to_owned(),
        appid: WechatId::parse(APPID).unwrap(),
        index: 0,
    })
}

/// Logins that ask `simulator`.
fn logins(simulator: &Simulator) -> Arc<Logins> {
    simulator.register_app(APPID, "secret");
    let labels = Labels {
        apps: vec!["shop".to_owned()],
        ..Labels::default()
    };
    let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new(labels, 1)));
    let sessions = SessionsPlan {
        store: crate::config::plan::StorePlan::Memory,
        limits: SessionLimits {
            lifetime: Duration::from_hours(10),
            idle: Duration::from_hours(4),
        },
        capacity: 100,
        token: Vec::new(),
        beside: Vec::new(),
        login_replay: Duration::ZERO,
        state: None,
        encryption_keys: Vec::new(),
        max_per_user: None,
        rotation: None,
    };
    let wechat = WechatPlan {
        base_url: simulator.base_url(),
        timeout: Duration::from_secs(20),
        deadline: Duration::from_secs(20),
        open_data_max_age: None,
    };
    let app = AppPlan {
        app: shop(),
        secret: Secret::new("secret"),
    };
    Arc::new(Logins::new(
        vec![app],
        WeChat::new(&wechat, clock.clone()).unwrap(),
        Store::memory(&sessions, clock.clone(), Arc::clone(&metrics)),
        Prover::new(None, clock),
        Duration::ZERO,
        metrics,
        Handle::current(),
    ))
}

async fn log_in(logins: &Arc<Logins>, code: &str) -> Result<StatusCode, RefusalCode> {
    let head = Request::get(format!("/?code={code}")).body(()).unwrap();
    let apps = AppChoice::Only(shop());
    let (app, request) = LoginRequest::read(&head.into_parts().0, b"", &apps).unwrap();
    let answer = logins.answer(app, request, None, None).await;
    answer.map(|it| it.status()).map_err(|refusal| refusal.code)
}

#[tokio::test]
async fn while_all_places_are_taken_logins_are_refused_unasked_and_afterwards_they_work_again() {
    let simulator = Simulator::start(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).unwrap();
    let logins = logins(&simulator);
    let code = simulator.issue_code("alice");
    let most = u32::try_from(MOST_AT_A_TIME).unwrap();
    let all = logins.places.acquire_many(most).await.unwrap();
    for _ in 0..2 * MOST_AT_A_TIME {
        assert_eq!(log_in(&logins, &code).await, Err(RefusalCode::Overloaded));
    }
    assert_eq!(simulator.calls(), 0);
    drop(all);
    assert_eq!(log_in(&logins, &code).await, Ok(StatusCode::OK));
    assert_eq!(logins.places.available_permits(), MOST_AT_A_TIME);
}
