//! Requests of users with sessions, all the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::harness::{Ask, LONGEST, Line, World};

const THREADS: usize = 2;
/// Between two requests of a thread.
const PAUSE: Duration = Duration::from_millis(2);

/// Requests that go on until this is told to stop.
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// How often each answer came: its status, and its code if it is a refusal.
    answers: Mutex<BTreeMap<String, usize>>,
    changed: Condvar,
}

impl Load {
    /// Asks a gateway as all these users in turn.
    pub(super) fn start(world: &World, skeys: &[String]) -> Self {
        let shared = Arc::<Shared>::default();
        let address = world.address();
        let thread = |first| {
            let (shared, skeys) = (Arc::clone(&shared), skeys.to_vec());
            thread::spawn(move || {
                let mut line = Line::to(address);
                for skey in skeys.iter().cycle().skip(first).step_by(THREADS) {
                    if shared.is_over.load(Ordering::Relaxed) {
                        return;
                    }
                    let answer = line.ask(&Ask::get("/mine").skey(skey));
                    let mut came = answer.status.to_string();
                    if answer.status != 200 {
                        let code = answer.json()["error"].as_str().unwrap_or("?").to_owned();
                        came = format!("{came} {code}");
                    }
                    *shared.answers.lock().unwrap().entry(came).or_default() += 1;
                    shared.changed.notify_all();
                    thread::sleep(PAUSE);
                }
            })
        };
        let threads = (0..THREADS).map(thread).collect();
        Self { shared, threads }
    }

    /// Waits for so many answers more.
    pub(super) fn await_more(&self, count: usize) {
        let answers = self.shared.answers.lock().unwrap();
        let goal = answers.values().sum::<usize>() + count;
        let waited = self
            .shared
            .changed
            .wait_timeout_while(answers, LONGEST, |answers| {
                answers.values().sum::<usize>() < goal
            });
        assert!(!waited.unwrap().1.timed_out(), "nothing is answered");
    }

    /// Stops it, and holds that each answer was one of a backend, or that the store cannot be asked. Gives how many
    /// were of either kind.
    #[track_caller]
    pub(super) fn stop(self) -> (usize, usize) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let mut answers = self.shared.answers.lock().unwrap().clone();
        let good = answers.remove("200").unwrap_or_default();
        let refused = answers.remove("503 overloaded").unwrap_or_default();
        assert_eq!(answers, BTreeMap::new());
        (good, refused)
    }
}
