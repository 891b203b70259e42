//! The bytes between the two ends of a WebSocket, in their order and in bounded room, until either is done or is to be told
//! farewell. Knows neither requests nor sessions.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};

use super::leave::{Ended, Leave, PARTING};
use crate::wire::websocket::Frames;

/// What is read at once, and so what is held of one direction at most, in bytes.
const SIP: usize = 16 * 1024;
/// How often one direction goes on before it is the other's turn.
const TURNS: usize = 16;
/// How long a server may go on after its client has said its last.
const HALF_OPEN: Duration = Duration::from_secs(5);

/// Both ends, and what is on its way between them.
pub(super) struct Relay<C, B> {
    client: C,
    backend: B,
    up: Flow,
    down: Flow,
    idle: Duration,
    /// When either end last said something.
    moved_at: Instant,
    /// When the client had said its last.
    half_since: Option<Instant>,
    /// Marked when the client says something.
    pub(super) heard: Rc<Cell<bool>>,
    /// Who said farewell first.
    parted: Option<Ended>,
    ended: Option<Ended>,
}

impl<C, B> Relay<C, B>
where
    C: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    /// Between these, which may both be silent for as long as `idle`.
    pub(super) fn new(client: C, backend: B, idle: Duration) -> Self {
        Self {
            client,
            backend,
            up: Flow::default(),
            down: Flow::default(),
            idle,
            moved_at: Instant::now(),
            half_since: None,
            heard: Rc::default(),
            parted: None,
            ended: None,
        }
    }

    /// Carries what they say until one of them is done, or until `leave` says why they must end.
    pub(super) async fn run(&mut self, leave: impl Future<Output = Leave>) {
        let mut leave = pin!(leave);
        let mut alarm = pin!(sleep_until(self.due()));
        let ended = poll_fn(|cx| {
            if let Poll::Ready(why) = leave.as_mut().poll(cx) {
                return Poll::Ready(Ended::Left(why));
            }
            if let Poll::Ready(ended) = self.poll_carry(cx) {
                return Poll::Ready(ended);
            }
            if self.due() < alarm.deadline() {
                alarm.as_mut().reset(self.due());
            }
            loop {
                ready!(alarm.as_mut().poll(cx));
                let due = self.due();
                if due <= Instant::now() {
                    let is_half = self.half_since.is_some();
                    let idle = Ended::Left(Leave::Idle);
                    return Poll::Ready(if is_half { Ended::Client } else { idle });
                }
                alarm.as_mut().reset(due);
            }
        })
        .await;
        self.ended = Some(ended);
        if let Ended::Left(why) = ended {
            self.part(why).await;
        }
    }

    /// Carries what goes now. Whose connection ends says less than who said farewell: it is the server's that ends first.
    fn poll_carry(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let ended = self.poll_both(cx);
        if self.parted.is_none() {
            let up = self.up.frames.has_ended().then_some(Ended::Client);
            self.parted = up.or(self.down.frames.has_ended().then_some(Ended::Backend));
        }
        let left = self.half_since.map(|_| Ended::Client);
        ended.map(|ended| match ended {
            Ended::Client | Ended::Backend => self.parted.or(left).unwrap_or(ended),
            Ended::Lost | Ended::Left(_) => ended,
        })
    }

    fn poll_both(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let down = self.down.poll(&mut self.backend, &mut self.client, cx);
        if let Poll::Ready(passed) = down {
            return Poll::Ready(passed.map_or(Ended::Lost, |()| Ended::Backend));
        }
        if self.half_since.is_none() {
            let up = self.up.poll(&mut self.client, &mut self.backend, cx);
            if self.up.has_moved {
                self.heard.set(true);
            }
            match up {
                Poll::Ready(Ok(())) => self.half_since = Some(Instant::now()),
                Poll::Ready(Err(Lost)) => return Poll::Ready(Ended::Lost),
                Poll::Pending => {}
            }
        }
        if self.half_since.is_some() {
            // What is wrong with it shows in the other direction.
            let _ = Pin::new(&mut self.backend).poll_shutdown(cx);
        }
        if self.up.take_moved() | self.down.take_moved() {
            self.moved_at = Instant::now();
        }
        Poll::Pending
    }

    /// Says farewell to both, each at the end of the frame that is on its way to it.
    async fn part(&mut self, why: Leave) {
        let farewell = why.farewell();
        // It masks what everybody may know.
        let mask = fastrand::u32(..).to_ne_bytes();
        self.up.part(farewell.to_backend(mask));
        self.down.part(farewell.to_client());
        // Whoever cannot be told is cut off all the same.
        let _ = timeout(why.patience(), poll_fn(|cx| self.poll_part(cx))).await;
        let _ = timeout(PARTING, poll_fn(|cx| self.poll_away(cx))).await;
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let down = self.down.poll(&mut self.backend, &mut self.client, cx);
        let up = self.up.poll(&mut self.client, &mut self.backend, cx);
        ready!(down.map(drop));
        up.map(drop)
    }

    /// Reads away what the backend still says: to close with that unread would take back what it was told.
    fn poll_away(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = Pin::new(&mut self.backend).poll_shutdown(cx);
        loop {
            let mut room = [MaybeUninit::uninit(); SIP];
            let mut buf = ReadBuf::uninit(&mut room);
            let read = ready!(Pin::new(&mut self.backend).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// When this has lasted long enough: nobody says anything, somebody takes nothing, or one side is gone.
    fn due(&self) -> Instant {
        let blocked = [self.up.blocked_since, self.down.blocked_since];
        let since = blocked.into_iter().flatten().fold(self.moved_at, Ord::min);
        let half = self.half_since.map(|since| since + HALF_OPEN);
        half.unwrap_or(since + self.idle).min(since + self.idle)
    }
}

impl<C, B> Relay<C, B> {
    /// The bytes that were said to the client.
    pub(super) fn sent(&self) -> u64 {
        self.down.passed
    }

    /// The bytes that the client said.
    pub(super) fn received(&self) -> u64 {
        self.up.passed
    }

    /// What it ended by, once it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether the client got whole frames to the end.
    pub(super) fn is_whole(&self) -> bool {
        let is_proper = self.ended.is_some_and(|ended| ended != Ended::Lost);
        is_proper && self.down.held.is_empty() && self.down.frames.is_between()
    }
}

/// One of the connections broke.
#[derive(Debug)]
struct Lost;

/// One direction.
#[derive(Default)]
struct Flow {
    frames: Frames,
    /// What was read and is not out yet.
    held: BytesMut,
    /// How many bytes were read.
    passed: u64,
    stage: Stage,
    has_moved: bool,
    /// Since when the other end takes nothing.
    blocked_since: Option<Instant>,
}

#[derive(Default)]
enum Stage {
    #[default]
    Open,
    /// Behind the frame that is on its way comes this one, and nothing else.
    Parting(Vec<u8>),
    /// Nothing more is read.
    Ending,
}

impl Flow {
    /// Carries what goes now; ready once nothing more comes and all is out.
    fn poll<F, T>(
        &mut self,
        from: &mut F,
        to: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Lost>>
    where
        F: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        for _ in 0..TURNS {
            ready!(self.poll_out(to, cx))?;
            if let Stage::Parting(farewell) = &mut self.stage
                && self.frames.is_between()
            {
                // Nothing may follow another farewell.
                if !self.frames.has_ended() {
                    self.held.extend_from_slice(farewell);
                }
                self.stage = Stage::Ending;
                continue;
            }
            if matches!(self.stage, Stage::Ending) {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_in(from, cx))?;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// From here on only the frame that has begun goes on, and then this one.
    fn part(&mut self, farewell: Vec<u8>) {
        if matches!(self.stage, Stage::Open) {
            self.stage = Stage::Parting(farewell);
        }
    }

    fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// Reads some of what comes.
    fn poll_in<F>(&mut self, from: &mut F, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>
    where
        F: AsyncRead + Unpin,
    {
        let mut room = [MaybeUninit::uninit(); SIP];
        let mut buf = ReadBuf::uninit(&mut room);
        ready!(Pin::new(from).poll_read(cx, &mut buf)).map_err(|_| Lost)?;
        let mut bytes = buf.filled();
        if bytes.is_empty() {
            self.stage = Stage::Ending;
            return Poll::Ready(Ok(()));
        }
        self.has_moved = true;
        if matches!(self.stage, Stage::Parting(_)) {
            let of_frame = self.frames.advance(bytes);
            bytes = bytes.get(..of_frame).unwrap_or_default();
        } else {
            self.frames.pass(bytes);
        }
        self.passed += u64::try_from(bytes.len()).unwrap_or_default();
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(()))
    }

    /// Writes all that is held, and keeps no room where nothing is.
    fn poll_out<T>(&mut self, to: &mut T, cx: &mut Context<'_>) -> Poll<Result<(), Lost>>
    where
        T: AsyncWrite + Unpin,
    {
        while !self.held.is_empty() {
            let written = Pin::new(&mut *to).poll_write(cx, &self.held);
            match self.unless_blocked(written) {
                Poll::Ready(Ok(count @ 1..)) => self.held.advance(count),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Lost)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.held = BytesMut::new();
        let flushed = Pin::new(to).poll_flush(cx);
        self.unless_blocked(flushed).map_err(|_| Lost)
    }

    /// Takes note of whether the other end takes something.
    fn unless_blocked<T>(&mut self, went: Poll<T>) -> Poll<T> {
        if went.is_ready() {
            self.blocked_since = None;
        } else {
            self.blocked_since.get_or_insert_with(Instant::now);
        }
        went
    }
}

#[cfg(test)]
mod tests;
