//! The code that `wx.login()` gives a client. Knows nothing of what it is exchanged for.

use std::fmt;

/// The longest text that is taken for a code. WeChat's have 32 characters.
const MAX_LEN: usize = 512;

/// A login code: 1 to 512 visible ASCII characters. It masks itself in logs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LoginCode(Box<str>);

impl LoginCode {
    /// Takes `text` for a code, unless no code can look like that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_LEN).contains(&text.len());
        let is_visible = |b: u8| b.is_ascii_graphic();
        (fits && text.bytes().all(is_visible)).then(|| Self(text.into()))
    }

    /// The code itself, for WeChat alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginCode(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_visible_ascii_is_a_code() {
        for text in ["0", "!~&=+%", &"x".repeat(512)] {
            assert_eq!(LoginCode::parse(text).unwrap().reveal(), text);
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for text in ["", "a b", "a\n", "\u{7f}", "登录", &"x".repeat(513)] {
            assert_eq!(LoginCode::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_code_does_not_show_in_debug_output() {
        let code = LoginCode::parse("0a1B2c3D").unwrap();
        assert_eq!(format!("{code:?}"), "LoginCode(***)");
    }
}
