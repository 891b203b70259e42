//! The name of a session that may be shown. Knows nothing of what leads to one.

use std::fmt;

/// The bytes of an id.
const LEN: usize = 16;

/// A name of a session that leads nowhere: neither its token nor what is stored of that can be told from it. Written, it
/// is 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; LEN]);

impl SessionId {
    /// The id that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The id as bytes, the same on every machine.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; LEN] {
        self.0
    }

    /// The id that is written `text`, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return None;
        };
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
            .collect();
        bytes?.try_into().ok().map(Self)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_id_is_none() {
        let good = "00112233445566778899aabbccddeeff";
        assert_eq!(SessionId::parse(good).unwrap().to_string(), good);
        for text in [
            "",
            "0",
            &good[1..],
            &good[2..],
            &format!("{good}0"),
            &format!("{good}00"),
            &good.to_uppercase(),
            &good.replace('f', "g"),
            &good.replacen("00", "+0", 1),
            &good.replacen("00", " 0", 1),
            &good.replacen("00", "\u{e9}", 1),
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_as_itself(bytes: [u8; LEN]) {
            let id = SessionId::from_bytes(bytes);
            prop_assert_eq!(SessionId::parse(&id.to_string()), Some(id));
            prop_assert_eq!(SessionId::from_bytes(id.to_bytes()), id);
        }

        #[test]
        fn whatever_is_read_is_written_the_same(text in "[0-9a-fA-F]{30,34}|.{0,40}") {
            if let Some(id) = SessionId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
