//! A run: which request goes out when, on which connection. Knows nothing of bytes.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::connection::{Answer, Connection};
use super::report::{Counts, Report};
use super::requests::Requests;
use super::stream::Stream;
use crate::poller::{Poller, Ready};
use crate::usage;

/// How long the loop sleeps at most, so that a window ends in time.
const LONGEST_SLEEP: Duration = Duration::from_millis(20);
/// How many connections ask at a time that are asked to do so once more.
const AT_A_TIME: usize = 32;
/// After so many errors a run is worth nothing and ends.
const MOST_ERRORS: u64 = 10_000;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the proxy listens.
    pub target: SocketAddr,
    /// With what TLS, if any.
    pub tls: Option<Arc<ClientConfig>>,
    /// How many connections there are.
    pub connections: usize,
    /// When requests go out.
    pub pace: Pace,
    /// How long it goes before the window opens.
    pub warm_up: Duration,
    /// How long the window is open.
    pub window: Duration,
    /// After so many answers in the window it closes early.
    pub most: u64,
}

/// When requests go out.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection asks again as soon as it is answered.
    Closed,
    /// One request each time this has passed, whatever the answers do.
    Open(Duration),
}

/// Runs `plan`; `opened` is called when the window opens.
///
/// # Errors
///
/// A connection cannot be opened.
pub fn run(
    plan: &Plan,
    requests: Requests,
    opened: impl FnOnce() -> io::Result<()>,
) -> io::Result<Report> {
    let mut run = Run::new(plan, requests)?;
    run.go_on_until(Instant::now() + plan.warm_up, u64::MAX)?;
    run.counts = Counts::new();
    opened()?;
    let (begun, cpu_before) = (Instant::now(), usage::own_cpu_time());
    run.go_on_until(begun + plan.window, plan.most)?;
    let cpu_ns = usage::own_cpu_time().saturating_sub(cpu_before);
    Ok(run.counts.report(begun.elapsed(), cpu_ns))
}

/// Opens the connections of `plan`, has each answer one request, once more in turn if it is to `ask_again`, and calls
/// `held` while they are all idle.
///
/// # Errors
///
/// A connection cannot be opened, or a request is not answered with success.
pub fn hold(
    plan: &Plan,
    requests: Requests,
    ask_again: bool,
    held: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let none_at_first = Plan {
        connections: 0,
        ..plan.clone()
    };
    let mut run = Run::new(&none_at_first, requests)?;
    for key in 0..plan.connections {
        run.slots.push(Slot {
            connection: run.open(key)?,
            asked: Instant::now(),
        });
        run.ask(key, Instant::now());
        run.wait_for_all_but(0)?;
    }
    if ask_again {
        for _ in 0..plan.connections {
            if let Some(key) = run.idle.pop_front() {
                run.ask(key, Instant::now());
            }
            run.wait_for_all_but(AT_A_TIME)?;
        }
        run.wait_for_all_but(0)?;
    }
    for slot in &mut run.slots {
        slot.connection.rest();
    }
    if run.counts.failed() > 0 {
        return Err(io::Error::other("a request failed"));
    }
    held()
}

/// A run under way.
struct Run<'p> {
    plan: &'p Plan,
    requests: Requests,
    poller: Poller,
    ready: Vec<Ready>,
    slots: Vec<Slot>,
    /// The connections without a request, the one that was free longest first.
    idle: VecDeque<usize>,
    /// The instants of requests that wait for a connection.
    due: VecDeque<Instant>,
    /// The next instant of an open loop.
    next: Instant,
    counts: Counts,
}

struct Slot {
    connection: Connection,
    /// The intended instant of its request.
    asked: Instant,
}

impl<'p> Run<'p> {
    fn new(plan: &'p Plan, requests: Requests) -> io::Result<Self> {
        let mut run = Self {
            plan,
            requests,
            poller: Poller::new()?,
            ready: Vec::new(),
            slots: Vec::new(),
            idle: (0..plan.connections).collect(),
            due: VecDeque::new(),
            next: Instant::now(),
            counts: Counts::new(),
        };
        for key in 0..plan.connections {
            let connection = run.open(key)?;
            run.slots.push(Slot {
                connection,
                asked: run.next,
            });
        }
        Ok(run)
    }

    fn open(&self, key: usize) -> io::Result<Connection> {
        let stream = Stream::open(self.plan.target, self.plan.tls.as_ref(), &self.poller, key)?;
        Ok(Connection::new(stream))
    }

    fn go_on_until(&mut self, end: Instant, most: u64) -> io::Result<()> {
        loop {
            let now = Instant::now();
            if now >= end || self.counts.answers() >= most {
                return Ok(());
            }
            if self.counts.errors() > MOST_ERRORS {
                return Err(io::Error::other("there are too many errors"));
            }
            let sleep = match self.plan.pace {
                Pace::Closed => self.ask_all(now),
                Pace::Open(every) => self.ask_due(now, every),
            };
            self.work(Some(sleep.min(end - now)))?;
        }
    }

    /// Has every idle connection ask; says how long there is nothing else to do.
    fn ask_all(&mut self, now: Instant) -> Duration {
        while let Some(key) = self.idle.pop_front() {
            if !self.ask(key, now) {
                break;
            }
        }
        LONGEST_SLEEP
    }

    /// Has idle connections ask what is due; says how long there is nothing else to do.
    fn ask_due(&mut self, now: Instant, every: Duration) -> Duration {
        while self.next <= now {
            self.due.push_back(self.next);
            self.next += every;
        }
        while !self.idle.is_empty()
            && let Some(due) = self.due.pop_front()
        {
            let key = self.idle.pop_front();
            if !key.is_some_and(|key| self.ask(key, due)) {
                break;
            }
        }
        self.next
            .saturating_duration_since(Instant::now())
            .min(LONGEST_SLEEP)
    }

    /// Has a connection ask; false if there is nothing left to ask for.
    fn ask(&mut self, key: usize, due: Instant) -> bool {
        let Some(slot) = self.slots.get_mut(key) else {
            return true;
        };
        let Some(number) = self.requests.take() else {
            self.idle.push_front(key);
            return false;
        };
        slot.asked = due;
        if slot.connection.ask(number, &self.requests).is_err() {
            self.fail(key);
        }
        true
    }

    /// Works until no more than so many requests are under way, or one has failed.
    fn wait_for_all_but(&mut self, under_way: usize) -> io::Result<()> {
        while self.slots.len() - self.idle.len() > under_way && self.counts.errors() == 0 {
            self.work(Some(LONGEST_SLEEP))?;
        }
        Ok(())
    }

    /// Waits for the sockets and works off what they have.
    fn work(&mut self, longest: Option<Duration>) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(longest, &mut ready)?;
        for &ready in &ready {
            self.advance(ready)?;
        }
        self.ready = ready;
        Ok(())
    }

    fn advance(&mut self, Ready { key, is_closing }: Ready) -> io::Result<()> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Ok(());
        };
        match slot.connection.work(is_closing, &self.requests) {
            Ok(None) => {}
            Ok(Some(answer)) => self.answered(key, answer)?,
            // Between two requests the other side may close as it likes.
            Err(_) if slot.connection.is_idle() => self.reopen(key)?,
            Err(_) => self.fail(key),
        }
        Ok(())
    }

    fn answered(&mut self, key: usize, answer: Answer) -> io::Result<()> {
        let Some(slot) = self.slots.get(key) else {
            return Ok(());
        };
        self.counts
            .answer(answer.status, answer.body_bytes, slot.asked.elapsed());
        if answer.closes {
            self.reopen(key)?;
        }
        self.idle.push_back(key);
        Ok(())
    }

    fn reopen(&mut self, key: usize) -> io::Result<()> {
        self.counts.reopened();
        let connection = self.open(key)?;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.connection = connection;
        }
        Ok(())
    }

    /// Counts a request as lost; where no new connection can be had, its slot stays out of use.
    fn fail(&mut self, key: usize) {
        self.counts.error();
        if let (Ok(connection), Some(slot)) = (self.open(key), self.slots.get_mut(key)) {
            slot.connection = connection;
            self.idle.push_back(key);
        }
    }
}
