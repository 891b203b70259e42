//! A client of HTTP/2 that asks several things at a time on one connection, by a library.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Answer, Ask, LONGEST};

/// A connection, which is kept going beside the test.
pub struct Multiplexed {
    runtime: Arc<Runtime>,
    asking: SendRequest<Bytes>,
    /// How the connection ended, once it has.
    end: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

/// A request that was begun.
pub struct Stream {
    runtime: Arc<Runtime>,
    sending: SendStream<Bytes>,
    answer: Option<ResponseFuture>,
    body: Option<RecvStream>,
    answered: Answer,
}

impl Multiplexed {
    /// Connects in the clear.
    pub fn to(address: SocketAddr) -> Self {
        Self::with(&Builder::new(), address)
    }

    /// Connects in the clear with settings of its own.
    pub fn with(builder: &Builder, address: SocketAddr) -> Self {
        let runtime = runtime();
        let stream = runtime.block_on(TcpStream::connect(address)).unwrap();
        Self::over(stream, builder, runtime).unwrap()
    }

    /// Connects under TLS to the server of this name. HTTP/2 is agreed on, or there is no connection.
    pub fn under_tls(
        mut config: ClientConfig,
        name: &str,
        address: SocketAddr,
    ) -> io::Result<Self> {
        config.alpn_protocols = vec![b"h2".to_vec()];
        let runtime = runtime();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = runtime.block_on(async {
            let stream = TcpStream::connect(address).await?;
            TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
        })?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Self::over(stream, &Builder::new(), runtime).map_err(io::Error::other)
    }

    fn over<T>(stream: T, builder: &Builder, runtime: Arc<Runtime>) -> Result<Self, h2::Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (asking, connection) = runtime.block_on(builder.handshake(stream))?;
        let end = runtime.spawn(connection);
        Ok(Self {
            runtime,
            asking,
            end,
        })
    }

    /// Asks, and reads the answer.
    #[track_caller]
    pub fn ask(&mut self, ask: &Ask) -> Answer {
        self.begin(ask).answer()
    }

    /// Asks, with all of the body. The `Host` of `ask` is the authority, as clients have it.
    #[track_caller]
    pub fn begin(&mut self, ask: &Ask) -> Stream {
        let mut stream = self.open(ask);
        if !ask.body.is_empty() {
            stream.send(&ask.body, true);
        }
        stream
    }

    /// Asks, and sends none of the body yet, if there is one.
    #[track_caller]
    pub fn open(&mut self, ask: &Ask) -> Stream {
        self.open_to_go_on(ask, !ask.body.is_empty())
    }

    /// Asks, and tells whether a body goes on behind.
    #[track_caller]
    pub fn open_to_go_on(&mut self, ask: &Ask, goes_on: bool) -> Stream {
        let host = ask.headers.iter().find(|(name, _)| name == "Host");
        let host = host.map_or("", |(_, value)| value);
        let mut request = Request::builder()
            .method(ask.method.as_str())
            .uri(format!("https://{host}{}", ask.target));
        for (name, value) in ask.headers.iter().filter(|(name, _)| name != "Host") {
            request = request.header(name.to_ascii_lowercase(), value);
        }
        let request = request.body(()).unwrap();
        let (answer, sending) = self.runtime.block_on(async {
            let mut asking = self.asking.clone();
            std::future::poll_fn(|cx| asking.poll_ready(cx))
                .await
                .unwrap();
            asking.send_request(request, !goes_on).unwrap()
        });
        Stream {
            runtime: Arc::clone(&self.runtime),
            sending,
            answer: Some(answer),
            body: None,
            answered: Answer {
                status: 0,
                headers: Vec::new(),
                body: Vec::new(),
                is_whole: false,
            },
        }
    }

    /// Waits until the connection ends, and tells how.
    pub fn end(self) -> Result<(), h2::Error> {
        let Self {
            runtime,
            asking,
            end,
        } = self;
        drop(asking);
        runtime
            .block_on(async { timeout(LONGEST, end).await })
            .unwrap()
            .unwrap()
    }
}

impl Stream {
    /// Sends a piece of the body, as the gateway takes it.
    #[track_caller]
    pub fn send(&mut self, piece: &[u8], is_last: bool) {
        self.sending.reserve_capacity(piece.len());
        let mut data = Bytes::copy_from_slice(piece);
        let sending = &mut self.sending;
        self.runtime.block_on(async {
            loop {
                let room = async {
                    while sending.capacity() == 0 && !data.is_empty() {
                        let capacity = std::future::poll_fn(|cx| sending.poll_capacity(cx)).await;
                        capacity.expect("the stream goes on").unwrap();
                    }
                };
                timeout(LONGEST, room).await.expect("the gateway takes it");
                let part = data.split_to(sending.capacity().min(data.len()));
                sending.send_data(part, is_last && data.is_empty()).unwrap();
                if data.is_empty() {
                    return;
                }
            }
        });
    }

    /// Sends as much of `piece` as the gateway has room for, and tells how much that was once nothing went for a while.
    pub fn send_while_taken(&mut self, piece: &[u8]) -> usize {
        let mut sent = 0;
        let sending = &mut self.sending;
        self.runtime.block_on(async {
            while sent < piece.len() {
                sending.reserve_capacity(piece.len() - sent);
                if sending.capacity() == 0 {
                    let room = std::future::poll_fn(|cx| sending.poll_capacity(cx));
                    match timeout(super::A_WHILE, room).await {
                        Ok(Some(Ok(_))) => continue,
                        _ => return,
                    }
                }
                let count = sending.capacity().min(piece.len() - sent);
                let part = Bytes::copy_from_slice(&piece[sent..sent + count]);
                sending.send_data(part, false).unwrap();
                sent += count;
            }
        });
        sent
    }

    /// Ends the body with trailers.
    #[track_caller]
    pub fn send_trailers(&mut self, trailers: &[(&str, &str)]) {
        let trailers = trailers.iter();
        let trailers =
            trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        self.sending.send_trailers(trailers.collect()).unwrap();
    }

    /// Resets it.
    pub fn reset(&mut self, reason: Reason) {
        self.sending.send_reset(reason);
    }

    /// Whether the gateway tells to go on before the answer comes.
    pub fn is_told_to_go_on(&mut self) -> bool {
        let answer = self.answer.as_mut().unwrap();
        let told = std::future::poll_fn(|cx| answer.poll_informational(cx));
        let told = self
            .runtime
            .block_on(async { timeout(LONGEST, told).await })
            .unwrap();
        told.is_some_and(|told| told.unwrap().status() == 100)
    }

    /// Reads the head of the answer.
    #[track_caller]
    pub fn head(&mut self) -> Result<(), h2::Error> {
        if let Some(answer) = self.answer.take() {
            let answer = self
                .runtime
                .block_on(async { timeout(LONGEST, answer).await });
            let (head, body) = answer.expect("an answer should come")?.into_parts();
            self.answered.status = head.status.as_u16();
            self.answered.headers = texts(&head.headers);
            self.body = Some(body);
        }
        Ok(())
    }

    /// Reads the next piece of the answer's body; none at its end.
    #[track_caller]
    pub fn piece(&mut self) -> Result<Option<Bytes>, h2::Error> {
        self.head()?;
        let body = self.body.as_mut().unwrap();
        let piece = self
            .runtime
            .block_on(async { timeout(LONGEST, body.data()).await });
        let piece = piece.expect("a piece should come").transpose()?;
        if let Some(piece) = &piece {
            let _ = body.flow_control().release_capacity(piece.len());
        }
        Ok(piece)
    }

    /// Reads the answer to its end.
    #[track_caller]
    pub fn answer(mut self) -> Answer {
        self.try_answer().unwrap()
    }

    /// Reads the answer to its end, unless it is reset.
    #[track_caller]
    pub fn try_answer(&mut self) -> Result<Answer, h2::Error> {
        self.head()?;
        while let Some(piece) = self.piece()? {
            self.answered.body.extend_from_slice(&piece);
        }
        let body = self.body.as_mut().unwrap();
        let trailers = self.runtime.block_on(body.trailers())?;
        assert_eq!(trailers, None, "no trailers come");
        self.answered.is_whole = true;
        Ok(self.answered.clone())
    }

    /// Whose reset ends the answer, and why.
    #[track_caller]
    pub fn reason(mut self) -> Reason {
        let error = self.try_answer().unwrap_err();
        error.reason().unwrap_or_else(|| panic!("{error}"))
    }
}

/// Of two threads, so that the connection goes on while the test does something else.
fn runtime() -> Arc<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    Arc::new(runtime.unwrap())
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), value)
    };
    headers.iter().map(text).collect()
}
