//! A sample backend: it knows nothing of WeChat and answers with what it was sent. Knows nothing of the gateway.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::runtime::Builder;

/// A running sample backend; it lives as long as the process.
#[derive(Debug)]
pub(super) struct Backend {
    address: SocketAddr,
}

impl Backend {
    /// Serves on `listener`, on a thread of its own.
    pub(super) fn start(listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("backend".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                        serve(listener).await;
                    }
                });
            })?;
        Ok(Self { address })
    }

    /// What stands in a config among `servers`.
    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(listener: tokio::net::TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service_fn(echo)));
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let length = body.collect().await.map_or(0, |body| body.to_bytes().len());
    let headers = head.headers.iter().map(|(name, value)| {
        json!(format!(
            "{name}: {}",
            String::from_utf8_lossy(value.as_bytes())
        ))
    });
    let seen = json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "headers": headers.collect::<Vec<Value>>(),
        "body_bytes": length,
    });
    let mut answer = Response::new(Full::from(format!("{seen:#}\n")));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}
