//! A key that seals what is written down. Knows nothing of what that is, nor how it is sealed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// The bytes of a key.
const LEN: usize = 32;

/// A key of 256 bits. It masks itself in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey([u8; LEN]);

/// A text that is no key; the text itself is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no key of 32 bytes in base64 or hexadecimal digits; `openssl rand -base64 32` makes one"
)]
pub struct NoEncryptionKey;

impl EncryptionKey {
    /// Reads a key as operators write it: 64 hexadecimal digits, or base64 of either alphabet.
    ///
    /// # Errors
    ///
    /// `text` is neither, or not 32 bytes.
    pub fn parse(text: &str) -> Result<Self, NoEncryptionKey> {
        let bytes = of_hex(text).or_else(|| of_base64(text));
        let bytes = bytes.ok_or(NoEncryptionKey)?;
        bytes.try_into().map(Self).map_err(|_| NoEncryptionKey)
    }

    /// The key itself, for the one who seals and opens.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(***)")
    }
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != LEN * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

fn of_base64(text: &str) -> Option<Vec<u8>> {
    let alphabets = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
    alphabets.iter().find_map(|base64| base64.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_hexadecimal_digits_and_from_base64_of_either_alphabet() {
        let hex = "fb".repeat(32);
        let expected = EncryptionKey([0xfb; 32]);
        let standard = STANDARD.encode([0xfb; 32]);
        let safe = URL_SAFE.encode([0xfb; 32]);
        assert_ne!(standard, safe);
        let bare = standard.trim_end_matches('=');
        let upper = hex.to_uppercase();
        for text in [&hex, &upper, &standard, &safe, bare] {
            assert_eq!(EncryptionKey::parse(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn what_has_not_32_bytes_is_no_key_and_is_not_told() {
        let short = STANDARD.encode([1; 31]);
        let long = "ab".repeat(33);
        for text in ["", "hunter2", &short, &long, &"zz".repeat(32)] {
            let error = EncryptionKey::parse(text).unwrap_err();
            assert_eq!(error, NoEncryptionKey, "{text}");
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }

    #[test]
    fn a_key_does_not_show_in_debug_output() {
        let key = EncryptionKey([7; 32]);
        assert_eq!(format!("{key:?}"), "EncryptionKey(***)");
    }
}
