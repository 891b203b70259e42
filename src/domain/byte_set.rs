//! Sets of bytes, asked in one look: what hostile text is checked against, byte for byte. Knows no meaning.

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub struct ByteSet([bool; 256]);

impl ByteSet {
    /// The ASCII letters and digits.
    pub const ALPHANUMERIC: Self =
        Self::of(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    /// The letters, digits and signs of base64url.
    pub const BASE64URL: Self = Self::ALPHANUMERIC.and(b"-_");

    /// The set of these bytes.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        Self([false; 256]).and(bytes)
    }

    /// The same set with these bytes, too.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "done while compiling: a slip would be an error then"
    )]
    pub const fn and(mut self, mut bytes: &[u8]) -> Self {
        while let [first, rest @ ..] = bytes {
            self.0[*first as usize] = true;
            bytes = rest;
        }
        self
    }

    /// Whether `byte` is among them.
    #[must_use]
    pub fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }

    /// Whether all of `bytes` are among them.
    #[must_use]
    pub fn has_all(&self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.has(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_the_bytes_that_it_was_given_and_no_other() {
        for byte in 0..=u8::MAX {
            let is_alphanumeric = byte.is_ascii_alphanumeric();
            assert_eq!(ByteSet::ALPHANUMERIC.has(byte), is_alphanumeric);
            let is_base64url = is_alphanumeric || byte == b'-' || byte == b'_';
            assert_eq!(ByteSet::BASE64URL.has(byte), is_base64url);
        }
        assert!(ByteSet::of(b"ab").has_all(b"abba") && !ByteSet::of(b"ab").has_all(b"abc"));
    }
}
