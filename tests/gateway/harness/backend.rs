//! A backend that records every byte it is sent, and does with each connection what a test tells it to.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};

use super::{LONGEST, send_while_taken};

/// A request as the backend saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Request line and headers, as they were sent.
    pub head: String,
    pub method: String,
    pub target: String,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    /// The body, free of its framing.
    pub body: Vec<u8>,
}

impl Seen {
    /// The values of all headers that a backend like PHP would take for this one.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let fold = |name: &str| -> String {
            let fold = |c: char| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '_'
                }
            };
            name.chars().map(fold).collect()
        };
        let named = self
            .headers
            .iter()
            .filter(|(known, _)| fold(known) == fold(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// A running backend.
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// What takes connections, until it is stopped.
    accepting: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    opened: usize,
    closed: usize,
    streams: Vec<TcpStream>,
    is_stopped: bool,
}

/// One connection from the gateway, in the hands of a test.
pub struct Conversation {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    /// Which connection this is, from 1 on.
    pub number: usize,
}

impl Backend {
    /// A backend that answers every request with 200 and `seen`, and keeps connections.
    pub fn start() -> Self {
        Self::that(|conversation| {
            while conversation.read_request().is_some() {
                conversation.answer("200 OK", b"seen");
            }
        })
    }

    /// A backend that treats every connection, on a thread of its own, as `talk` does; the connection ends with it.
    pub fn that(talk: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), talk)
    }

    /// The same on a listener that is there already.
    pub fn on(
        listener: TcpListener,
        talk: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (talk, of_all) = (Arc::new(talk), Arc::clone(&shared));
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let Some(number) = shared.open(&stream) else {
                    return;
                };
                let (talk, shared) = (Arc::clone(&talk), Arc::clone(&shared));
                thread::spawn(move || {
                    let stream = BufReader::new(stream);
                    let mut conversation = Conversation {
                        stream,
                        shared,
                        number,
                    };
                    talk(&mut conversation);
                    conversation.close();
                });
            }
        });
        Self {
            address,
            shared: of_all,
            accepting: Mutex::new(Some(accepting)),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state.lock().unwrap().seen.clone()
    }

    /// The one request that should have come.
    #[track_caller]
    pub fn only_seen(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.shared.state.lock().unwrap().seen.clear();
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().opened
    }

    /// Waits until `count` connections have ended.
    pub fn wait_closed(&self, count: usize) {
        self.wait("connections to end", |state| state.closed >= count);
    }

    /// Waits until `count` requests were seen.
    pub fn wait_seen(&self, count: usize) {
        self.wait("requests", |state| state.seen.len() >= count);
    }

    /// Ends the connections there are, and refuses others from here on.
    pub fn stop(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.is_stopped = true;
        for stream in &state.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        // The thread that accepts sees the mark with the next connection.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            let _ = accepting.join();
        }
    }

    fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let state = self.shared.state.lock().unwrap();
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, LONGEST, |state| !is_so(state))
            .unwrap();
        assert!(
            !waited.timed_out(),
            "waited in vain for {what}: {:#?}",
            state.seen
        );
    }
}

impl Shared {
    fn open(&self, stream: &TcpStream) -> Option<usize> {
        let mut state = self.state.lock().unwrap();
        if state.is_stopped {
            return None;
        }
        stream.set_nodelay(true).unwrap();
        state.streams.push(stream.try_clone().unwrap());
        state.opened += 1;
        Some(state.opened)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

impl Conversation {
    /// Reads the next request whole and records it. None at the end of the connection, or if it breaks off.
    pub fn read_request(&mut self) -> Option<Seen> {
        let mut seen = self.read_head()?;
        seen.body = self.read_body(&seen)?;
        self.record(seen.clone());
        Some(seen)
    }

    /// Reads the next request's head only, and records nothing.
    pub fn read_head(&mut self) -> Option<Seen> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            head.push_str(&String::from_utf8_lossy(&line));
        }
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Seen {
            head,
            method,
            target,
            headers,
            body: Vec::new(),
        })
    }

    /// Reads the body that `head` announces. None if it breaks off.
    pub fn read_body(&mut self, head: &Seen) -> Option<Vec<u8>> {
        // Whatever else a backend folds, the framing it takes from its own names alone.
        let named = |name| move |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        let header = |name| {
            head.headers
                .iter()
                .find(named(name))
                .map(|(_, value)| value)
        };
        let mut body = Vec::new();
        if header("transfer-encoding").is_some() {
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    return Some(body);
                }
            }
        }
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        body.resize(length, 0);
        self.stream.read_exact(&mut body).ok()?;
        Some(body)
    }

    /// Records a request as seen.
    pub fn record(&self, seen: Seen) {
        self.shared.change(|state| state.seen.push(seen));
    }

    /// Answers with a status line's rest and a body with its length.
    pub fn answer(&mut self, status: &str, body: &[u8]) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        self.send(&[head.as_bytes(), body].concat());
    }

    /// Sends bytes. A gateway that has gone shows elsewhere.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Sends a piece of a chunked body.
    pub fn send_chunk(&mut self, piece: &[u8]) {
        let size = format!("{:x}\r\n", piece.len());
        self.send(&[size.as_bytes(), piece, b"\r\n"].concat());
    }

    /// Sends as much of `bytes` as the gateway takes, and tells how much that was once it has taken nothing for a while.
    pub fn send_while_taken(&mut self, bytes: &[u8]) -> usize {
        send_while_taken(self.stream.get_mut(), bytes)
    }

    /// The bytes of the connection, for who speaks something else on it.
    pub fn raw(&self) -> TcpStream {
        assert!(self.stream.buffer().is_empty());
        self.stream.get_ref().try_clone().unwrap()
    }

    /// Whether nothing has come that was not read.
    pub fn is_quiet(&mut self) -> bool {
        if !self.stream.buffer().is_empty() {
            return false;
        }
        let stream = self.stream.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Waits until the gateway ends the connection, and gives whatever it still sent.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }

    /// Waits until the gateway ends the connection; whatever it still sends is read away.
    pub fn wait_end(&mut self) {
        let _ = self.stream.read_to_end(&mut Vec::new());
    }

    /// Reads exactly `count` bytes, or none if the connection ends before.
    pub fn read(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn close(&mut self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
        self.shared.change(|state| state.closed += 1);
    }
}

/// A port that refuses connections until somebody listens on it; nobody else gets it.
pub fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    (socket, address)
}
