//! Sessions that outlast the process: written to a file now and then and at the end, and read back at the start. Knows
//! nothing of requests.
//!
//! `place` is where the file is, `chunk` how it holds together, `record` what it says; `save` and `load` carry it over.

pub(super) mod casting;
mod chunk;
mod load;
mod place;
pub(super) mod record;
mod save;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::memory::MemoryStore;
use super::sealing::Sealing;
use crate::config::plan::{SessionsPlan, StatePlan};
use crate::domain::clock::Clock;
use crate::domain::encryption_key::EncryptionKey;
use crate::domain::identity::App;
use crate::metrics::Metrics;

use chunk::{ReadError, WriteError};
use load::{Here, Loaded};
use place::{LockError, Place};
use record::{Preface, Totals};

pub use place::InUse;

/// What the sessions of a config are made of, so that those of another config can be told.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The apps, each at its index.
    pub apps: Vec<Arc<App>>,
    /// What a backend calls the claims, in the order of the config.
    pub claims: Vec<String>,
}

/// The state file of a store.
#[derive(Debug)]
pub struct State {
    place: Place,
    store: MemoryStore,
    cast: Cast,
    sealing: Option<Sealing>,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// The lock of the file, once it was had. Whoever saves holds this.
    lock: Mutex<Option<File>>,
    /// Why it was not written, the last time.
    trouble: Mutex<Option<String>>,
}

/// Why the sessions were not saved.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<std::io::Error> for SaveError {
    fn from(error: std::io::Error) -> Self {
        Self::Write(error.into())
    }
}

impl State {
    /// The file as `plan` has it, which is this process's from now on.
    ///
    /// # Errors
    ///
    /// Another process keeps its sessions there. That the file cannot be locked otherwise is told, and tried again
    /// whenever it is written.
    pub(super) fn take(
        plan: &StatePlan,
        keys: &[EncryptionKey],
        cast: Cast,
        store: MemoryStore,
        (clock, metrics): (Clock, Arc<Metrics>),
    ) -> Result<Self, InUse> {
        let place = Place::new(plan.file.clone());
        let (lock, trouble) = match place.lock() {
            Ok(lock) => (Some(lock), None),
            Err(LockError::InUse(in_use)) => return Err(in_use),
            Err(error @ LockError::Io { .. }) => (None, Some(error.to_string())),
        };
        let state = Self {
            place,
            store,
            cast,
            sealing: Sealing::new(keys),
            clock,
            metrics,
            lock: Mutex::new(lock),
            trouble: Mutex::default(),
        };
        if let Some(reason) = trouble {
            state.complain(reason);
        }
        Ok(state)
    }

    /// Reads back what was saved. A file that is of no use is put aside, and the store stays empty.
    pub fn read_back(&self) {
        let begun = self.clock.now();
        let file = self.place.file().display();
        match self.load() {
            Ok(None) => tracing::debug!(%file, "there is no state file yet"),
            Ok(Some(loaded)) => {
                let took = begun.until(self.clock.now());
                let saved_ago = loaded.saved_at.map(|saved_at| saved_at.until(begun));
                tracing::info!(
                    %file,
                    sessions = loaded.sessions,
                    users = loaded.users,
                    ended_meanwhile = loaded.ended,
                    of_apps_that_are_gone = loaded.of_other_apps,
                    saved_ago_s = saved_ago.unwrap_or_default().as_secs(),
                    took_ms = took.as_millis(),
                    "the sessions were read back"
                );
            }
            Err(error) => self.put_aside(&error),
        }
    }

    /// Writes all sessions, and tells whether that was done. What cannot be written is told, and changes nothing.
    pub fn save(&self) -> bool {
        let begun = self.clock.now();
        let saved = self.write();
        self.metrics
            .state_saved(saved.is_ok(), begun.as_millis() / 1000);
        match saved {
            Ok(totals) => {
                let took = begun.until(self.clock.now());
                let was_trouble = own(&self.trouble).take().is_some();
                let (sessions, took_ms) = (totals.sessions, took.as_millis());
                if was_trouble {
                    let file = self.place.file().display();
                    tracing::info!(%file, sessions, "the state file is written again");
                }
                tracing::debug!(
                    sessions,
                    users = totals.users,
                    took_ms,
                    "the sessions were saved"
                );
                true
            }
            Err(error) => {
                self.complain(error.to_string());
                false
            }
        }
    }

    /// Saves now and then, for as long as it is let.
    pub async fn save_every(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first is at once, with nothing to save.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            let state = Arc::clone(&self);
            // The task is not cancelled, and does not panic.
            let _ = tokio::task::spawn_blocking(move || state.save()).await;
        }
    }

    /// Whether the sessions could not be saved the last time.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        own(&self.trouble).is_some()
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.place.file()
    }

    fn load(&self) -> Result<Option<Loaded>, ReadError> {
        let Some(file) = self.place.open()? else {
            return Ok(None);
        };
        let here = Here {
            apps: &self.cast.apps,
            claims: &self.cast.claims,
            now: self.clock.now(),
        };
        load::load(&self.store, &here, self.sealing.as_ref(), file).map(Some)
    }

    fn write(&self) -> Result<Totals, SaveError> {
        let mut lock = own(&self.lock);
        if lock.is_none() {
            *lock = Some(self.place.lock()?);
        }
        let (sealing, now) = (self.sealing.as_ref(), self.clock.now());
        let mut written = Totals::default();
        self.place.replace(|file| {
            let saved = save::save(&self.store, &self.preface(), sealing, now, file)?;
            written = saved.1;
            Ok::<_, SaveError>(saved.0)
        })?;
        Ok(written)
    }

    fn preface(&self) -> Preface {
        let appid = |app: &Arc<App>| app.appid.as_str().to_owned();
        Preface {
            appids: self.cast.apps.iter().map(appid).collect(),
            claims: self.cast.claims.clone(),
        }
    }

    fn put_aside(&self, reason: &ReadError) {
        let file = self.place.file().display();
        match self.place.put_aside(self.clock.now()) {
            Ok(aside) => tracing::error!(
                %file, %reason, aside = %aside.display(),
                "the state file is of no use and was put aside: wxgate starts without sessions, and clients log in again. \
                 To have them back, stop wxgate, mend what the reason says, give the file its name back, and start"
            ),
            Err(error) => tracing::error!(
                %file, %reason, %error,
                "the state file is of no use and cannot be put aside: wxgate starts without sessions, and clients log in again"
            ),
        }
    }

    /// Says why the sessions are not saved, once for each reason.
    fn complain(&self, reason: String) {
        let mut trouble = own(&self.trouble);
        if trouble.as_ref() != Some(&reason) {
            let file = self.place.file().display();
            tracing::warn!(
                %file, %reason,
                "the sessions cannot be saved: a restart would end those since the last time; wxgate serves, and tries again"
            );
            *trouble = Some(reason);
        }
    }
}

fn own<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the state file that a store in memory has by its plan, if it has one.
pub(super) fn of_memory(
    store: &MemoryStore,
    plan: &SessionsPlan,
    cast: Cast,
    clock: &Clock,
    metrics: &Arc<Metrics>,
) -> Result<Option<State>, InUse> {
    let Some(state) = &plan.state else {
        return Ok(None);
    };
    let parts = (clock.clone(), Arc::clone(metrics));
    State::take(state, &plan.encryption_keys, cast, store.clone(), parts).map(Some)
}
