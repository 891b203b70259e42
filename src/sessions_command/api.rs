//! `/api/sessions` of a gateway that runs, as it is asked over HTTP. Knows nothing of how an answer is shown.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::crypto::ring;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::domain::secret::Secret;

/// How long an answer may take: as long as the listener gives its connections.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: a thousand rows have a third of that.
const MOST: usize = 4 << 20;

/// Why a gateway does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// What is given for an address is none.
    #[error("`{0}` is no address of a listener; write it as http://127.0.0.1:9090")]
    Url(String),
    /// The client for HTTP does not start.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// Nobody answers there.
    #[error(
        "no operator's listener answers at {url}: {reason}; is wxgate running, and does its [admin] listen there?"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The token is another one.
    #[error(
        "the gateway does not take this token; it is that of `token` in its [admin], or set WXGATE_ADMIN_TOKEN to it"
    )]
    Token,
    /// The gateway has no token, and so no API.
    #[error("this gateway has no /api/sessions: give its [admin] a `token`, and restart it")]
    NoApi,
    /// The gateway refuses it, and says why.
    #[error("the gateway refuses that ({status}): {message}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// What it says.
        message: String,
    },
    /// What answers is no wxgate, or another version.
    #[error("what answers at {0} is not the API of this wxgate")]
    Foreign(String),
}

/// A gateway's API.
pub(super) struct Api {
    base: String,
    token: Secret,
    client: Client,
    runtime: Runtime,
}

impl Api {
    /// The one at this address, for those with this token.
    pub(super) fn new(url: String, token: Secret) -> Result<Self, ApiError> {
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !Url::parse(&url).is_ok_and(|url| is_web(&url)) {
            return Err(ApiError::Url(url));
        }
        // One that is there already is as good.
        let _ = ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .http1_only()
            .build()
            .map_err(|error| ApiError::Client(error.to_string()))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            base: url.trim_end_matches('/').to_owned(),
            token,
            client,
            runtime: runtime.map_err(|error| ApiError::Client(error.to_string()))?,
        })
    }

    /// The sessions of an app, of a user, at most so many, behind a cursor: each as far as it is said.
    pub(super) fn list(&self, asked: [Option<String>; 4]) -> Result<Value, ApiError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in ["app", "openid", "limit", "cursor"].into_iter().zip(asked) {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        let (status, answer) = self.ask(Method::GET, &format!("?{}", query.finish()), None)?;
        self.read(status, answer)
    }

    /// A session, if there is one of this id.
    pub(super) fn show(&self, id: &str) -> Result<Option<Value>, ApiError> {
        self.of_one(Method::GET, id)
    }

    /// Ends a session, if there is one of this id.
    pub(super) fn revoke_one(&self, id: &str) -> Result<Option<Value>, ApiError> {
        self.of_one(Method::DELETE, id)
    }

    pub(super) fn revoke(&self, body: &Value) -> Result<Value, ApiError> {
        let (status, answer) = self.ask(Method::POST, "/revoke", Some(body))?;
        self.read(status, answer)
    }

    fn of_one(&self, method: Method, id: &str) -> Result<Option<Value>, ApiError> {
        // Dots alone would lead to another entry, and are of no session.
        if id.bytes().all(|byte| byte == b'.') {
            return Ok(None);
        }
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let (status, answer) = self.ask(method, &format!("/{id}"), None)?;
        // What is said of an entry that is not there has no id in it.
        if status == StatusCode::NOT_FOUND && text(&answer, "message").contains("this id") {
            return Ok(None);
        }
        self.read(status, answer).map(Some)
    }

    fn read(&self, status: StatusCode, answer: Value) -> Result<Value, ApiError> {
        match status {
            StatusCode::OK if answer.is_object() => Ok(answer),
            StatusCode::UNAUTHORIZED if text(&answer, "error") == "unauthorized" => {
                Err(ApiError::Token)
            }
            StatusCode::NOT_FOUND if text(&answer, "error") == "not_found" => Err(ApiError::NoApi),
            _ => match text(&answer, "message") {
                "" => Err(ApiError::Foreign(self.base.clone())),
                message => Err(ApiError::Refused {
                    status: status.as_u16(),
                    message: message.to_owned(),
                }),
            },
        }
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ApiError> {
        let url = format!("{}/api/sessions{path}", self.base);
        let token = format!("Bearer {}", self.token.reveal());
        let mut request = self
            .client
            .request(method, url)
            .header(AUTHORIZATION, token);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let asking = async {
            let mut answer = request.send().await?;
            let mut bytes = Vec::new();
            while let Some(piece) = answer.chunk().await? {
                if bytes.len() + piece.len() > MOST {
                    bytes.clear();
                    break;
                }
                bytes.extend_from_slice(&piece);
            }
            Ok((answer.status(), bytes))
        };
        let (status, bytes) = self
            .runtime
            .block_on(asking)
            .map_err(|error| self.lost(error))?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    fn lost(&self, error: reqwest::Error) -> ApiError {
        let reason = match error.without_url() {
            error if error.is_timeout() => "it does not answer in time".to_owned(),
            error if error.is_connect() => "there is no connection".to_owned(),
            error => error.to_string(),
        };
        ApiError::Unreachable {
            url: self.base.clone(),
            reason,
        }
    }
}

/// The address of a listener on this machine, unless it is for the system to choose its port.
pub(super) fn url_of(listen: SocketAddr) -> Option<String> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listen.port());
    (listen.port() != 0).then(|| format!("http://{address}"))
}

/// A text among the members of an answer; empty if it is not there.
pub(super) fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    let member = answer.get(name).and_then(Value::as_str);
    member.unwrap_or_default()
}
