//! How long a client may take for what. The clock stands still but for waiting.

use std::time::Duration;

use http::Response;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::domain::peer::{Peer, Scheme};
use crate::listener::dates::Dates;
use crate::listener::place::Rounds;
use crate::listener::transport::Transport;
use crate::listener::{Answer, Asked, ConnectionLimits, Stop, Unread};

const LIMITS: ConnectionLimits = ConnectionLimits {
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    rest: Duration::from_secs(1),
    max_header_bytes: 8192,
};
/// The settings of a client that has none.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// `GET / HTTP/2`, in the clear, on stream 1.
const GET: &[u8] = b"\0\0\x08\x01\x05\0\0\0\x01\x82\x86\x84\x41\x03a:1";
/// Settings that take everything of an answer at once.
const WIDE: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff";
/// The same for the connection.
const WIDER: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\x7f\0\0\0";
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const NO_ERROR: u8 = 0;
const CANCEL: u8 = 8;
const ENHANCE_YOUR_CALM: u8 = 11;
/// More than is ready to go out before somebody takes of it, in bytes.
const LONG: usize = 4 << 20;

/// Answers everything with so many bytes.
struct AtLength(usize);

impl Handler for AtLength {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Asked, _: &Peer) -> Answer<Full<Bytes>> {
        Response::new(Full::from(vec![b'x'; self.0])).into()
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::new()
    }
}

/// How a conversation ended, after how many seconds, and what the client read of it.
struct Ended {
    end: End,
    after: u64,
    read: Vec<u8>,
}

impl Ended {
    /// The codes of all frames of this type.
    fn codes(&self, kind: u8) -> Vec<u8> {
        let mut codes = Vec::new();
        let mut rest = &self.read[..];
        while let [high, middle, low, of, ..] = rest {
            let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
            let (frame, behind) = rest.split_at(9 + length);
            if *of == kind {
                codes.push(frame[if kind == GOAWAY { 16 } else { 12 }]);
            }
            rest = behind;
        }
        codes
    }
}

/// A conversation with a client that says all this at once, and then reads all that comes or nothing.
async fn talked(length: usize, said: &[&[u8]], is_read: bool) -> Ended {
    let (ours, mut client) = UnixStream::pair().unwrap();
    let wire = Wire::new(Transport::Unix(ours), Instant::now());
    let wire = Rc::new(RefCell::new(wire));
    let (stop, dates) = (Stop::default(), Dates::default());
    let place = Place {
        handler: &AtLength(length),
        peer: &Peer::new(None, Scheme::Http, &[]),
        limits: &LIMITS,
        stop: &stop,
        dates: &dates,
        rounds: &Rounds::default(),
        h2c: true,
    };
    client.write_all(&said.concat()).await.unwrap();
    let since = Instant::now();
    let mut read = Vec::new();
    let reading = async {
        while is_read && client.read_buf(&mut read).await.unwrap() > 0 {}
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = talk(&wire, &place) => end,
        () = reading => unreachable!(),
    };
    let after = since.elapsed().as_secs();
    drop(wire);
    client.read_to_end(&mut read).await.unwrap();
    Ended { end, after, read }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_request_is_told_to_go_after_the_header_timeout() {
    for said in [&[][..], &[&PREFACE[..9]], &[PREFACE, SETTINGS]] {
        let ended = talked(1, said, true).await;
        let waited = if said.len() == 2 { 20 } else { 10 };
        assert_eq!((ended.end, ended.after), (End::Cut(Cut::Idle), waited));
    }
    let ended = talked(1, &[PREFACE, SETTINGS], true).await;
    assert_eq!(ended.codes(GOAWAY), [NO_ERROR]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_nothing_more_is_told_to_go_after_the_idle_timeout() {
    let ended = talked(1, &[PREFACE, SETTINGS, GET], true).await;
    assert_eq!((ended.end, ended.after), (End::Cut(Cut::Idle), 70));
    assert_eq!(ended.codes(GOAWAY), [NO_ERROR]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_not_whole_in_time_ends_the_connection() {
    let half = &GET[..12];
    let open = [&b"\0\0\x08\x01\x01"[..], &GET[5..]].concat();
    for part in [half, &open] {
        let ended = talked(1, &[PREFACE, SETTINGS, part], true).await;
        assert_eq!((ended.end, ended.after), (End::Over, 10));
        assert_eq!(ended.codes(GOAWAY), [ENHANCE_YOUR_CALM]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_cut_after_the_idle_timeout() {
    let ended = talked(LONG, &[PREFACE, WIDE, WIDER, GET], false).await;
    assert_eq!((ended.end, ended.after), (End::Cut(Cut::Blocked), 60));
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_window_stays_closed_is_reset_after_the_idle_timeout() {
    let ended = talked(LONG, &[PREFACE, SETTINGS, GET], true).await;
    assert_eq!(ended.codes(RST_STREAM), [CANCEL]);
    // Then there is no request, and nobody who takes the word to go.
    assert_eq!((ended.end, ended.after), (End::Cut(Cut::Idle), 130));
}
