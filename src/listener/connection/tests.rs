//! Connections that rest, and what becomes of what their clients say meanwhile. The clock stands still but for waiting.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::domain::peer::{Peer, Scheme};
use crate::listener::dates::Dates;
use crate::listener::place::Rounds;
use crate::listener::{Answer, Asked, ConnectionLimits, Stop};

const LIMITS: ConnectionLimits = ConnectionLimits {
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    rest: Duration::from_secs(1),
    max_header_bytes: 8192,
};
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.cn\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a.cn\r\nContent-Length: 2\r\n\r\n";

/// Answers everything, without reading it.
struct Everything;

impl Handler for Everything {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Asked, _: &Peer) -> Answer<Full<Bytes>> {
        Response::new(Full::from("seen")).into()
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// What stands around a connection.
struct Room {
    peer: Peer,
    stop: Stop,
    dates: Dates,
    rounds: Rounds,
}

impl Room {
    fn new() -> Self {
        tokio::time::pause();
        Self {
            peer: Peer::new(None, Scheme::Http, &[]),
            stop: Stop::default(),
            dates: Dates::default(),
            rounds: Rounds::default(),
        }
    }

    fn place(&self) -> Place<'_, Everything> {
        Place {
            handler: &Everything,
            peer: &self.peer,
            limits: &LIMITS,
            stop: &self.stop,
            dates: &self.dates,
            rounds: &self.rounds,
            h2c: false,
        }
    }

    async fn talk(&self, wire: &Rc<RefCell<Wire>>) -> End {
        http1::talk(wire, &self.place()).await
    }
}

fn wire(ours: UnixStream) -> Rc<RefCell<Wire>> {
    let wire = Wire::new(Transport::Unix(ours), Instant::now());
    Rc::new(RefCell::new(wire))
}

async fn answer(client: &mut UnixStream) -> String {
    let mut bytes = vec![0; 1024];
    let length = client.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test]
async fn a_connection_rests_soon_after_its_answer_and_goes_on_with_the_next_request() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let wire = wire(ours);
    client.write_all(GET).await.unwrap();
    let since = Instant::now();
    assert_eq!(room.talk(&wire).await, End::Rest);
    assert!(since.elapsed() >= LIMITS.rest && since.elapsed() < LIMITS.header_timeout);
    assert!(answer(&mut client).await.ends_with("seen"));

    let place = room.place();
    let (cut, ()) = tokio::join!(rest(&wire, &place), async {
        client.write_all(GET).await.unwrap();
    });
    assert_eq!(cut, None);
    assert_eq!(room.talk(&wire).await, End::Rest);
    assert!(answer(&mut client).await.ends_with("seen"));
}

#[tokio::test]
async fn a_connection_that_rests_keeps_no_room_for_what_may_come() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let wire = wire(ours);
    client.write_all(GET).await.unwrap();
    assert_eq!(room.talk(&wire).await, End::Rest);
    assert_eq!(wire.borrow().buffer.capacity(), 0);
}

#[tokio::test]
async fn a_connection_does_not_rest_in_the_middle_of_a_head() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let wire = wire(ours);
    let (half, rest_of_it) = GET.split_at(9);
    client.write_all(&[GET, half].concat()).await.unwrap();
    let (end, ()) = tokio::join!(room.talk(&wire), async {
        assert!(answer(&mut client).await.ends_with("seen"));
        tokio::time::sleep(2 * LIMITS.rest).await;
        client.write_all(rest_of_it).await.unwrap();
    });
    assert_eq!(end, End::Rest);
    assert!(answer(&mut client).await.ends_with("seen"));
    client.write_all(half).await.unwrap();
    let end = room.talk(&wire).await;
    assert_eq!(end, End::Cut(Cut::SlowHead));
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_is_read_away_and_then_the_connection_rests() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let wire = wire(ours);
    let (end, ()) = tokio::join!(room.talk(&wire), async {
        client.write_all(POST).await.unwrap();
        client.write_all(b"a").await.unwrap();
        assert!(answer(&mut client).await.ends_with("seen"));
        client.write_all(&[b"b", GET].concat()).await.unwrap();
        assert!(answer(&mut client).await.ends_with("seen"));
    });
    assert_eq!(end, End::Rest);
}

#[tokio::test]
async fn what_is_left_of_a_body_is_not_waited_for_longer_than_for_a_head() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    client.write_all(POST).await.unwrap();
    let since = Instant::now();
    assert_eq!(room.talk(&wire(ours)).await, End::Cut(Cut::Idle));
    assert_eq!(since.elapsed().as_secs(), LIMITS.header_timeout.as_secs());
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_and_that_is_long_or_waits_for_leave_ends_the_connection() {
    let room = Room::new();
    for lines in [
        "Content-Length: 65537\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nExpect: 100-continue\r\n",
    ] {
        let (ours, mut client) = UnixStream::pair().unwrap();
        let post = format!("POST / HTTP/1.1\r\nHost: a.cn\r\n{lines}\r\n");
        client.write_all(post.as_bytes()).await.unwrap();
        assert_eq!(room.talk(&wire(ours)).await, End::Over, "{lines}");
        let answer = answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_resting_connection_ends_when_it_is_idle_too_long_and_when_the_worker_stops() {
    let room = Room::new();
    let (ours, _client) = UnixStream::pair().unwrap();
    let wire = wire(ours);
    let place = room.place();
    let since = Instant::now();
    assert_eq!(rest(&wire, &place).await, Some(Cut::Idle));
    assert_eq!(since.elapsed().as_secs(), LIMITS.header_timeout.as_secs());
    wire.borrow_mut().pulse.asked();
    wire.borrow_mut().pulse.answered(Instant::now());
    let (cut, ()) = tokio::join!(rest(&wire, &place), async { room.stop.set() });
    assert_eq!(cut, Some(Cut::Idle));
    assert_eq!(rest(&wire, &place).await, Some(Cut::Idle));
}
