//! A text that is short as a rule, and then takes no memory but its own place. Knows nothing of what it says.

/// The most bytes that have their place in the text itself. WeChat's ids have 28 and its keys 24; with one more than
/// these 30, the text would take eight bytes more.
const ROOM: usize = 30;

/// A text in 32 bytes, and in an allocation of its own only if it is longer than usual. It does not print itself, since
/// those who keep many texts keep them of persons.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct InlineText(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    /// Zeros after its end.
    Short {
        length: u8,
        bytes: [u8; ROOM],
    },
    Long(Box<str>),
}

impl InlineText {
    /// Takes a copy of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; ROOM];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(place)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Form::Short { length, bytes })
            }
            _ => Self(Form::Long(text.into())),
        }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // As it came from a text, there is no other case.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The bytes of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Form::Long(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_and_what_may_be_one_take_32_bytes() {
        assert_eq!(size_of::<InlineText>(), 32);
        assert_eq!(size_of::<Option<InlineText>>(), 32);
    }

    #[test]
    fn only_a_text_longer_than_usual_is_allocated() {
        let is_long = |length| matches!(InlineText::new(&"a".repeat(length)).0, Form::Long(_));
        assert!(!is_long(0) && !is_long(28) && !is_long(ROOM) && is_long(ROOM + 1));
    }

    proptest! {
        #[test]
        fn a_text_is_given_back_as_it_came(text in ".{0,40}", other in ".{0,40}") {
            let kept = InlineText::new(&text);
            prop_assert_eq!(kept.as_str(), &text);
            prop_assert_eq!(kept.as_bytes(), text.as_bytes());
            prop_assert_eq!(kept == InlineText::new(&other), text == other);
            prop_assert!(kept == kept.clone());
        }
    }
}
