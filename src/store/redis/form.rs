//! What a value in Redis looks like: whether it is sealed, or a mark of what was ended. Knows nothing of what it says.
//!
//! Its first byte tells: 1 for a plain text behind it, 2 for a sealed one, 3 for a mark. Behind that are a byte that says why
//! there is one, and the time until which that is told: milliseconds, in eight bytes, the least first.

use crate::domain::clock::Timestamp;
use crate::domain::encryption_key::EncryptionKey;
use crate::store::Gone;
use crate::store::sealing::{OpenError, SealError, Sealing};

const PLAIN: u8 = 1;
const SEALED: u8 = 2;
const MARK: u8 = 3;
/// Why there is a mark.
const REVOKED: u8 = b'X';
const REPLACED: u8 = b'R';

/// How values are written and read.
#[derive(Debug)]
pub(super) struct Form(Option<Sealing>);

/// What a value says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A text.
    Text(Vec<u8>),
    /// That something was ended, and until when that is told.
    Mark(Gone, Timestamp),
}

/// Why a value says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// None of the keys sealed it, or it is not sealed although there are keys.
    Foreign,
    /// It is not what was written, or not where it belongs.
    Broken,
}

/// The mark of what was ended, which is told until some time.
pub(super) fn mark(gone: Gone, until: Timestamp) -> Vec<u8> {
    let why = match gone {
        Gone::Unknown => REVOKED,
        Gone::Replaced => REPLACED,
    };
    [&[MARK, why][..], &until.as_millis().to_le_bytes()].concat()
}

impl Form {
    /// Seals with the first of `keys`, if there are any.
    pub(super) fn new(keys: &[EncryptionKey]) -> Self {
        Self(Sealing::new(keys))
    }

    /// The value that says `text`, and only under this name.
    pub(super) fn write(&self, name: &str, text: &[u8]) -> Result<Vec<u8>, SealError> {
        let Some(sealing) = &self.0 else {
            return Ok([&[PLAIN], text].concat());
        };
        let mut value = vec![SEALED];
        sealing.seal(name.as_bytes(), text, &mut value)?;
        Ok(value)
    }

    /// What the value under this name says.
    pub(super) fn read(&self, name: &str, mut value: Vec<u8>) -> Result<Value, Unread> {
        let (kind, text) = value.split_first_mut().ok_or(Unread::Broken)?;
        match (*kind, &self.0) {
            (PLAIN, None) => Ok(Value::Text(text.to_vec())),
            (PLAIN, Some(_)) | (SEALED, None) => Err(Unread::Foreign),
            (SEALED, Some(sealing)) => match sealing.open(name.as_bytes(), text) {
                Ok(text) => Ok(Value::Text(text.to_vec())),
                Err(OpenError::UnknownKey) => Err(Unread::Foreign),
                Err(OpenError::Broken) => Err(Unread::Broken),
            },
            (MARK, _) => {
                let (why, until) = text.split_first_mut().ok_or(Unread::Broken)?;
                let until = (&*until).try_into().map_err(|_| Unread::Broken)?;
                let until = Timestamp::from_millis(u64::from_le_bytes(until));
                match *why {
                    REVOKED => Ok(Value::Mark(Gone::Unknown, until)),
                    REPLACED => Ok(Value::Mark(Gone::Replaced, until)),
                    _ => Err(Unread::Broken),
                }
            }
            _ => Err(Unread::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(keys: &[u8]) -> Form {
        let key = |byte: &u8| EncryptionKey::parse(&format!("{byte:02x}").repeat(32)).unwrap();
        Form::new(&keys.iter().map(key).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_of_these_keys_is_foreign() {
        let plain = form(&[]).write("n", b"text").unwrap();
        let sealed = form(&[1]).write("n", b"text").unwrap();
        let text = Ok(Value::Text(b"text".to_vec()));
        assert_eq!(form(&[]).read("n", plain.clone()), text);
        assert_eq!(form(&[2, 1]).read("n", sealed.clone()), text);
        assert_eq!(form(&[1]).read("n", plain), Err(Unread::Foreign));
        assert_eq!(form(&[2]).read("n", sealed.clone()), Err(Unread::Foreign));
        assert_eq!(form(&[]).read("n", sealed.clone()), Err(Unread::Foreign));
        assert!(!sealed.windows(4).any(|part| part == b"text"));
    }

    #[test]
    fn what_is_sealed_for_one_name_is_broken_under_another() {
        let sealed = form(&[1]).write("here", b"text").unwrap();
        assert_eq!(form(&[1]).read("there", sealed), Err(Unread::Broken));
    }

    #[test]
    fn a_mark_says_why() {
        for gone in [Gone::Unknown, Gone::Replaced] {
            for keys in [&[][..], &[1]] {
                let until = Timestamp::from_millis(1_767_225_600_000);
                let said = form(keys).read("n", mark(gone, until));
                assert_eq!(said, Ok(Value::Mark(gone, until)));
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_what_is_not_is_no_text(
            text: Vec<u8>, keys in prop::sample::select(vec![vec![], vec![1u8]]), garbage: Vec<u8>,
        ) {
            let form = form(&keys);
            let value = form.write("n", &text).unwrap();
            prop_assert_eq!(form.read("n", value), Ok(Value::Text(text)));
            if let Ok(Value::Text(_)) = form.read("n", garbage.clone()) {
                prop_assert!(keys.is_empty() && garbage[0] == PLAIN);
            }
        }
    }
}
