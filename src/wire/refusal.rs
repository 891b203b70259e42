//! An answer that the gateway itself gives instead of a backend. Knows the table of codes, not who refused.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use super::request_id::RequestId;
use crate::domain::app_choice::NoApp;
use crate::domain::path::PathError;
use crate::domain::refusal::RefusalCode;
use crate::domain::route::NoRoute;
use crate::domain::script::HiddenScript;
use crate::domain::template::{Placeholder, Template};

/// Why a request is refused: a code for the client, and a reason for the operator's log alone.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The code of the table.
    pub code: RefusalCode,
    /// What the client is told: the sentence of the code, or one that says more.
    pub message: &'static str,
    /// What the log says, without anything secret.
    pub reason: Cow<'static, str>,
    /// After what time another try makes sense.
    pub retry_after: Option<Duration>,
    /// The methods that would have been allowed.
    pub allow: Vec<Method>,
}

impl Refusal {
    /// Refuses under `code` for `reason`.
    #[must_use]
    pub fn new(code: RefusalCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: code.message(),
            reason: reason.into(),
            retry_after: None,
            allow: Vec::new(),
        }
    }

    /// Refuses under `code` for an error and all that caused it.
    #[must_use]
    pub fn because(code: RefusalCode, error: &dyn Error) -> Self {
        Self::new(code, with_causes(error))
    }

    /// A request that HTTP or this gateway does not allow.
    #[must_use]
    pub fn bad_request(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(RefusalCode::BadRequest, reason)
    }

    /// A method that is not among `allow`.
    #[must_use]
    pub fn method_not_allowed(allow: Vec<Method>) -> Self {
        let reason = "the route does not take this method";
        Self {
            allow,
            ..Self::new(RefusalCode::MethodNotAllowed, reason)
        }
    }

    /// The reason where it is always said alike; the sentence of the code where it tells of what one request had in it.
    #[must_use]
    pub fn own_words(&self) -> &'static str {
        match self.reason {
            Cow::Borrowed(reason) => reason,
            Cow::Owned(_) => self.code.message(),
        }
    }

    /// The same refusal, with another sentence for the client.
    #[must_use]
    pub fn telling(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    /// The same refusal, with a time after which another try makes sense.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            ..self
        }
    }

    /// The answer to the client, in the table's own shape where `status` or `body` give none.
    #[must_use]
    pub fn answer(
        &self,
        status: Option<StatusCode>,
        body: Option<&Template>,
        request_id: &RequestId,
    ) -> Response<Bytes> {
        let body = match body {
            Some(template) => template.fill(|place| self.value_of(place, request_id)),
            None => json!({
                "error": self.code.as_str(),
                "message": self.message,
                "request_id": request_id.as_str(),
            }),
        };
        let mut answer = json_answer(status.unwrap_or(self.code.status()), &body);
        if let Some(wait) = self.retry_after {
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if !self.allow.is_empty() {
            let names: Vec<_> = self.allow.iter().map(Method::as_str).collect();
            answer
                .headers_mut()
                .extend(names.join(", ").parse().ok().map(|v| (ALLOW, v)));
        }
        answer
    }

    fn value_of(&self, place: Placeholder, request_id: &RequestId) -> Value {
        match place {
            Placeholder::Code => self.code.as_str().into(),
            Placeholder::Message => self.message.into(),
            Placeholder::RequestId => request_id.as_str().into(),
            Placeholder::Skey
            | Placeholder::SessionId
            | Placeholder::UserInfo
            | Placeholder::ExpiresIn
            | Placeholder::OpenId
            | Placeholder::UnionId
            | Placeholder::UserId
            | Placeholder::Data
            | Placeholder::PhoneNumber
            | Placeholder::PurePhoneNumber
            | Placeholder::CountryCode
            | Placeholder::Null => Value::Null,
        }
    }
}

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<NoApp> for Refusal {
    fn from(error: NoApp) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<HiddenScript> for Refusal {
    fn from(hidden: HiddenScript) -> Self {
        Self::new(RefusalCode::RouteNotFound, hidden.to_string())
    }
}

impl From<NoRoute> for Refusal {
    fn from(none: NoRoute) -> Self {
        match none {
            NoRoute::NotFound => Self::new(
                RefusalCode::RouteNotFound,
                "no route has this path and host",
            ),
            NoRoute::Closed => Self::new(
                RefusalCode::RouteNotFound,
                "only wxgate itself calls this path, for on_login",
            ),
            NoRoute::Method(allowed) => Self::method_not_allowed(allowed),
            NoRoute::Ambiguous => {
                Self::bad_request("without its parameters the path falls under another route")
            }
        }
    }
}

/// An answer of the gateway's own: JSON that no cache keeps.
#[must_use]
pub fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if has_body(status) {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(CONTENT_TYPE, json);
        *answer.body_mut() = Bytes::from(body.to_string());
    }
    answer
}

/// Whether HTTP lets an answer of this status have a body.
#[must_use]
pub fn has_body(status: StatusCode) -> bool {
    !matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    )
}

/// An error with all its causes, in one line.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(answer: &Response<Bytes>) -> Value {
        serde_json::from_slice(answer.body()).unwrap()
    }

    #[test]
    fn a_refusal_tells_code_message_and_request_id_but_not_the_reason() {
        let id = RequestId::generate();
        let refusal = Refusal::new(RefusalCode::LoginRateLimited, "errcode 45011")
            .retry_after(Duration::from_mins(1));
        let answer = refusal.answer(None, None, &id);
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()[RETRY_AFTER], "60");
        assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
        let message = RefusalCode::LoginRateLimited.message();
        let told =
            json!({"error": "login_rate_limited", "message": message, "request_id": id.as_str()});
        assert_eq!(body(&answer), told);
    }

    #[test]
    fn what_is_counted_of_a_refusal_is_in_words_that_no_request_has_a_say_in() {
        let fixed = Refusal::bad_request("the token is no skey");
        assert_eq!(fixed.own_words(), "the token is no skey");
        let told = Refusal::bad_request(format!("no app is called {}", "<img>"));
        assert_eq!(told.own_words(), RefusalCode::BadRequest.message());
    }

    #[test]
    fn a_refusal_takes_the_shape_that_the_config_gives_it() {
        let shape = json!({"errno": 401, "errmsg": "{code}: {message}", "data": "{null}"});
        let template = Template::parse(&shape, Placeholder::REFUSAL).unwrap();
        let refusal = Refusal::new(RefusalCode::SessionInvalid, "unknown skey");
        let answer = refusal.answer(
            Some(StatusCode::OK),
            Some(&template),
            &RequestId::generate(),
        );
        assert_eq!(answer.status(), 200);
        let errmsg = format!("session_invalid: {}", RefusalCode::SessionInvalid.message());
        assert_eq!(
            body(&answer),
            json!({"errno": 401, "errmsg": errmsg, "data": null})
        );
    }

    #[test]
    fn a_refusal_that_says_more_than_its_code_says_it_in_every_shape() {
        let id = RequestId::generate();
        let refusal = Refusal::new(RefusalCode::DataUndecryptable, "x").telling("fetch it again");
        assert_eq!(
            body(&refusal.answer(None, None, &id))["message"],
            "fetch it again"
        );
        let template = Template::parse(&json!("<{message}>"), Placeholder::REFUSAL).unwrap();
        let shaped = refusal.answer(None, Some(&template), &id);
        assert_eq!(body(&shaped), json!("<fetch it again>"));
    }

    #[test]
    fn a_refusal_under_a_status_without_a_body_has_none() {
        let refusal = Refusal::bad_request("x");
        for status in [204, 205, 304] {
            let status = StatusCode::from_u16(status).ok();
            let answer = refusal.answer(status, None, &RequestId::generate());
            assert!(answer.body().is_empty());
            assert!(!answer.headers().contains_key(CONTENT_TYPE));
        }
    }

    #[test]
    fn a_refused_method_is_told_the_others() {
        let refusal = Refusal::method_not_allowed(vec![Method::GET, Method::POST]);
        let answer = refusal.answer(None, None, &RequestId::generate());
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ALLOW]),
            (405, &"GET, POST".parse().unwrap())
        );
    }
}
