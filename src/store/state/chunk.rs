//! A state file as a head and chunks, each of which is sealed or at least checked. Knows nothing of what is in them.
//!
//! ```text
//! head    "wxgate-sessions\n"   version, 2 bytes   how chunks are kept, 1   random id, 16   when it was begun, 8
//! chunk   length, 4             what is kept of the chunk
//! ```
//!
//! Numbers are little-endian. A chunk is bound to the head and to its place, so that none can be changed, left out, moved
//! or taken from another file: sealed, it is AES-256-GCM that holds it there; checked, the first half of a SHA-256, which
//! finds damage but nobody who means it.

use std::io::{self, Read, Write};

use ring::digest;

use super::super::sealing::{OpenError, SealError, Sealing};
use crate::domain::clock::Timestamp;

/// What every state file begins with.
const MAGIC: &[u8; 16] = b"wxgate-sessions\n";
/// The version that this is. What was new in it: 2, sessions that made way.
const VERSION: u16 = 2;
/// The first version, and the oldest that is read.
const FIRST_VERSION: u16 = 1;
/// How chunks are kept.
const CHECKED: u8 = 0;
const SEALED: u8 = 1;
/// The bytes of a head.
const HEAD_LEN: usize = 43;
/// The bytes of a check.
const CHECK_LEN: usize = 16;
/// How large a chunk is as a rule.
pub(super) const USUAL: usize = 256 << 10;
/// The largest chunk that is read.
const LARGEST: usize = 4 << 20;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it is no state file of wxgate")]
    Foreign,
    #[error(
        "it is of version {0}, and this wxgate reads versions {FIRST_VERSION} to {VERSION}; start the one that wrote it"
    )]
    Version(u16),
    #[error(
        "it is encrypted, and [sessions] has no `encryption_keys`; add the key that it was written with"
    )]
    Sealed,
    #[error(
        "it is not encrypted, but [sessions] has `encryption_keys`, so anybody may have written it"
    )]
    Clear,
    #[error(
        "it is encrypted with a key that `encryption_keys` of [sessions] does not have; add that key behind the first one"
    )]
    UnknownKey,
    #[error("it is damaged in chunk {0}")]
    Damaged(u64),
    #[error("it is cut off after {0} chunks")]
    CutOff(u64),
    #[error("it has not all that it should have")]
    Incomplete,
    #[error("there is more behind its end")]
    TooMuch,
}

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Seal(#[from] SealError),
}

/// What all chunks of a file are bound to, and the place of the next one.
struct Binding {
    head: [u8; HEAD_LEN],
    place: u64,
}

impl Binding {
    /// The text that the next chunk is bound to.
    fn next(&mut self) -> [u8; HEAD_LEN + 8] {
        let place = self.place.to_le_bytes();
        self.place += 1;
        let mut both = self.head.into_iter().chain(place);
        std::array::from_fn(|_| both.next().unwrap_or_default())
    }
}

/// Writes a state file, chunk by chunk.
pub(super) struct Writer<'a, W> {
    out: W,
    sealing: Option<&'a Sealing>,
    binding: Binding,
    /// The chunk that is being written, as it is kept.
    kept: Vec<u8>,
}

impl<'a, W: Write> Writer<'a, W> {
    /// Begins a file at `now`.
    pub(super) fn begin(
        mut out: W,
        sealing: Option<&'a Sealing>,
        now: Timestamp,
    ) -> Result<Self, WriteError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(SealError::NoEntropy)?;
        let mut head = [0; HEAD_LEN];
        let way = if sealing.is_some() { SEALED } else { CHECKED };
        let parts = MAGIC.iter().copied().chain(VERSION.to_le_bytes());
        let parts = parts.chain([way]).chain(id);
        let parts = parts.chain(now.as_millis().to_le_bytes());
        for (place, byte) in head.iter_mut().zip(parts) {
            *place = byte;
        }
        out.write_all(&head)?;
        Ok(Self {
            out,
            sealing,
            binding: Binding { head, place: 0 },
            kept: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<(), WriteError> {
        let bound_to = self.binding.next();
        self.kept.clear();
        self.kept.extend_from_slice(&[0; 4]);
        if let Some(sealing) = self.sealing {
            sealing.seal(&bound_to, chunk, &mut self.kept)?;
        } else {
            self.kept.extend_from_slice(chunk);
            self.kept.extend_from_slice(&check(&bound_to, chunk));
        }
        let length = u32::try_from(self.kept.len() - 4).unwrap_or(u32::MAX);
        if let Some(place) = self.kept.first_chunk_mut() {
            *place = length.to_le_bytes();
        }
        Ok(self.out.write_all(&self.kept)?)
    }

    /// What it was written to.
    pub(super) fn finish(self) -> W {
        self.out
    }
}

/// Reads a state file, chunk by chunk.
pub(super) struct Reader<'a, R> {
    input: R,
    sealing: Option<&'a Sealing>,
    binding: Binding,
}

impl<'a, R: Read> Reader<'a, R> {
    /// Reads the head, and when the file was begun.
    pub(super) fn begin(
        mut input: R,
        sealing: Option<&'a Sealing>,
    ) -> Result<(Self, Timestamp), ReadError> {
        let mut head = [0; HEAD_LEN];
        input.read_exact(&mut head).map_err(|error| match error {
            short if short.kind() == io::ErrorKind::UnexpectedEof => ReadError::Foreign,
            other => ReadError::Io(other),
        })?;
        let (way, begun) = read_head(&head)?;
        match (way, sealing) {
            (CHECKED, None) | (SEALED, Some(_)) => {}
            (CHECKED, Some(_)) => return Err(ReadError::Clear),
            (SEALED, None) => return Err(ReadError::Sealed),
            _ => return Err(ReadError::Foreign),
        }
        let binding = Binding { head, place: 0 };
        let reader = Self {
            input,
            sealing,
            binding,
        };
        Ok((reader, begun))
    }

    /// The next chunk, as it was before it was kept.
    pub(super) fn next(&mut self) -> Result<Vec<u8>, ReadError> {
        let number = self.binding.place + 1;
        let mut length = [0; 4];
        self.fill(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LARGEST {
            return Err(ReadError::Damaged(number));
        }
        let mut kept = vec![0; length];
        self.fill(&mut kept)?;
        let bound_to = self.binding.next();
        let Some(sealing) = self.sealing else {
            return checked(&bound_to, kept).ok_or(ReadError::Damaged(number));
        };
        let opened = sealing.open(&bound_to, &mut kept);
        opened.map(<[u8]>::to_vec).map_err(|error| match error {
            OpenError::UnknownKey if number == 1 => ReadError::UnknownKey,
            OpenError::UnknownKey | OpenError::Broken => ReadError::Damaged(number),
        })
    }

    /// Nothing may follow.
    pub(super) fn end(mut self) -> Result<(), ReadError> {
        match self.input.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(ReadError::TooMuch),
        }
    }

    fn fill(&mut self, place: &mut [u8]) -> Result<(), ReadError> {
        let read = self.input.read_exact(place);
        read.map_err(|error| match error {
            short if short.kind() == io::ErrorKind::UnexpectedEof => {
                ReadError::CutOff(self.binding.place)
            }
            other => ReadError::Io(other),
        })
    }
}

/// How chunks are kept, and when the file was begun.
fn read_head(head: &[u8; HEAD_LEN]) -> Result<(u8, Timestamp), ReadError> {
    let rest = head.strip_prefix(MAGIC).ok_or(ReadError::Foreign)?;
    let (version, rest) = rest.split_first_chunk().ok_or(ReadError::Foreign)?;
    let version = u16::from_le_bytes(*version);
    if !(FIRST_VERSION..=VERSION).contains(&version) {
        return Err(ReadError::Version(version));
    }
    let way = rest.first().copied().ok_or(ReadError::Foreign)?;
    let begun = rest.last_chunk().copied().ok_or(ReadError::Foreign)?;
    Ok((way, Timestamp::from_millis(u64::from_le_bytes(begun))))
}

fn check(bound_to: &[u8], chunk: &[u8]) -> [u8; CHECK_LEN] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(bound_to);
    context.update(chunk);
    let digest = context.finish();
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// A chunk without the check behind it, if it is the right one.
fn checked(bound_to: &[u8], mut kept: Vec<u8>) -> Option<Vec<u8>> {
    let length = kept.len().checked_sub(CHECK_LEN)?;
    let (chunk, found) = kept.split_at_checked(length)?;
    if found != check(bound_to, chunk) {
        return None;
    }
    kept.truncate(length);
    Some(kept)
}
