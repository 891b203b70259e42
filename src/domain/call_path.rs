//! A path on a backend that only the gateway itself calls. Knows nothing of what is called there.

use super::path::{PathError, RequestPath};

/// One path, without query and parameters; requests of clients reach neither it nor anything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPath {
    path: RequestPath<'static>,
    closed: Vec<u8>,
}

/// Why a text is no such path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallPathError {
    /// It has a `*`, `?`, `#` or `;`.
    #[error(
        "`{0}` cannot stand in this path; write one path alone, such as \"/internal/wx-login\""
    )]
    Delimiter(char),
    /// It is the root, with which every path would be closed.
    #[error("`/` would close every path; write one such as \"/internal/wx-login\"")]
    Root,
    /// No request could have this path.
    #[error("no request can have this path: {0}")]
    Path(#[from] PathError),
}

impl CallPath {
    /// Reads `"/path"`.
    ///
    /// # Errors
    ///
    /// It is more than one path, or none that a request can have.
    pub fn parse(text: &str) -> Result<Self, CallPathError> {
        let delimiter = |c: &char| matches!(c, '*' | '?' | '#' | ';');
        if let Some(delimiter) = text.chars().find(delimiter) {
            return Err(CallPathError::Delimiter(delimiter));
        }
        let path = RequestPath::parse(text)?.into_owned();
        // Encoded, it begins parameters all the same for those who decode first.
        if path.matched().contains(&b';') {
            return Err(CallPathError::Delimiter(';'));
        }
        let matched = path.matched();
        let closed = matched.strip_suffix(b"/").unwrap_or(matched).to_vec();
        if closed.is_empty() {
            return Err(CallPathError::Root);
        }
        Ok(Self { path, closed })
    }

    /// The path, to be called.
    #[must_use]
    pub fn path(&self) -> &RequestPath<'static> {
        &self.path
    }

    /// Whether a decoded path is this one or lies below it, in capitals or not: some backends do not tell these apart.
    #[must_use]
    pub fn closes(&self, path: &[u8]) -> bool {
        let split = path.split_at_checked(self.closed.len());
        split.is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(&self.closed) && rest.first().is_none_or(|b| *b == b'/')
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_itself_and_all_below_in_capitals_or_not() {
        for text in ["/in/wx", "/in/wx/", "/%69n/w%78"] {
            let call = CallPath::parse(text).unwrap();
            for path in ["/in/wx", "/in/wx/", "/in/wx/a/b", "/IN/Wx", "/In/wX/a"] {
                assert!(call.closes(path.as_bytes()), "{text} {path}");
            }
            for path in ["/", "/in", "/in/w", "/in/wxy", "/in/wx.php", "/a/in/wx"] {
                assert!(!call.closes(path.as_bytes()), "{text} {path}");
            }
        }
    }

    #[test]
    fn it_is_sent_as_it_was_written() {
        let sent = |text| CallPath::parse(text).unwrap().path().sent().to_owned();
        assert_eq!(sent("/in/wx.php"), "/in/wx.php");
        assert_eq!(sent("/in/wx/"), "/in/wx/");
        assert_eq!(sent("/用户"), "/%E7%94%A8%E6%88%B7");
    }

    #[test]
    fn what_is_not_one_path_is_refused() {
        for (text, delimiter) in [
            ("/*", '*'),
            ("/a/*", '*'),
            ("/a*b", '*'),
            ("/a?b=c", '?'),
            ("/a#b", '#'),
            ("/a;b", ';'),
            ("/a%3Bb", ';'),
        ] {
            let error = CallPath::parse(text).unwrap_err();
            assert_eq!(error, CallPathError::Delimiter(delimiter), "{text}");
        }
        assert_eq!(CallPath::parse("/"), Err(CallPathError::Root));
        for (text, error) in [
            ("", PathError::NotAbsolute),
            ("a", PathError::NotAbsolute),
            ("http://h/a", PathError::NotAbsolute),
            ("/a/../b", PathError::DotSegment),
            ("/a//b", PathError::EmptySegment),
            ("//", PathError::EmptySegment),
            ("/a%2Fb", PathError::EncodedSlash),
        ] {
            assert_eq!(CallPath::parse(text), Err(error.into()), "{text}");
        }
    }
}
