//! The beginning of a path, and how another is put in its place. Knows no routes.

use http::HeaderValue;

use super::path::{PathError, RequestPath};

/// One or more whole segments that paths begin with, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPrefix {
    sent: HeaderValue,
    matched: Vec<u8>,
}

/// Why a text is no such beginning.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathPrefixError {
    /// It has a `*`, `?`, `#` or `;`.
    #[error("`{0}` cannot stand in a prefix; write whole segments, such as \"/api\"")]
    Delimiter(char),
    /// It is `/`, or ends with it.
    #[error("a prefix has no slash at its end; write whole segments, such as \"/api\"")]
    Slash,
    /// No request could have this path.
    #[error("no request can have this path: {0}")]
    Path(#[from] PathError),
}

impl PathPrefix {
    /// Reads `"/segment"`, or several of them.
    ///
    /// # Errors
    ///
    /// It is not that, or no path can begin with it.
    pub fn parse(text: &str) -> Result<Self, PathPrefixError> {
        if let Some(delimiter) = text.chars().find(|c| matches!(c, '*' | '?' | '#' | ';')) {
            return Err(PathPrefixError::Delimiter(delimiter));
        }
        let path = RequestPath::parse(text)?;
        let matched = path.matched().to_vec();
        // Encoded, it begins parameters all the same for those who decode first.
        if matched.contains(&b';') {
            return Err(PathPrefixError::Delimiter(';'));
        }
        if matched.ends_with(b"/") {
            return Err(PathPrefixError::Slash);
        }
        let sent = HeaderValue::from_str(path.sent()).map_err(|_| PathError::Control)?;
        Ok(Self { sent, matched })
    }

    /// The prefix as paths are sent.
    #[must_use]
    pub fn sent(&self) -> &str {
        self.sent.to_str().unwrap_or_default()
    }

    /// The same as the value of a header.
    #[must_use]
    pub fn as_header(&self) -> &HeaderValue {
        &self.sent
    }

    /// Whether a decoded path begins with it, at the border of a segment.
    #[must_use]
    pub fn begins(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(self.matched.as_slice());
        rest.is_some_and(|rest| rest.first().is_none_or(|b| *b == b'/'))
    }
}

/// What becomes of the beginning of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefixChange {
    /// What is taken off.
    pub strip: Option<PathPrefix>,
    /// What is then put before the rest.
    pub add: Option<PathPrefix>,
}

impl PrefixChange {
    /// The path with another beginning, read anew as any path is; none if it does not begin with what is to be taken off.
    #[must_use]
    pub fn of(&self, path: &RequestPath<'_>) -> Option<RequestPath<'static>> {
        let rest = match &self.strip {
            Some(strip) if strip.begins(path.matched()) => path.sent_after(strip.matched.len())?,
            Some(_) => return None,
            None => path.sent(),
        };
        let start = self.add.as_ref().map_or("", PathPrefix::sent);
        let changed = match [start, rest].concat() {
            nothing if nothing.is_empty() => "/".to_owned(),
            changed => changed,
        };
        let changed = RequestPath::parse(&changed).ok()?;
        Some(changed.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn change(strip: &str, add: &str) -> PrefixChange {
        let prefix = |text: &str| (!text.is_empty()).then(|| PathPrefix::parse(text).unwrap());
        PrefixChange {
            strip: prefix(strip),
            add: prefix(add),
        }
    }

    fn changed(strip: &str, add: &str, path: &str) -> Option<String> {
        let path = RequestPath::parse(path).unwrap();
        let changed = change(strip, add).of(&path)?;
        Some(changed.sent().to_owned())
    }

    #[test]
    fn a_prefix_is_taken_off_at_the_border_of_a_segment() {
        let cases = [
            ("/api", "", "/api/orders/7", Some("/orders/7")),
            ("/api", "", "/api/", Some("/")),
            ("/api", "", "/api", Some("/")),
            ("/api/v1", "", "/api/v1/a%20b/", Some("/a%20b/")),
            ("/api", "", "/apix/orders", None),
            ("/api", "", "/", None),
            ("/api", "", "/API/x", None),
            ("", "/v2", "/orders", Some("/v2/orders")),
            ("", "/v2", "/", Some("/v2/")),
            ("/api", "/v2", "/api", Some("/v2")),
            ("/api", "/v2", "/api/", Some("/v2/")),
            ("/api", "/in/v2", "/api/a;x=1/b", Some("/in/v2/a;x=1/b")),
        ];
        for (strip, add, path, to) in cases {
            assert_eq!(changed(strip, add, path).as_deref(), to, "{path}");
        }
    }

    #[test]
    fn a_prefix_is_the_same_in_all_its_spellings() {
        for prefix in ["/用", "/%e7%94%a8", "/%E7%94%A8"] {
            for path in ["/用/x!", "/%E7%94%a8/x!"] {
                assert_eq!(changed(prefix, "", path).as_deref(), Some("/x!"));
            }
        }
        for path in ["/a!b/%21", "/a%21b/%21", "/%61!b/%21"] {
            assert_eq!(changed("/a!b", "/c", path).as_deref(), Some("/c/%21"));
        }
    }

    #[test]
    fn what_is_no_beginning_of_a_path_is_refused() {
        let cases = [
            ("/", PathPrefixError::Slash),
            ("/api/", PathPrefixError::Slash),
            ("/api/*", PathPrefixError::Delimiter('*')),
            ("/api?x", PathPrefixError::Delimiter('?')),
            ("/api%3Bx", PathPrefixError::Delimiter(';')),
            ("api", PathError::NotAbsolute.into()),
            ("", PathError::NotAbsolute.into()),
            ("/a/../b", PathError::DotSegment.into()),
            ("//a", PathError::EmptySegment.into()),
        ];
        for (text, error) in cases {
            assert_eq!(PathPrefix::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_path_loses_or_gains_anything_but_its_beginning(
            raw in "/(a|%61|!|%21|é|%c3%a9)(/[a-z%/;.!2e]{0,12})?",
            strip in "/(a|!|é)",
            add in "(/[a-z!é]{1,3}){0,2}",
        ) {
            let Ok(path) = RequestPath::parse(&raw) else { return Ok(()) };
            let change = change(&strip, &add);
            let added = change.add.as_ref().map(|add| add.matched.clone()).unwrap_or_default();
            if let Some(changed) = change.of(&path) {
                let again = RequestPath::parse(changed.sent()).unwrap();
                prop_assert_eq!(&again, &changed);
                let rest = path.matched().strip_prefix(strip.as_bytes()).unwrap();
                let whole = [&added, rest].concat();
                let whole = if whole.is_empty() { b"/".to_vec() } else { whole };
                prop_assert_eq!(changed.matched(), whole);
            } else {
                prop_assert!(!change.strip.unwrap().begins(path.matched()));
            }
        }
    }
}
