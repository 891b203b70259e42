//! Headers that the config takes out of a message, or puts into it. Knows neither requests nor answers.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::managed_names::fold;

/// The longest value, in bytes.
const LONGEST: usize = 4096;

/// What is taken out, in every spelling that a backend could fold to it, and what is put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Folded.
    gone: Vec<Vec<u8>>,
    set: Vec<(HeaderName, HeaderValue)>,
    removed: Vec<HeaderName>,
}

/// Why a text is no value that is set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It has no character.
    #[error("this value is empty; name the header in `remove` if it is not to be there")]
    Empty,
    /// It is longer than any header should be.
    #[error("this value has more than {LONGEST} bytes")]
    TooLong,
    /// It has a line break, a control character, or anything beyond ASCII; or it begins or ends with a space.
    #[error("this value has something else than visible ASCII and spaces between")]
    Unclean,
}

impl HeaderEdits {
    /// Takes out what is to be set or removed, and puts in what is to be set.
    #[must_use]
    pub fn new(set: Vec<(HeaderName, HeaderValue)>, removed: Vec<HeaderName>) -> Self {
        let named = set.iter().map(|(name, _)| name).chain(&removed);
        let gone = named.map(|name| fold(name.as_str())).collect();
        Self { gone, set, removed }
    }

    /// Whether nothing is taken out, and so nothing is put in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty()
    }

    /// Takes out what is there under any of the names.
    pub fn take_out(&self, headers: &mut HeaderMap) {
        let names = headers.keys();
        let gone = names.filter(|name| self.gone.contains(&fold(name.as_str())));
        let gone: Vec<_> = gone.cloned().collect();
        for name in gone {
            headers.remove(name);
        }
    }

    /// What is put in, each name once.
    #[must_use]
    pub fn put_in(&self) -> &[(HeaderName, HeaderValue)] {
        &self.set
    }

    /// Does both.
    pub fn apply(&self, headers: &mut HeaderMap) {
        self.take_out(headers);
        headers.extend(self.set.iter().cloned());
    }

    /// The names that are taken out, and not put in again.
    #[must_use]
    pub fn removed(&self) -> &[HeaderName] {
        &self.removed
    }
}

/// Reads the value of a header as a config writes it.
///
/// # Errors
///
/// A header could not carry it unchanged.
pub fn header_value(text: &str) -> Result<HeaderValue, EditError> {
    if text.is_empty() {
        return Err(EditError::Empty);
    }
    if text.len() > LONGEST {
        return Err(EditError::TooLong);
    }
    let is_visible = |b: u8| b.is_ascii_graphic() || b == b' ';
    if text.trim_matches(' ') != text || !text.bytes().all(is_visible) {
        return Err(EditError::Unclean);
    }
    HeaderValue::from_str(text).map_err(|_| EditError::Unclean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(set: &[(&'static str, &str)], remove: &[&'static str]) -> HeaderEdits {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), header_value(value).unwrap())
        };
        let set = set.iter().map(pair).collect();
        let remove = remove.iter().map(|name| HeaderName::from_static(name));
        HeaderEdits::new(set, remove.collect())
    }

    #[test]
    fn what_is_set_or_removed_is_gone_in_every_spelling() {
        let names = [
            "x-tenant",
            "x_tenant",
            "x.tenant",
            "x-tenants",
            "x-debug",
            "x!debug",
            "accept",
        ];
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(name, HeaderValue::from_static("of a client"));
            headers.append(name, HeaderValue::from_static("again"));
        }
        edits(&[("x-tenant", "shop")], &["x-debug"]).apply(&mut headers);
        let left: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let mut expected = Vec::new();
        for name in ["x-tenants", "accept"] {
            expected.extend([(name, "of a client"), (name, "again")]);
        }
        expected.push(("x-tenant", "shop"));
        assert_eq!(left.len(), expected.len(), "{left:?}");
        assert!(expected.iter().all(|pair| left.contains(pair)), "{left:?}");
    }

    #[test]
    fn what_is_only_removed_is_told() {
        let edits = edits(&[("x-a", "1")], &["x-b", "server"]);
        assert_eq!(edits.removed(), ["x-b", "server"]);
        assert!(!edits.is_empty() && HeaderEdits::default().is_empty());
    }

    #[test]
    fn a_value_is_one_that_a_header_carries_unchanged() {
        for text in ["a", "max-age=1; preload", "\"x\", b", &"x".repeat(4096)] {
            assert_eq!(header_value(text).unwrap(), text);
        }
        assert_eq!(header_value(""), Err(EditError::Empty));
        assert_eq!(header_value(&"x".repeat(4097)), Err(EditError::TooLong));
        for text in [
            "a\r\nX-OpenId: b",
            "a\n",
            "a\0",
            "a\tb",
            " a",
            "a ",
            "é",
            "\u{7f}",
        ] {
            assert_eq!(header_value(text), Err(EditError::Unclean), "{text:?}");
        }
    }
}
