//! Where a state file is: written beside itself and put in place whole, put aside if it is of no use, and kept by one
//! process at a time. Knows nothing of what is in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::domain::clock::Timestamp;

/// Only who wrote it may read it.
const MODE: u32 = 0o600;
/// The longest name of a process that is believed.
const LONGEST_NAME: u64 = 32;

/// The places around one state file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: PathBuf,
}

/// Another process keeps its sessions in the same file.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state file {file} belongs to {owner}, which runs; give each wxgate a `state` of its own in [sessions], or stop the other one"
)]
pub struct InUse {
    file: String,
    owner: String,
}

/// Why the lock is not had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    #[error(transparent)]
    InUse(#[from] InUse),
    #[error("{file} cannot be locked: {error}")]
    Io {
        file: String,
        #[source]
        error: io::Error,
    },
}

impl Place {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Opens the file, if there is one.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        match File::open(&self.file) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps all other processes away for as long as what it gives is held.
    pub(super) fn lock(&self) -> Result<File, LockError> {
        let path = self.beside("lock");
        let failed = |error| LockError::Io {
            file: path.display().to_string(),
            error,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).mode(MODE);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {
                sign(&mut file).map_err(failed)?;
                Ok(file)
            }
            Err(TryLockError::WouldBlock) => Err(LockError::InUse(InUse {
                file: self.file.display().to_string(),
                owner: owner(file),
            })),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Puts what `write` writes in place of the file, once all of it is on the disk; before that, nothing of it.
    pub(super) fn replace<E: From<io::Error>>(
        &self,
        write: impl FnOnce(File) -> Result<File, E>,
    ) -> Result<(), E> {
        let new = self.beside("new");
        let written = self.write_new(&new, write);
        if written.is_err() {
            // What is there is of no use, and one that is not there needs no removing.
            let _ = fs::remove_file(&new);
        }
        written
    }

    fn write_new<E: From<io::Error>>(
        &self,
        new: &Path,
        write: impl FnOnce(File) -> Result<File, E>,
    ) -> Result<(), E> {
        // One that a process left behind that was killed; and never one that is elsewhere.
        match fs::remove_file(new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        let created = options.write(true).create_new(true).mode(MODE).open(new)?;
        let written = write(created)?;
        written.sync_all()?;
        fs::rename(new, &self.file)?;
        Ok(File::open(self.directory())?.sync_all()?)
    }

    /// Takes the file out of the way, to be looked at, and says where it is now.
    pub(super) fn put_aside(&self, now: Timestamp) -> io::Result<PathBuf> {
        let aside = self.beside(&format!("damaged-{}", now.as_millis()));
        fs::rename(&self.file, &aside)?;
        Ok(aside)
    }

    fn directory(&self) -> &Path {
        match self.file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

/// Writes down whose lock it is.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(format!("process {}\n", std::process::id()).as_bytes())
}

/// Whose lock it is.
fn owner(file: File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_NAME).read_to_string(&mut text);
    match (read, text.trim()) {
        (Ok(_), name) if name.starts_with("process ") => name.to_owned(),
        _ => "another process".to_owned(),
    }
}
