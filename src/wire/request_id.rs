//! The id under which the client, the backend and the log see one request. Knows nothing of the request.

use std::fmt;

use http::HeaderValue;

use crate::domain::byte_set::ByteSet;

/// The digits of an id of our own.
const LEN: usize = 32;
/// The longest id of a trusted proxy that is taken over, in characters.
const MAX_LEN: usize = 128;
/// What may stand in one.
const CLEAN: ByteSet = ByteSet::ALPHANUMERIC.and(b"-_.:/+=");

/// The two digits of each byte.
#[expect(
    clippy::indexing_slicing,
    reason = "done while compiling: a slip would be an error then"
)]
const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [*b"00"; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte / 16], digits[byte % 16]];
        byte += 1;
    }
    pairs
};

/// A request's id: 32 hexadecimal digits, or what a trusted proxy called it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Own(Digits),
    Told(Box<str>),
}

/// They begin where words of memory do, so that it is quick to see that they are a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(8))]
struct Digits([u8; LEN]);

impl RequestId {
    /// Makes up an id. It tells requests apart and protects nothing, so that a fast generator will do.
    #[must_use]
    pub fn generate() -> Self {
        let mut digits = [b'0'; LEN];
        let random = fastrand::u128(..).to_le_bytes();
        for (place, byte) in digits.as_chunks_mut().0.iter_mut().zip(random) {
            *place = PAIRS.get(usize::from(byte)).copied().unwrap_or(*b"00");
        }
        Self(Form::Own(Digits(digits)))
    }

    /// Takes over the id that a trusted proxy gave, if it is 1 to 128 letters, digits, `-`, `_`, `.`, `:`, `/`, `+` or `=`.
    #[must_use]
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let fits = (1..=MAX_LEN).contains(&value.len());
        let text = value.to_str().ok();
        let clean = text.filter(|text| fits && CLEAN.has_all(text.as_bytes()));
        clean.map(|text| Self(Form::Told(text.into())))
    }

    /// Whether it was made up here, and so is a word of letters and digits.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self.0, Form::Own(_))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Digits are a text.
            Form::Own(Digits(digits)) => std::str::from_utf8(digits).unwrap_or_default(),
            Form::Told(text) => text,
        }
    }

    /// The id as the value of a header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Own(Digits(digits)) => digits,
            Form::Told(text) => text.as_bytes(),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_ids_are_32_hexadecimal_digits_and_differ() {
        let id = RequestId::generate();
        assert_eq!(id.as_str().len(), 32);
        assert!(id.as_str().bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(id, RequestId::generate());
    }

    #[test]
    fn only_a_clean_id_is_taken_over() {
        let parse = |text| RequestId::parse(&HeaderValue::from_bytes(text).unwrap());
        assert_eq!(parse(b"7f-3:a/B").unwrap().as_str(), "7f-3:a/B");
        for text in [&b""[..], b"a b", b"a\"b", b"a\tb", b"\xE7", &[b'a'; 129]] {
            assert_eq!(parse(text), None);
        }
    }
}
