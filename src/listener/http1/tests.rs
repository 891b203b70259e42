//! Whole conversations, held against another client's reading of them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use http::{Request as Question, Response};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1 as client;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::domain::peer::Peer;
use crate::domain::peer::Scheme;
use crate::listener::dates::Dates;
use crate::listener::place::Rounds;
use crate::listener::transport::Transport;
use crate::listener::{ConnectionLimits, Stop, Unread};

const LIMITS: ConnectionLimits = ConnectionLimits {
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    rest: Duration::from_secs(1),
    max_header_bytes: 8192,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.cn\r\n\r\n";

/// A body in pieces, which may tell how long it is, be it true or not.
#[derive(Clone, Debug)]
struct Pieces {
    left: VecDeque<Bytes>,
    told: Option<u64>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.left.pop_front().map(|data| Ok(Frame::data(data))))
    }

    fn size_hint(&self) -> SizeHint {
        self.told
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Gives the same answer to everything.
struct Same {
    status: u16,
    body: Pieces,
}

impl Handler for Same {
    type Body = Pieces;

    async fn handle(&self, _: Asked, _: &Peer) -> Answer<Pieces> {
        let answer = Response::builder().status(self.status).header("X-A", "b");
        answer.body(self.body.clone()).unwrap().into()
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// Never answers, and says when it is dropped.
#[derive(Default)]
struct Never(Rc<Cell<bool>>);

struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

impl Handler for Never {
    type Body = Pieces;

    async fn handle(&self, _: Asked, _: &Peer) -> Answer<Pieces> {
        let _dropped = Dropped(Rc::clone(&self.0));
        std::future::pending().await
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// Answers with what it is told.
struct Echo;

impl Handler for Echo {
    type Body = Pieces;

    async fn handle(&self, asked: Asked, _: &Peer) -> Answer<Pieces> {
        let heard = asked.body.collect().await.unwrap().to_bytes();
        let told = Some(heard.len() as u64);
        let left = [heard].into();
        Response::new(Pieces { left, told }).into()
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// A wire, and its other end.
fn wired() -> (Rc<RefCell<Wire>>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let wire = Wire::new(Transport::Unix(ours), Instant::now());
    (Rc::new(RefCell::new(wire)), theirs)
}

/// Talks on `wire`, and lets go of it.
async fn converse<H: Handler>(wire: Rc<RefCell<Wire>>, handler: &H) -> End {
    let (peer, stop, dates) = (
        Peer::new(None, Scheme::Http, &[]),
        Stop::default(),
        Dates::default(),
    );
    let place = Place {
        handler,
        peer: &peer,
        limits: &LIMITS,
        stop: &stop,
        dates: &dates,
        rounds: &Rounds::default(),
        h2c: false,
    };
    talk(&wire, &place).await
}

/// What hyper's client reads of two answers in a row: the statuses and the bodies.
async fn read_twice(same: &Same, question: &Question<Empty<Bytes>>) -> Vec<(u16, Bytes)> {
    let (wire, theirs) = wired();
    let (mut sender, driver) = client::handshake(TokioIo::new(theirs)).await.unwrap();
    let asking = async move {
        let mut read = Vec::new();
        for _ in 0..2 {
            if sender.ready().await.is_err() {
                break;
            }
            let answer = sender.send_request(question.clone()).await.unwrap();
            assert_eq!(answer.headers()["x-a"], "b");
            let status = answer.status().as_u16();
            read.push((
                status,
                answer.into_body().collect().await.unwrap().to_bytes(),
            ));
        }
        read
    };
    let (read, _, _) = tokio::join!(asking, driver, converse(wire, same));
    read
}

/// All that goes out of an answer of four bytes that tells of `told`, and how the conversation ends.
async fn told_of(told: u64) -> (String, End) {
    let (wire, mut client) = wired();
    let left = [Bytes::from_static(b"ab"), Bytes::from_static(b"cd")].into();
    let told = Some(told);
    let same = Same {
        status: 200,
        body: Pieces { left, told },
    };
    client.write_all(GET).await.unwrap();
    let end = converse(wire, &same).await;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    (answer, end)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_never_longer_than_it_was_told_and_a_shorter_one_ends_the_connection() {
    let (answer, end) = told_of(4).await;
    assert!(answer.ends_with("\r\n\r\nabcd"), "{answer}");
    assert_eq!(end, End::Rest);
    let (answer, end) = told_of(3).await;
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert_eq!(end, End::Rest);
    let (answer, end) = told_of(5).await;
    assert!(answer.ends_with("\r\n\r\nabcd"), "{answer}");
    assert_eq!(end, End::Over);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_client_goes_away_is_dropped() {
    let (wire, mut client) = wired();
    let never = Never::default();
    client.write_all(GET).await.unwrap();
    let (end, ()) = tokio::join!(converse(wire, &never), async {
        tokio::time::sleep(2 * LIMITS.idle_timeout).await;
        assert!(!never.0.get());
        drop(client);
    });
    assert_eq!(end, End::Gone);
    assert!(never.0.get());
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_ahead_is_not_read_without_a_limit() {
    let (wire, client) = wired();
    let held = Rc::clone(&wire);
    let never = Never::default();
    let asks = GET.repeat(20_000);
    let sending = async {
        let mut sent = 0;
        while let Ok(Ok(())) = tokio::time::timeout(LIMITS.rest, client.writable()).await {
            sent += client.try_write(&asks).unwrap_or_default();
        }
        assert!(sent > 2 * SIP, "{sent}");
        assert!(held.borrow().buffer.len() <= SIP);
    };
    tokio::select! {
        end = converse(wire, &never) => panic!("{end:?}"),
        () = sending => {}
    }
}

/// A request with this body, in chunks of a size or whole.
fn question(body: &[u8], chunk: Option<usize>) -> Vec<u8> {
    let head = "POST / HTTP/1.1\r\nHost: a.cn\r\n";
    let Some(size) = chunk else {
        let length = format!("{head}Content-Length: {}\r\n\r\n", body.len());
        return [length.as_bytes(), body].concat();
    };
    let mut bytes = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend([chunk, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\nX-Trailer: a\r\n\r\n");
    bytes
}

/// The bodies of all answers in `bytes`.
fn bodies(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while !bytes.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut head = httparse::Response::new(&mut headers);
        let length = head.parse(bytes).unwrap().unwrap();
        let told = head.headers.iter().find(|h| h.name == "content-length");
        let told = std::str::from_utf8(told.unwrap().value).unwrap();
        let end = length + told.parse::<usize>().unwrap();
        bodies.push(bytes[length..end].to_vec());
        bytes = &bytes[end..];
    }
    bodies
}

/// What comes back for these pieces, sent one after the other.
async fn echoes(pieces: Vec<Vec<u8>>) -> Vec<u8> {
    let (wire, client) = wired();
    let (mut reading, mut writing) = client.into_split();
    let asking = async move {
        for piece in pieces {
            writing.write_all(&piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        // The end of what the client says would end the conversation.
        writing
    };
    let hearing = async {
        let mut heard = Vec::new();
        reading.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let (_, _writing, heard) = tokio::join!(converse(wire, &Echo), asking, hearing);
    heard
}

proptest! {
    #[test]
    fn requests_with_bodies_are_answered_in_their_order_however_they_are_cut(
        bodies_in in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..400), prop::option::of(1..90_usize)),
            1..6,
        ),
        cuts in prop::collection::vec(1..200_usize, 1..30),
    ) {
        let mut asked: Vec<u8> = bodies_in
            .iter()
            .flat_map(|(body, chunk)| question(body, *chunk))
            .collect();
        asked.extend(b"GET / HTTP/1.1\r\nHost: a.cn\r\nConnection: close\r\n\r\n");
        let (mut rest, mut pieces) = (asked.as_slice(), Vec::new());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces.push(rest.to_vec());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let heard = runtime.unwrap().block_on(echoes(pieces));
        let mut expected: Vec<_> = bodies_in.into_iter().map(|(body, _)| body).collect();
        expected.push(Vec::new());
        prop_assert_eq!(bodies(&heard), expected);
    }

    #[test]
    fn an_answer_is_read_as_it_was_given_and_so_is_the_next_one(
        lengths in prop::collection::vec(prop_oneof![0..100_usize, 0..40_000_usize], 0..5),
        tells in any::<bool>(),
        status in prop::sample::select(&[200_u16, 204, 304, 404, 499][..]),
        method in prop::sample::select(&["GET", "HEAD"][..]),
        is_old in any::<bool>(),
    ) {
        let left: VecDeque<_> = lengths.iter().map(|n| Bytes::from(vec![b'x'; *n])).collect();
        let length: usize = lengths.iter().sum();
        let told = tells.then_some(length as u64);
        let same = Same { status, body: Pieces { left, told } };
        let version = if is_old { http::Version::HTTP_10 } else { http::Version::HTTP_11 };
        let question = Question::builder().method(method).version(version).uri("/");
        let question = question.header("Host", "a.cn").body(Empty::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let read = runtime.unwrap().block_on(read_twice(&same, &question));
        let is_bodiless = method == "HEAD" || matches!(status, 204 | 304);
        let expected = Bytes::from(vec![b'x'; if is_bodiless { 0 } else { length }]);
        prop_assert_eq!(read.len(), if is_old { 1 } else { 2 });
        for (read_status, body) in read {
            prop_assert_eq!(read_status, status);
            prop_assert!(body == expected, "{} of {} bytes", body.len(), expected.len());
        }
    }
}
