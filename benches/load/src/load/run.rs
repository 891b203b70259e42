//! A run: which request goes out when, on which connection. Knows nothing of bytes.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::connection::{Answer, Connection};
use super::plan::{Pace, Plan};
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
        let place = run.add(key)?;
        run.ask(place, Instant::now())?;
        run.wait_for_all_but(0)?;
    }
    if ask_again {
        for _ in 0..plan.connections {
            if let Some(place) = run.idle.pop_front() {
                run.ask(place, Instant::now())?;
            }
            run.wait_for_all_but(AT_A_TIME)?;
        }
        run.wait_for_all_but(0)?;
    }
    for connection in run
        .slots
        .iter_mut()
        .filter_map(|slot| slot.connection.as_mut())
    {
        connection.rest();
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
    answers: Vec<Answer>,
    slots: Vec<Slot>,
    /// Where no request is under way, the place that was free longest first.
    idle: VecDeque<Place>,
    /// The instants of requests that wait for a place.
    due: VecDeque<Instant>,
    /// The next instant of an open loop.
    next: Instant,
    counts: Counts,
}

/// Room for one request at a time.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Of the connection.
    key: usize,
    stream: usize,
}

struct Slot {
    /// None before the first request of one that is opened anew for each.
    connection: Option<Connection>,
    /// The intended instants of its requests, by their streams.
    asked: Vec<Instant>,
}

impl<'p> Run<'p> {
    fn new(plan: &'p Plan, requests: Requests) -> io::Result<Self> {
        let mut run = Self {
            plan,
            requests,
            poller: Poller::new()?,
            ready: Vec::new(),
            answers: Vec::new(),
            slots: Vec::new(),
            idle: VecDeque::new(),
            due: VecDeque::new(),
            next: Instant::now(),
            counts: Counts::new(),
        };
        for key in 0..plan.connections {
            run.add(key)?;
        }
        let keys = || 0..plan.connections;
        let places =
            (0..plan.streams()).flat_map(|stream| keys().map(move |key| Place { key, stream }));
        run.idle = places.collect();
        if plan.anew {
            // All at once at first, so that each finds a ticket from then on: a resumed handshake may bring no more than
            // it took.
            run.due.extend(run.idle.iter().map(|_| run.next));
        }
        run.next = Instant::now();
        Ok(run)
    }

    /// Adds the next slot; its first place.
    fn add(&mut self, key: usize) -> io::Result<Place> {
        let connection = if self.plan.anew {
            None
        } else {
            Some(self.open(key)?)
        };
        self.slots.push(Slot {
            connection,
            asked: vec![self.next; self.plan.streams()],
        });
        Ok(Place { key, stream: 0 })
    }

    fn open(&self, key: usize) -> io::Result<Connection> {
        let stream = Stream::open(self.plan.target, self.plan.tls.as_ref(), &self.poller, key)?;
        Connection::open(stream, self.plan.protocol)
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
                Pace::Closed => self.ask_all(now)?,
                Pace::Open(every) => self.ask_due(now, every)?,
            };
            self.work(Some(sleep.min(end - now)))?;
        }
    }

    /// Has every idle place ask; says how long there is nothing else to do.
    fn ask_all(&mut self, now: Instant) -> io::Result<Duration> {
        while let Some(place) = self.idle.pop_front() {
            if !self.ask(place, now)? {
                break;
            }
        }
        Ok(LONGEST_SLEEP)
    }

    /// Has idle places ask what is due; says how long there is nothing else to do.
    fn ask_due(&mut self, now: Instant, every: Duration) -> io::Result<Duration> {
        while self.next <= now {
            self.due.push_back(self.next);
            self.next += every;
        }
        while !self.due.is_empty()
            && let Some(place) = self.idle.pop_front()
            && let Some(due) = self.due.pop_front()
        {
            if !self.ask(place, due)? {
                break;
            }
        }
        Ok(self
            .next
            .saturating_duration_since(Instant::now())
            .min(LONGEST_SLEEP))
    }

    /// Has a place ask; false if there is nothing left to ask for.
    fn ask(&mut self, place: Place, due: Instant) -> io::Result<bool> {
        let Some(number) = self.requests.take() else {
            self.idle.push_front(place);
            return Ok(false);
        };
        let opened = match self.slots.get(place.key) {
            Some(Slot {
                connection: None, ..
            }) => Some(self.open(place.key)?),
            _ => None,
        };
        let Some(slot) = self.slots.get_mut(place.key) else {
            return Ok(true);
        };
        if opened.is_some() {
            slot.connection = opened;
        }
        if let Some(asked) = slot.asked.get_mut(place.stream) {
            *asked = due;
        }
        let Some(connection) = &mut slot.connection else {
            return Ok(true);
        };
        let asked = connection.ask(place.stream, number, &self.requests);
        if asked.is_err() {
            let mut lost = connection.under_way();
            lost.retain(|stream| *stream != place.stream);
            lost.push(place.stream);
            self.lose(place.key, &lost);
        }
        Ok(true)
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
        let Some(Slot {
            connection: Some(connection),
            ..
        }) = self.slots.get_mut(key)
        else {
            return Ok(());
        };
        let mut answers = std::mem::take(&mut self.answers);
        let worked = connection.work(is_closing, &self.requests, &mut answers);
        for answer in answers.drain(..) {
            self.answered(key, answer)?;
        }
        self.answers = answers;
        if worked.is_err() {
            self.broken(key)?;
        }
        Ok(())
    }

    fn answered(&mut self, key: usize, answer: Answer) -> io::Result<()> {
        let Some(slot) = self.slots.get_mut(key) else {
            return Ok(());
        };
        let asked = slot.asked.get(answer.stream);
        let took = asked.map(Instant::elapsed).unwrap_or_default();
        self.counts.answer(answer.status, answer.body_bytes, took);
        if let Some(terms) = slot.connection.as_ref().and_then(Connection::terms) {
            self.counts.agreed(terms);
        }
        if self.plan.anew {
            if let Some(connection) = slot.connection.take() {
                connection.close();
            }
        } else if answer.closes {
            self.reopen(key)?;
        }
        self.idle.push_back(Place {
            key,
            stream: answer.stream,
        });
        Ok(())
    }

    /// Opens a connection in place of one that has ended, and counts its requests as lost.
    fn broken(&mut self, key: usize) -> io::Result<()> {
        let connection = self
            .slots
            .get(key)
            .and_then(|slot| slot.connection.as_ref());
        let under_way = connection.map(Connection::under_way).unwrap_or_default();
        // Between two requests the other side may close as it likes.
        if under_way.is_empty() && !self.plan.anew {
            return self.reopen(key);
        }
        self.lose(key, &under_way);
        Ok(())
    }

    fn reopen(&mut self, key: usize) -> io::Result<()> {
        self.counts.reopened();
        let connection = self.open(key)?;
        if let Some(slot) = self.slots.get_mut(key) {
            slot.connection = Some(connection);
        }
        Ok(())
    }

    /// Counts the requests of these streams as lost; where no new connection can be had, their places stay out of use.
    fn lose(&mut self, key: usize, streams: &[usize]) {
        for _ in streams {
            self.counts.error();
        }
        let opened = if self.plan.anew {
            Ok(None)
        } else {
            self.open(key).map(Some)
        };
        if let (Ok(connection), Some(slot)) = (opened, self.slots.get_mut(key)) {
            slot.connection = connection;
            let places = streams.iter().map(|&stream| Place { key, stream });
            self.idle.extend(places);
        }
    }
}
