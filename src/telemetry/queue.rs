//! Lines on their way to the output. A worker puts a line into a bounded queue and wakes nobody: a thread of the log's own
//! looks into it now and then. Knows nothing of levels and forms.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, Thread};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use tracing_subscriber::fmt::MakeWriter;

/// How often the thread looks: to wake it for each line would cost a worker a system call a request.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the last lines may take where nobody reads them.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Where lines are put.
#[derive(Clone)]
pub(super) struct Lines(Arc<Waiting>);

struct Waiting {
    lines: ArrayQueue<Vec<u8>>,
    dropped: AtomicU64,
    is_ending: AtomicBool,
}

/// The thread that writes; what waits is written when this is dropped.
pub(super) struct Writing {
    lines: Lines,
    thread: Thread,
    ended: Receiver<()>,
}

/// Starts a thread that writes lines to `sink`, of which `most` may wait; those beyond are dropped and counted.
///
/// # Errors
///
/// The system gives no thread.
pub(super) fn start(
    sink: impl Write + Send + 'static,
    most: usize,
) -> io::Result<(Lines, Writing)> {
    let lines = Lines(Arc::new(Waiting {
        lines: ArrayQueue::new(most),
        dropped: AtomicU64::new(0),
        is_ending: AtomicBool::new(false),
    }));
    let (end, ended) = mpsc::channel();
    let waiting = Arc::clone(&lines.0);
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || {
            waiting.write_all(sink);
            // Whoever waited for the end may have given up.
            let _ = end.send(());
        })?;
    let thread = thread.thread().clone();
    Ok((
        lines.clone(),
        Writing {
            lines,
            thread,
            ended,
        },
    ))
}

impl Lines {
    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Waiting {
    fn push(&self, line: &[u8]) {
        if self.lines.push(line.to_vec()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write_all(&self, mut sink: impl Write) {
        loop {
            // Seen before the last look, so that no line put in before the end is left.
            let is_last = self.is_ending.load(Ordering::Acquire);
            let mut is_any = false;
            while let Some(line) = self.lines.pop() {
                is_any = true;
                // There is nowhere left to say that the log cannot be written.
                let _ = sink.write_all(&line);
            }
            if is_any {
                let _ = sink.flush();
            }
            if is_last {
                return;
            }
            thread::park_timeout(LOOK_EVERY);
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.lines.0.is_ending.store(true, Ordering::Release);
        self.thread.unpark();
        let _ = self.ended.recv_timeout(LAST_LINES);
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").finish_non_exhaustive()
    }
}

/// Writes one line, whole, into the queue.
pub(super) struct OneLine<'a>(&'a Waiting);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = OneLine<'a>;

    fn make_writer(&'a self) -> OneLine<'a> {
        OneLine(&self.0)
    }
}

impl Write for OneLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    /// Announces each write, and waits to be let go on.
    struct Gate(Sender<Vec<u8>>, Receiver<()>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            self.1.recv().map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_find_no_room_are_dropped_and_counted() {
        let (announce, announced) = channel();
        let (let_go, gone) = channel();
        let (lines, writing) = start(Gate(announce, gone), 2).unwrap();
        let write = |line: &[u8]| lines.make_writer().write_all(line).unwrap();
        write(b"1");
        assert_eq!(announced.recv().unwrap(), b"1");
        for line in [b"2", b"3", b"4", b"5"] {
            write(line);
        }
        assert_eq!(lines.dropped(), 2);
        for _ in 0..3 {
            let_go.send(()).unwrap();
        }
        drop(writing);
        assert_eq!(announced.recv().unwrap(), b"2");
        assert_eq!(announced.recv().unwrap(), b"3");
        assert!(announced.recv().is_err(), "a dropped line was written");
    }

    #[test]
    fn what_waits_is_written_before_the_end() {
        let (announce, announced) = channel();
        let (let_go, gone) = channel();
        let (lines, writing) = start(Gate(announce, gone), 8).unwrap();
        for line in [b"1", b"2", b"3"] {
            lines.make_writer().write_all(line).unwrap();
            let_go.send(()).unwrap();
        }
        drop(writing);
        let written: Vec<_> = announced.iter().flatten().collect();
        assert_eq!(written, b"123");
    }
}
