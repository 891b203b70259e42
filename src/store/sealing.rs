//! Sealing: what was sealed is read only with a key, only where it belongs, and not at all if a bit of it is another.
//! Knows nothing of what it seals.
//!
//! AES-256-GCM, under a key of its own for each thing that is sealed: HKDF-SHA256 derives it from the configured one
//! and 16 random bytes. So nothing ever sees a nonce twice, however much is sealed under one configured key.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};

use crate::domain::encryption_key::EncryptionKey;

/// The bytes that name the key.
const ID_LEN: usize = 4;
/// The random bytes from which a key of its own is derived.
const SALT_LEN: usize = 16;
/// What is derived is for this alone, and so is what names a key.
const PURPOSE: &[u8] = b"wxgate sealing 1";
const NAMING: &[u8] = b"wxgate sealing 1: the name of the key";

/// The keys: the first seals, and all of them open.
pub(super) struct Sealing(Vec<Key>);

struct Key {
    id: [u8; ID_LEN],
    key: EncryptionKey,
}

/// Why something cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(getrandom::Error),
    /// There is no key, or more text than the cipher takes.
    #[error("it cannot be encrypted")]
    Refused,
}

/// Why something sealed is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenError {
    /// None of the keys sealed it.
    UnknownKey,
    /// It is not what was sealed, or not where it belongs.
    Broken,
}

impl Sealing {
    /// Seals with the first of `keys`; none if there are none.
    pub(super) fn new(keys: &[EncryptionKey]) -> Option<Self> {
        let keys: Vec<_> = keys.iter().map(Key::new).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Seals `text` behind what `sealed` has already. It opens only with the same `bound_to`.
    pub(super) fn seal(
        &self,
        bound_to: &[u8],
        text: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let key = self.0.first().ok_or(SealError::Refused)?;
        let mut salt = [0; SALT_LEN];
        getrandom::fill(&mut salt).map_err(SealError::NoEntropy)?;
        let own = key.derive(&salt).ok_or(SealError::Refused)?;
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&salt);
        let start = sealed.len();
        sealed.extend_from_slice(text);
        let place = sealed.get_mut(start..).unwrap_or_default();
        let tag = own.seal_in_place_separate_tag(only_nonce(), Aad::from(bound_to), place);
        let tag = tag.map_err(|_| SealError::Refused)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what was sealed with one of the keys and the same `bound_to`, where it stands.
    pub(super) fn open<'a>(
        &self,
        bound_to: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], OpenError> {
        let (id, rest) = sealed
            .split_first_chunk_mut::<ID_LEN>()
            .ok_or(OpenError::Broken)?;
        let (salt, text) = rest
            .split_first_chunk_mut::<SALT_LEN>()
            .ok_or(OpenError::Broken)?;
        let key = self.0.iter().find(|key| key.id == *id);
        let key = key.ok_or(OpenError::UnknownKey)?;
        let own = key.derive(salt).ok_or(OpenError::Broken)?;
        let opened = own.open_in_place(only_nonce(), Aad::from(bound_to), text);
        opened.map(|text| &*text).map_err(|_| OpenError::Broken)
    }
}

impl Key {
    fn new(key: &EncryptionKey) -> Self {
        let named = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.reveal()), NAMING);
        let id = named.as_ref().first_chunk().copied();
        Self {
            // A tag has 32 bytes, so that there is no other case.
            id: id.unwrap_or_default(),
            key: key.clone(),
        }
    }

    fn derive(&self, salt: &[u8; SALT_LEN]) -> Option<LessSafeKey> {
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(self.key.reveal());
        let derived = extracted.expand(&[PURPOSE], &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

/// Each derived key seals one thing, and so needs one nonce.
fn only_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::parse(&format!("{byte:02x}").repeat(32)).unwrap()
    }

    fn sealing(bytes: &[u8]) -> Sealing {
        let keys: Vec<_> = bytes.iter().map(|byte| key(*byte)).collect();
        Sealing::new(&keys).unwrap()
    }

    fn sealed(by: &[u8], bound_to: &[u8], text: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        sealing(by).seal(bound_to, text, &mut sealed).unwrap();
        sealed
    }

    fn opened(by: &[u8], bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let mut sealed = sealed.to_vec();
        sealing(by).open(bound_to, &mut sealed).map(<[u8]>::to_vec)
    }

    #[test]
    fn without_a_key_there_is_no_sealing() {
        assert!(Sealing::new(&[]).is_none());
    }

    #[test]
    fn the_first_key_seals_and_all_of_them_open() {
        let old = sealed(&[1], b"here", b"text");
        assert_eq!(opened(&[2, 1], b"here", &old), Ok(b"text".to_vec()));
        let new = sealed(&[2, 1], b"here", b"text");
        assert_eq!(opened(&[2], b"here", &new), Ok(b"text".to_vec()));
        assert_eq!(opened(&[1], b"here", &new), Err(OpenError::UnknownKey));
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way_and_does_not_show() {
        let (one, other) = (
            sealed(&[1], b"", b"a secret"),
            sealed(&[1], b"", b"a secret"),
        );
        assert_ne!(one[4..], other[4..]);
        assert!(!one.windows(8).any(|part| part == b"a secret"));
    }

    #[test]
    fn what_was_sealed_for_one_place_is_not_opened_in_another() {
        let text = sealed(&[1], b"here", b"text");
        assert_eq!(opened(&[1], b"there", &text), Err(OpenError::Broken));
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", sealing(&[1])), "Sealing(***)");
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened_as_it_was_and_nothing_else_is(
            text: Vec<u8>, bound_to: Vec<u8>, place: prop::sample::Index, flip in 1u8.., cut: prop::sample::Index,
        ) {
            let good = sealed(&[1], &bound_to, &text);
            prop_assert_eq!(opened(&[1], &bound_to, &good), Ok(text));
            let mut bad = good.clone();
            bad[place.index(good.len())] ^= flip;
            prop_assert!(opened(&[1], &bound_to, &bad).is_err());
            prop_assert!(opened(&[1], &bound_to, &good[..cut.index(good.len())]).is_err());
        }
    }
}
