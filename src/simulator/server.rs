//! The simulator's doors over HTTP. Knows nothing of users and codes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Collected, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

use super::accounts::{Errcode, errmsg};
use super::{Api, Behaviour, Sealed, Stage, seal, seal_bytes};

/// One piece of the white space in a huge answer.
static HUGE_PIECE: [u8; 64 * 1024] = [b' '; 64 * 1024];
static HUGE_PIECES: usize = 1024;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;
type Query = HashMap<String, String>;

/// The connection is to be reset instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulator was told to reset this connection")]
struct Reset;

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, stage: Arc<Stage>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                stage.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve_connection(stream, Arc::clone(&stage)));
            }
            // Such as too many open files: the others go on meanwhile.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn serve_connection(stream: TcpStream, stage: Arc<Stage>) -> io::Result<()> {
    // A second handle of the socket, since the first one is hyper's while a call is answered.
    let socket = Arc::new(stream.as_fd().try_clone_to_owned()?);
    let service = service_fn(move |request| {
        let (stage, socket) = (Arc::clone(&stage), Arc::clone(&socket));
        async move { answer(&stage, &socket, request).await }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    served.await.map_err(io::Error::other)
}

async fn answer(
    stage: &Stage,
    socket: &OwnedFd,
    request: Request<Incoming>,
) -> Result<Answer, Reset> {
    let query = read_query(&request);
    let (head, body) = request.into_parts();
    // A body that breaks off is none.
    let body = body.collect().await.map(Collected::to_bytes);
    let asked = || serde_json::from_slice(&body.unwrap_or_default()).unwrap_or_default();
    let answers = Answers { stage, socket };
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/sns/jscode2session") => {
            let own = || stage.accounts().exchange(&query);
            answers.give(Api::Login, own).await
        }
        (&Method::POST, "/cgi-bin/stable_token") => {
            let asked = asked();
            let own = || stage.accounts().access_token(&asked);
            answers.give(Api::AccessToken, own).await
        }
        (&Method::GET, "/wxa/checksession") => {
            let own = || stage.accounts().check_key(&query);
            answers.give(Api::SessionKey, own).await
        }
        (&Method::POST, "/wxa/business/getuserphonenumber") => {
            let asked = asked();
            let own = || stage.accounts().phone_number(&query, &asked);
            answers.give(Api::PhoneNumber, own).await
        }
        (&Method::POST, "/simulator/code") => Ok(issue_code(stage, &query)),
        (&Method::POST, "/simulator/user-info") => Ok(user_info(stage, &query)),
        (&Method::POST, "/simulator/phone-code") => Ok(issue_phone_code(stage, &query)),
        _ => Ok(plain(StatusCode::NOT_FOUND, "there is no such API")),
    }
}

/// The answers to calls of one connection.
struct Answers<'a> {
    stage: &'a Stage,
    socket: &'a OwnedFd,
}

impl Answers<'_> {
    /// Gives the API's `own` answer, or what was arranged instead.
    async fn give(
        &self,
        api: Api,
        own: impl Fn() -> Result<Value, Errcode>,
    ) -> Result<Answer, Reset> {
        let own = || own().map_or_else(failure, |answer| answer.to_string());
        // Whoever saw this call arrive may release it: so it waits at the gate before it counts as arrived.
        let released = self.stage.gate.notified();
        match self.stage.desk(api).arrive() {
            Behaviour::Normal => Ok(text(own())),
            Behaviour::Busy => Ok(text(failure(-1))),
            Behaviour::RateLimited => Ok(text(failure(45011))),
            Behaviour::Errcode(errcode) => Ok(text(failure(errcode))),
            Behaviour::Held => {
                released.await;
                Ok(text(own()))
            }
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Reset => Err(reset(self.socket)),
            Behaviour::Html => Ok(html()),
            Behaviour::HalfJson => Ok(text(half(own()))),
            Behaviour::Nothing => Ok(text(String::new())),
            Behaviour::Huge => Ok(huge(own())),
            Behaviour::Status(status) => Ok(bare(status)),
            Behaviour::Redirect(location) => Ok(redirect(&location)),
            Behaviour::Body(body) => Ok(text(body)),
        }
    }
}

fn issue_code(stage: &Stage, query: &Query) -> Answer {
    match query.get("user").filter(|user| !user.is_empty()) {
        Some(user) => plain(StatusCode::OK, stage.accounts().issue_code(user)),
        None => plain(StatusCode::BAD_REQUEST, "whose code? ?user=NAME is missing"),
    }
}

/// What `wx.getUserInfo()` gives a user of one mini-program, signed and sealed with their key of now.
fn user_info(stage: &Stage, query: &Query) -> Answer {
    let (Some(appid), Some(user)) = (query.get("appid"), query.get("user")) else {
        return plain(StatusCode::BAD_REQUEST, "?appid=…&user=… is missing");
    };
    let accounts = stage.accounts();
    let info = json!({"nickName": user, "language": "zh_CN"});
    let key = accounts.session_key_of(appid, user);
    let raw_data = info.to_string();
    let sealed = accounts.marked(appid, user, info.clone()).to_string();
    let Sealed { encrypted_data, iv } = seal_bytes(&key, sealed.as_bytes());
    let signature = seal::sign(&raw_data, &seal::key_text(&key));
    let given = json!({
        "userInfo": info, "rawData": raw_data, "signature": signature,
        "encryptedData": encrypted_data, "iv": iv,
    });
    text(given.to_string())
}

fn issue_phone_code(stage: &Stage, query: &Query) -> Answer {
    match query.get("number").filter(|number| !number.is_empty()) {
        Some(number) => plain(StatusCode::OK, stage.accounts().phone_codes.issue(number)),
        None => plain(
            StatusCode::BAD_REQUEST,
            "for which number? ?number=NUMBER is missing",
        ),
    }
}

fn failure(errcode: Errcode) -> String {
    let [a, b, c] = [(); 3].map(|()| fastrand::u32(..));
    let errmsg = format!("{}, rid: {a:08x}-{b:08x}-{c:08x}", errmsg(errcode));
    json!({"errcode": errcode, "errmsg": errmsg}).to_string()
}

fn half(mut answer: String) -> String {
    answer.truncate(answer.len() / 2);
    answer
}

fn reset(socket: &OwnedFd) -> Reset {
    // Closed with no time to linger, a socket sends RST. Where the option cannot be set, it sends FIN: no answer either.
    drop(SockRef::from(socket).set_linger(Some(Duration::ZERO)));
    Reset
}

fn text(body: String) -> Answer {
    plain(StatusCode::OK, body)
}

fn html() -> Answer {
    let mut page = text("<!DOCTYPE html><title>Welcome to our Wi-Fi</title>".to_owned());
    page.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    page
}

fn bare(status: u16) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    plain(status, "no JSON")
}

fn redirect(location: &str) -> Answer {
    let mut answer = bare(302);
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

fn huge(answer: String) -> Answer {
    let space = std::iter::repeat_n(Bytes::from_static(&HUGE_PIECE), HUGE_PIECES);
    let pieces = std::iter::once(Bytes::from(answer)).chain(space);
    let body = StreamBody::new(stream::iter(pieces).map(|piece| Ok(Frame::data(piece))));
    let mut huge = Response::new(body.boxed_unsync());
    huge.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    huge
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed_unsync());
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

fn read_query(request: &Request<Incoming>) -> Query {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}
