//! Whole conversations, held against another client's reading of them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::Request as Question;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1 as client;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::net::UnixStream;

use super::*;
use crate::domain::peer::Scheme;
use crate::listener::transport::Transport;

const LIMITS: ConnectionLimits = ConnectionLimits {
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    rest: Duration::from_secs(1),
    max_header_bytes: 8192,
};

/// A body in pieces, which may tell its length.
#[derive(Clone, Debug)]
struct Pieces {
    left: VecDeque<Bytes>,
    tells: bool,
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
        if self.tells {
            let length: usize = self.left.iter().map(Bytes::len).sum();
            SizeHint::with_exact(length as u64)
        } else {
            SizeHint::default()
        }
    }
}

/// Gives the same answer to everything.
struct Same {
    status: u16,
    body: Pieces,
}

impl Handler for Same {
    type Body = Pieces;

    async fn handle(&self, _: Asked, _: &Peer) -> Response<Pieces> {
        let answer = Response::builder().status(self.status).header("X-A", "b");
        answer.body(self.body.clone()).unwrap()
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// What hyper's client reads of two answers in a row: the statuses and the bodies.
async fn read_twice(same: &Same, question: &Question<Empty<Bytes>>) -> Vec<(u16, Bytes)> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let wire = Wire::new(Transport::Unix(ours), Instant::now());
    let wire = Rc::new(RefCell::new(wire));
    let (peer, stop, dates) = (
        Peer::new(None, Scheme::Http, &[]),
        Stop::default(),
        Dates::default(),
    );
    let place = Place {
        handler: same,
        peer: &peer,
        limits: &LIMITS,
        stop: &stop,
        dates: &dates,
    };
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
    let talking = async {
        talk(&wire, &place).await;
        drop(wire);
    };
    let (read, _, ()) = tokio::join!(asking, driver, talking);
    read
}

proptest! {
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
        let same = Same { status, body: Pieces { left, tells } };
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
