//! Connections that rest, and what becomes of what their clients say meanwhile. The clock stands still but for waiting.

use http::Response;
use http_body_util::Full;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use super::*;
use crate::domain::peer::Scheme;

const LIMITS: ConnectionLimits = ConnectionLimits {
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_mins(1),
    rest: Duration::from_secs(1),
    max_header_bytes: 8192,
};
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.cn\r\n\r\n";

/// Answers everything, without reading it.
struct Everything;

impl Handler for Everything {
    type Body = Full<Bytes>;

    async fn handle(&self, _: Request<Incoming>, _: &Peer) -> Response<Full<Bytes>> {
        Response::new(Full::from("seen"))
    }

    fn refuse(&self, _: Unread, _: &Peer) -> Bytes {
        Bytes::from_static(b"refused")
    }
}

/// What stands around a connection.
struct Room {
    pulse: Rc<Pulse>,
    peer: Rc<Peer>,
    handler: Rc<Everything>,
    stop: Stop,
}

impl Room {
    fn new() -> Self {
        tokio::time::pause();
        Self {
            pulse: Rc::new(Pulse::new(Instant::now())),
            peer: Rc::new(Peer::new(None, Scheme::Http, &[])),
            handler: Rc::new(Everything),
            stop: Stop::default(),
        }
    }

    fn wire(&self, ours: UnixStream) -> Wire<impl Fn(Unread) -> Bytes + Unpin + use<>> {
        let refuse = |_| Bytes::from_static(b"refused");
        Wire::new(Transport::Unix(ours), Rc::clone(&self.pulse), refuse)
    }

    async fn talk<R: Fn(Unread) -> Bytes + Unpin>(&self, wire: Wire<R>) -> (Wire<R>, End) {
        let Self {
            pulse,
            peer,
            handler,
            stop,
        } = self;
        talk(wire, pulse, peer, handler, &LIMITS, stop).await
    }
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
    client.write_all(GET).await.unwrap();
    let since = Instant::now();
    let (wire, end) = room.talk(room.wire(ours)).await;
    assert!(matches!(end, End::Rest));
    assert!(since.elapsed() >= LIMITS.rest && since.elapsed() < LIMITS.header_timeout);
    assert!(answer(&mut client).await.ends_with("seen"));

    let (cut, ()) = tokio::join!(rest(&wire, &room.pulse, &LIMITS, &room.stop), async {
        client.write_all(GET).await.unwrap();
    });
    assert_eq!(cut, None);
    let (_, end) = room.talk(wire).await;
    assert!(matches!(end, End::Rest));
    assert!(answer(&mut client).await.ends_with("seen"));
}

#[tokio::test]
async fn what_came_of_the_next_request_before_the_rest_is_not_lost() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let (half, rest_of_it) = GET.split_at(9);
    client.write_all(&[GET, half].concat()).await.unwrap();
    let (wire, end) = room.talk(room.wire(ours)).await;
    assert!(matches!(end, End::Rest));
    assert!(answer(&mut client).await.ends_with("seen"));
    // It does not wait for the client: there is something to read already.
    assert_eq!(rest(&wire, &room.pulse, &LIMITS, &room.stop).await, None);
    client.write_all(rest_of_it).await.unwrap();
    room.talk(wire).await;
    assert!(answer(&mut client).await.ends_with("seen"));
}

#[tokio::test]
async fn after_a_request_with_a_body_a_connection_does_not_rest() {
    let room = Room::new();
    let (ours, mut client) = UnixStream::pair().unwrap();
    let post = b"POST / HTTP/1.1\r\nHost: a.cn\r\nContent-Length: 2\r\n\r\nab";
    client.write_all(post).await.unwrap();
    let (_, end) = room.talk(room.wire(ours)).await;
    assert!(matches!(end, End::Over(Some(Cut::Idle))));
}

#[tokio::test]
async fn a_resting_connection_ends_when_it_is_idle_too_long_and_when_the_worker_stops() {
    let room = Room::new();
    let (ours, _client) = UnixStream::pair().unwrap();
    let wire = room.wire(ours);
    let resting = || rest(&wire, &room.pulse, &LIMITS, &room.stop);
    let since = Instant::now();
    assert_eq!(resting().await, Some(Cut::Idle));
    assert_eq!(since.elapsed().as_secs(), LIMITS.header_timeout.as_secs());
    room.pulse.asked(true);
    room.pulse.answered();
    room.pulse.flushed();
    let (cut, ()) = tokio::join!(resting(), async { room.stop.set() });
    assert_eq!(cut, Some(Cut::Idle));
    assert_eq!(resting().await, Some(Cut::Idle));
}
