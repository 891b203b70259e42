//! A TCP proxy that makes trouble between a client and a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::ports;

/// What is said instead of what the server said; no Redis says so.
const GARBAGE: &[u8] = b"\xff\x00HTTP/1.1 400 Bad Request\r\n\r\n";

/// What becomes of the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    #[default]
    Pass,
    /// What the server says comes later by this much.
    Slow(Duration),
    /// Connections are taken and stand, but nothing passes in either direction. What was held back passes later.
    Stall,
    /// Whatever stands is cut, and nobody is let in.
    Refuse,
    /// The server's words are replaced by others.
    Garbage,
    /// Whatever stands is cut, and so is whoever comes, once he is in.
    Cut,
}

/// A proxy before one server; it ends when this is dropped.
pub struct Proxy {
    address: SocketAddr,
    road: Arc<Road>,
}

impl Proxy {
    /// A proxy that lets pass what goes to this address and comes from it.
    pub fn before(server: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", ports::free())).unwrap();
        let address = listener.local_addr().unwrap();
        let road = Arc::new(Road {
            server: server.parse().unwrap(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let here = Arc::clone(&road);
        thread::spawn(move || here.take(listener));
        Self { address, road }
    }

    /// Where a client finds it, as `127.0.0.1:PORT`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this from now on.
    pub fn becomes(&self, mode: Mode) {
        let was = self.road.change(|state| {
            if matches!(mode, Mode::Refuse | Mode::Cut) {
                state.cut();
            }
            std::mem::replace(&mut state.mode, mode)
        });
        if mode == Mode::Refuse && was != Mode::Refuse {
            // Its listener goes as soon as it sees that it is over.
            let _ = TcpStream::connect(self.address);
            self.road.wait(|state| !state.listens);
        }
        if was == Mode::Refuse && mode != Mode::Refuse {
            let listener = TcpListener::bind(self.address).unwrap();
            self.road.change(|state| state.listens = true);
            let here = Arc::clone(&self.road);
            thread::spawn(move || here.take(listener));
        }
    }

    /// How many connections were let in so far.
    pub fn connections(&self) -> usize {
        self.road.state.lock().unwrap().let_in
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.becomes(Mode::Refuse);
    }
}

/// What the threads of a proxy share.
struct Road {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    listens: bool,
    let_in: usize,
    /// Both ends of each connection.
    standing: Vec<TcpStream>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            mode: Mode::Pass,
            listens: true,
            let_in: 0,
            standing: Vec::new(),
        }
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.standing.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Road {
    /// Lets clients in until nobody is let in any more.
    fn take(self: &Arc<Self>, listener: TcpListener) {
        for client in listener.incoming() {
            match self.mode() {
                Mode::Refuse => break,
                Mode::Cut => {}
                Mode::Pass | Mode::Slow(_) | Mode::Stall | Mode::Garbage => {
                    if let Ok(client) = client {
                        self.join(&client);
                    }
                }
            }
        }
        drop(listener);
        self.change(|state| state.listens = false);
    }

    /// Joins a client to the server, a thread for each direction.
    fn join(self: &Arc<Self>, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else {
            return;
        };
        let ends = [client, &server].map(|stream| stream.try_clone().unwrap());
        let is_over = self.change(|state| {
            state.let_in += 1;
            state.standing.extend(ends);
            matches!(state.mode, Mode::Refuse | Mode::Cut)
        });
        if is_over {
            self.change(State::cut);
        }
        for (from, to, is_answer) in [(client, &server, false), (&server, client, true)] {
            let here = Arc::clone(self);
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let _ = to.set_nodelay(true);
            thread::spawn(move || here.carry(from, to, is_answer));
        }
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream, is_answer: bool) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            self.wait(|state| state.mode != Mode::Stall);
            let said = match self.mode() {
                Mode::Garbage if is_answer && count > 0 => GARBAGE,
                Mode::Slow(by) if is_answer => {
                    thread::sleep(by);
                    &buffer[..count]
                }
                _ => &buffer[..count],
            };
            if count == 0 || to.write_all(said).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    fn mode(&self) -> Mode {
        self.state.lock().unwrap().mode
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        changed
    }

    /// Waits for as long as it takes: who ends the test changes the state last.
    fn wait(&self, is_so: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| !is_so(state))
                .unwrap(),
        );
    }
}
