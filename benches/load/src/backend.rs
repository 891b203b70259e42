//! The server behind every proxy, as lean as can be: prepared answers, one thread. Knows nothing of who measures.
//!
//! | request | answer |
//! |---|---|
//! | `/bytes/N`, below any path | N bytes, whatever the method; a body is read and thrown away |
//! | `/auth` | 204 with `X-OpenId`, as a service that an `auth_request` asks |
//! | `/sns/jscode2session` | what WeChat answers to a good code: every code is good |
//! | anything else | 404 |

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};

use crate::poller::{Poller, Ready};
use crate::wire::{self, Body};

/// The key of the listener; connections count from 0.
const LISTENER: usize = usize::MAX;
/// What is read at a time, and the longest head.
const INPUT: usize = 16 << 10;
/// A body that has more to come than this is thrown away unread.
const WORTH_SKIPPING: u64 = 2 << 10;
/// The most that `/bytes/N` gives.
const MOST_BYTES: usize = 64 << 20;

/// Serves for ever on `listener`; each answer comes `delay` late.
///
/// # Errors
///
/// The system watches no sockets.
pub fn serve(listener: &TcpListener, delay: Duration) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut poller = Poller::new()?;
    poller.add_listener(listener, LISTENER)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut answers = Answers::new(delay);
    let mut ready = Vec::new();
    loop {
        poller.wait(None, &mut ready)?;
        for &ready in &ready {
            if ready.key == LISTENER {
                accept(listener, &poller, &mut connections);
            } else if let Some(place) = connections.get_mut(ready.key) {
                drive(place, ready, &mut answers);
            }
        }
    }
}

fn accept(listener: &TcpListener, poller: &Poller, connections: &mut Vec<Option<Connection>>) {
    // A connection that ended before it was taken is nobody's loss.
    let Ok((stream, _)) = listener.accept() else {
        return;
    };
    let free = connections.iter().position(Option::is_none);
    let key = free.unwrap_or_else(|| {
        connections.push(None);
        connections.len() - 1
    });
    let opened = Connection::open(stream, poller, key);
    if let (Ok(connection), Some(place)) = (opened, connections.get_mut(key)) {
        *place = Some(connection);
    }
}

/// Does what a connection has to do; one that is broken or at its end is closed.
fn drive(place: &mut Option<Connection>, ready: Ready, answers: &mut Answers) {
    let Some(connection) = place else {
        return;
    };
    if connection.work(ready.is_closing, answers).is_err() {
        *place = None;
    }
}

/// One connection, and how far it is.
struct Connection {
    stream: TcpStream,
    input: Box<[u8; INPUT]>,
    filled: usize,
    /// The request whose body is being read.
    current: Option<(Rc<[u8]>, Body)>,
    /// The answer that is being written, and how much of it is.
    output: Option<(Rc<[u8]>, usize)>,
}

impl Connection {
    fn open(stream: TcpStream, poller: &Poller, key: usize) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        poller.add(&stream, key)?;
        Ok(Self {
            stream,
            input: Box::new([0; INPUT]),
            filled: 0,
            current: None,
            output: None,
        })
    }

    /// Reads and answers until the socket has nothing more, or takes nothing more.
    fn work(&mut self, is_closing: bool, answers: &mut Answers) -> io::Result<()> {
        let mut is_drained = false;
        loop {
            if !self.write()? {
                return Ok(());
            }
            while self.step(answers)? {}
            if self.output.is_some() {
                continue;
            }
            if is_drained {
                return Ok(());
            }
            is_drained = self.read()? && !is_closing;
        }
    }

    /// Writes what is left of an answer; false if the socket takes nothing more.
    fn write(&mut self) -> io::Result<bool> {
        while let Some((answer, written)) = &mut self.output {
            let rest = answer.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                self.output = None;
                break;
            }
            match self.stream.write(rest) {
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads once; true if the socket has nothing more for now.
    fn read(&mut self) -> io::Result<bool> {
        let certain = self.current.as_ref().map_or(0, |(_, body)| body.certain());
        let read = if certain > WORTH_SKIPPING {
            self.skip(certain)
        } else {
            self.fill()
        };
        match read {
            Ok((0, _)) => Err(ErrorKind::UnexpectedEof.into()),
            Ok((count, room)) => Ok(count < room),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn fill(&mut self) -> io::Result<(usize, usize)> {
        let free = self.input.get_mut(self.filled..).unwrap_or_default();
        let room = free.len();
        let count = self.stream.read(free)?;
        self.filled += count;
        Ok((count, room))
    }

    /// Throws away at most `certain` bytes of a body without copying them.
    fn skip(&mut self, certain: u64) -> io::Result<(usize, usize)> {
        let room = usize::try_from(certain).unwrap_or(INPUT).min(INPUT);
        let scratch = self.input.get_mut(..room).unwrap_or_default();
        let (_, count) = recv(&self.stream, scratch, RecvFlags::TRUNC)?;
        if let Some((_, body)) = &mut self.current {
            body.skip(count as u64);
        }
        Ok((count, room))
    }

    /// Goes on by one step with what was read; false if that takes more input or a free output.
    fn step(&mut self, answers: &mut Answers) -> io::Result<bool> {
        if self.output.is_some() {
            return Ok(false);
        }
        let input = self.input.get(..self.filled).unwrap_or_default();
        let (used, goes_on) = match &mut self.current {
            Some((answer, body)) => {
                let used = body.take(input).map_err(io::Error::other)?;
                let has_ended = body.has_ended();
                if has_ended {
                    self.output = Some((Rc::clone(answer), 0));
                    self.current = None;
                    answers.wait();
                }
                (used, false)
            }
            None => match wire::request(input).map_err(io::Error::other)? {
                Some(head) => {
                    self.current = Some((answers.to(head.what), head.body));
                    (head.length, true)
                }
                None if self.filled == INPUT => return Err(ErrorKind::InvalidData.into()),
                None => (0, false),
            },
        };
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        Ok(goes_on)
    }
}

/// The answers, each made once.
struct Answers {
    bytes: HashMap<usize, Rc<[u8]>>,
    auth: Rc<[u8]>,
    session: Rc<[u8]>,
    unknown: Rc<[u8]>,
    delay: Duration,
}

impl Answers {
    fn new(delay: Duration) -> Self {
        let session =
            r#"{"openid":"oBench0123456789abcdefghijkl","session_key":"AAECAwQFBgcICQoLDA0ODw=="}"#;
        Self {
            bytes: HashMap::new(),
            auth: Rc::from(
                *b"HTTP/1.1 204 No Content\r\nX-OpenId: oBench0123456789abcdefghijkl\r\n\r\n",
            ),
            session: answer("200 OK", session.as_bytes()),
            unknown: answer("404 Not Found", b"there is nothing\n"),
            delay,
        }
    }

    fn to(&mut self, target: &str) -> Rc<[u8]> {
        let path = target.split('?').next().unwrap_or_default();
        let size = path
            .rsplit_once("/bytes/")
            .and_then(|(_, size)| size.parse().ok());
        match (path, size) {
            (_, Some(size)) if size <= MOST_BYTES => {
                let made = self.bytes.entry(size);
                Rc::clone(made.or_insert_with(|| answer("200 OK", &vec![b'x'; size])))
            }
            ("/auth", _) => Rc::clone(&self.auth),
            ("/sns/jscode2session", _) => Rc::clone(&self.session),
            _ => Rc::clone(&self.unknown),
        }
    }

    fn wait(&self) {
        if !self.delay.is_zero() {
            thread::sleep(self.delay);
        }
    }
}

fn answer(status: &str, body: &[u8]) -> Rc<[u8]> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: backend\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    answer.extend_from_slice(body);
    answer.into()
}
