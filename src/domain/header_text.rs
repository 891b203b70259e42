//! A text that is safe in a header. Knows nothing of what it says or who wrote it.

use std::fmt;

/// The longest text, in bytes.
const LONGEST: usize = 256;

/// 1 to 256 visible ASCII characters with spaces between them, and so always a valid header value.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderText(Box<str>);

/// Why a text is not safe in a header; the text itself is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderTextError {
    /// It has no character.
    #[error("it is empty")]
    Empty,
    /// It has more bytes than 256.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// It has a line break, a control character, or anything beyond ASCII; or it begins or ends with a space.
    #[error("it has something else than visible ASCII and spaces between")]
    Unclean,
}

impl HeaderText {
    /// Takes `text`, unless it could break a header or be read as another one.
    ///
    /// # Errors
    ///
    /// It is empty, too long, or has a character that a header cannot carry unchanged.
    pub fn parse(text: &str) -> Result<Self, HeaderTextError> {
        if text.is_empty() {
            return Err(HeaderTextError::Empty);
        }
        if text.len() > LONGEST {
            return Err(HeaderTextError::TooLong);
        }
        let is_visible = |b: u8| b.is_ascii_graphic() || b == b' ';
        if text.trim_matches(' ') != text || !text.bytes().all(is_visible) {
            return Err(HeaderTextError::Unclean);
        }
        Ok(Self(text.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as the value of a header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// It may name a person, so logs do not show it.
impl fmt::Debug for HeaderText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderText(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn visible_ascii_with_spaces_between_is_taken_as_it_is() {
        for text in ["7", "a b  c", "!\"#,;=~", &"x".repeat(256)] {
            let taken = HeaderText::parse(text).unwrap();
            assert_eq!(taken.as_str(), text);
            assert_eq!(HeaderValue::from_bytes(taken.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn what_would_break_a_header_is_refused_for_its_reason() {
        assert_eq!(HeaderText::parse(""), Err(HeaderTextError::Empty));
        let long = "x".repeat(257);
        assert_eq!(HeaderText::parse(&long), Err(HeaderTextError::TooLong));
        let unclean = [
            "a\r\nX-Admin: 1",
            "a\n",
            "a\0",
            "a\tb",
            "\u{7f}",
            "小明",
            "é",
            " a",
            "a ",
            " ",
        ];
        for text in unclean {
            assert_eq!(
                HeaderText::parse(text),
                Err(HeaderTextError::Unclean),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_text_does_not_show_in_debug_output_nor_in_errors() {
        let text = HeaderText::parse("secretperson").unwrap();
        assert!(!format!("{text:?}").contains("secret"));
        let error = HeaderText::parse("secretperson\n").unwrap_err();
        assert!(!format!("{error:?} {error}").contains("secret"));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_one_header_value_of_the_same_bytes(text in "(.|[ -~]|[\r\n\t ]){0,300}") {
            let is_clean = (1..=256).contains(&text.len())
                && text.bytes().all(|b| (b' '..=b'~').contains(&b))
                && !text.starts_with(' ')
                && !text.ends_with(' ');
            let taken = HeaderText::parse(&text);
            prop_assert_eq!(taken.is_ok(), is_clean, "{:?}", text);
            if let Ok(taken) = taken {
                let header = HeaderValue::from_bytes(taken.as_bytes()).unwrap();
                prop_assert_eq!(header.as_bytes(), text.as_bytes());
            }
        }
    }
}
