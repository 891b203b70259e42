//! The code that `getPhoneNumber` gives a client. Knows nothing of what it is exchanged for.

use super::secret::Secret;

/// The longest text that is taken for a code. WeChat's have 64 characters.
const MAX_LEN: usize = 512;

/// A phone code: 1 to 512 visible ASCII characters. It masks itself in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneCode(Secret);

impl PhoneCode {
    /// Takes `text` for a code, unless no code can look like that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LEN).contains(&text.len());
        let is_visible = |b: u8| b.is_ascii_graphic();
        (fits && text.bytes().all(is_visible)).then(|| Self(Secret::new(text)))
    }

    /// The code itself, for WeChat alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_visible_ascii_is_a_code_and_nothing_else() {
        for text in ["0", "!~&=+%", &"x".repeat(512)] {
            assert_eq!(PhoneCode::parse(text).unwrap().reveal(), text);
        }
        for text in ["", "a b", "a\n", "\u{7f}", "电话", &"x".repeat(513)] {
            assert_eq!(PhoneCode::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_code_does_not_show_in_debug_output() {
        let code = PhoneCode::parse("0a1B2c3D").unwrap();
        assert_eq!(format!("{code:?}"), "PhoneCode(***)");
    }
}
