//! A phone code → WeChat → the user's number. Knows no routes, and not who is told the number.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{RATE_LIMIT, RETRY_AFTER};
use crate::config::plan::AppPlan;
use crate::domain::identity::App;
use crate::domain::phone_code::PhoneCode;
use crate::domain::refusal::RefusalCode;
use crate::domain::template::{Placeholder, Template};
use crate::metrics::Metrics;
use crate::wechat::{PhoneNumber, WeChat, WeChatError};
use crate::wire::fields::Fields;
use crate::wire::refusal::{Refusal, json_answer, with_causes};

/// How many codes wait for WeChat at a time; those beyond are told to come again.
const MOST_AT_A_TIME: usize = 1024;

/// All that phone numbers need, shared by the workers. What waits for WeChat runs on the control runtime.
pub struct Phones {
    apps: Vec<AppPlan>,
    wechat: WeChat,
    metrics: Arc<Metrics>,
    places: Semaphore,
    control: Handle,
}

/// Holds a request to the one method that carries a phone code.
///
/// # Errors
///
/// `method_not_allowed`.
pub fn check_method(method: &Method) -> Result<(), Refusal> {
    if *method == Method::POST {
        return Ok(());
    }
    Err(Refusal::method_not_allowed(vec![Method::POST]))
}

/// Takes the code out of a body's fields.
///
/// # Errors
///
/// `phone_code_missing`, `phone_code_invalid` for what no code can look like.
pub fn read_code(fields: &Fields<'_>) -> Result<PhoneCode, Refusal> {
    let code = fields.get("code").ok_or_else(no_code)?;
    PhoneCode::parse(code).ok_or_else(|| {
        let reason = "the code is not 1 to 512 visible ASCII characters";
        Refusal::new(RefusalCode::PhoneCodeInvalid, reason)
    })
}

/// The refusal of a request without a code.
#[must_use]
pub fn no_code() -> Refusal {
    Refusal::new(RefusalCode::PhoneCodeMissing, "no code came in the body")
}

/// The answer that tells the client itself what the route's `response` says of the number.
#[must_use]
pub fn answer(number: &PhoneNumber, response: &Template) -> Response<Bytes> {
    let value_of = |place| match place {
        Placeholder::PhoneNumber => number.number().into(),
        Placeholder::PurePhoneNumber => number.pure_number().into(),
        Placeholder::CountryCode => number.country_code().into(),
        Placeholder::Skey
        | Placeholder::SessionId
        | Placeholder::UserInfo
        | Placeholder::UserId
        | Placeholder::Data
        | Placeholder::ExpiresIn
        | Placeholder::OpenId
        | Placeholder::UnionId
        | Placeholder::Code
        | Placeholder::Message
        | Placeholder::RequestId
        | Placeholder::Null => Value::Null,
    };
    json_answer(StatusCode::OK, &response.fill(value_of))
}

impl Phones {
    /// Numbers of users of `apps`.
    #[must_use]
    pub fn new(apps: Vec<AppPlan>, wechat: WeChat, metrics: Arc<Metrics>, control: Handle) -> Self {
        Self {
            apps,
            wechat,
            metrics,
            places: Semaphore::new(MOST_AT_A_TIME),
            control,
        }
    }

    /// The number for which a user of `app` got `code`.
    ///
    /// # Errors
    ///
    /// WeChat refuses or does not answer, or too many codes are under way.
    pub async fn number(
        self: &Arc<Self>,
        app: &App,
        code: PhoneCode,
    ) -> Result<PhoneNumber, Refusal> {
        let (this, app) = (Arc::clone(self), app.index);
        let exchange = async move { this.exchange(app, &code).await };
        let exchanged = self.control.spawn(exchange).await;
        exchanged.unwrap_or_else(|error| {
            let reason = format!("the exchange of a phone code broke off: {error}");
            Err(Refusal::new(RefusalCode::WechatUnavailable, reason).retry_after(RETRY_AFTER))
        })
    }

    async fn exchange(&self, app: usize, code: &PhoneCode) -> Result<PhoneNumber, Refusal> {
        let Ok(_place) = self.places.try_acquire() else {
            let reason = "too many phone codes wait for WeChat";
            return Err(Refusal::new(RefusalCode::Overloaded, reason).retry_after(RETRY_AFTER));
        };
        let Some(app) = self.apps.get(app) else {
            return Err(Refusal::new(
                RefusalCode::GatewayMisconfigured,
                "no such app",
            ));
        };
        let on_call = |outcome, took| self.metrics.wechat_call(app.app.index, outcome, took);
        let number = self.wechat.phone_number(app, code, on_call).await;
        number.map_err(|error| {
            log(&error, &app.app);
            refuse(&error)
        })
    }
}

impl fmt::Debug for Phones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phones")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// Tells the operator what they must set right, and that WeChat fails; what clients do wrong stands in access lines.
fn log(error: &WeChatError, app: &App) {
    let (app, reason) = (app.name.as_str(), with_causes(error));
    match error {
        WeChatError::Misconfigured { .. } => {
            tracing::error!(app, %reason, "there are no phone numbers until the operator acts");
        }
        WeChatError::RateLimited | WeChatError::Unavailable(_) => {
            tracing::warn!(app, %reason, "WeChat gives no phone number");
        }
        WeChatError::CodeInvalid | WeChatError::CodeUsed | WeChatError::Blocked => {}
    }
}

/// What a client is told of WeChat's refusal.
fn refuse(error: &WeChatError) -> Refusal {
    let refuse = |code| Refusal::because(code, error);
    let unavailable = |wait| refuse(RefusalCode::WechatUnavailable).retry_after(wait);
    match error {
        WeChatError::CodeInvalid | WeChatError::CodeUsed => refuse(RefusalCode::PhoneCodeInvalid),
        WeChatError::Misconfigured { .. } => refuse(RefusalCode::GatewayMisconfigured),
        WeChatError::RateLimited => unavailable(RATE_LIMIT),
        WeChatError::Blocked | WeChatError::Unavailable(_) => unavailable(RETRY_AFTER),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::config::plan::WechatPlan;
    use crate::domain::clock::Clock;
    use crate::domain::identity::WechatId;
    use crate::domain::secret::Secret;
    use crate::metrics::Labels;
    use crate::simulator::{Api, Behaviour, Simulator};

    const APPID: &str = "wx1";

    #[tokio::test]
    async fn codes_beyond_so_many_are_told_to_come_again_and_are_not_spent() {
        let simulator = Simulator::start(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
        simulator.register_app(APPID, "s3cret");
        simulator.behave_next_at(Api::PhoneNumber, 1, Behaviour::Held);
        let app = app();
        let phones = phones(&simulator, &app);
        let code = || PhoneCode::parse(&simulator.issue_phone_code("13800138000")).unwrap();

        let but_one = u32::try_from(MOST_AT_A_TIME - 1).unwrap();
        let _others = phones.places.try_acquire_many(but_one).unwrap();
        let (first, second) = (code(), code());
        let waiting = phones.number(&app, first);
        let beyond = async {
            assert!(simulator.arrived_at(Api::PhoneNumber, 1).await);
            let refusal = phones.number(&app, second.clone()).await.unwrap_err();
            assert_eq!(refusal.code, RefusalCode::Overloaded);
            assert_eq!(refusal.retry_after, Some(RETRY_AFTER));
            simulator.release();
        };
        let (first, ()) = tokio::join!(waiting, beyond);
        assert_eq!(first.unwrap().number(), "13800138000");
        assert!(phones.number(&app, second).await.is_ok());
    }

    fn app() -> Arc<App> {
        Arc::new(App {
            name: "shop".to_owned(),
            appid: WechatId::parse(APPID).unwrap(),
            index: 0,
        })
    }

    fn phones(simulator: &Simulator, app: &Arc<App>) -> Arc<Phones> {
        let plan = WechatPlan {
            base_url: simulator.base_url(),
            timeout: Duration::from_secs(20),
            deadline: Duration::from_mins(1),
            open_data_max_age: None,
        };
        let app = AppPlan {
            app: Arc::clone(app),
            secret: Secret::new("s3cret"),
        };
        let wechat = WeChat::new(&plan, Clock::start()).unwrap();
        let metrics = Arc::new(Metrics::new(Labels::default(), 1));
        Arc::new(Phones::new(vec![app], wechat, metrics, Handle::current()))
    }
}
