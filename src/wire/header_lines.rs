//! Headers as the lines of a head that they are: for those who pass them on and need not see them. Knows no meaning.

use std::fmt;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of an answer that pass through as they came, less those that must not.
#[derive(Default)]
pub struct HeaderLines {
    text: Vec<u8>,
    count: usize,
    has_date: bool,
    length: Option<u64>,
}

impl HeaderLines {
    /// No lines yet, and memory for so many bytes.
    #[must_use]
    pub fn with_room(bytes: usize) -> Self {
        Self {
            text: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Adds a header, which must be one as HTTP has it.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.has_date |= name.eq_ignore_ascii_case("date");
        self.count += 1;
        write_line(&mut self.text, name, value);
    }

    /// Takes note of the length that the body is said to have. It is no line: whoever frames the body tells it.
    pub fn declare_length(&mut self, length: u64) {
        self.length = Some(length);
    }

    /// Forgets that length, which somebody knows better.
    pub fn forget_length(&mut self) {
        self.length = None;
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Whether a `Date` is among them.
    #[must_use]
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// The length that the body is said to have.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Moves them to the front of `headers`, for those who want to see them.
    pub fn unfold_into(&mut self, headers: &mut HeaderMap) {
        let Self {
            text,
            count,
            length,
            ..
        } = std::mem::take(self);
        if count == 0 && length.is_none() {
            return;
        }
        // Those who unfold them add a few of their own.
        let room = count + headers.len() + 4;
        let others = std::mem::replace(headers, HeaderMap::with_capacity(room));
        let mut rest = text.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, next) = rest.split_at(end + 1);
            if let Some((name, value)) = read_line(line) {
                headers.append(name, value);
            }
            rest = next;
        }
        if let Some(length) = length {
            headers.append(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if !others.is_empty() {
            headers.extend(others);
        }
    }
}

impl fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderLines").finish_non_exhaustive()
    }
}

/// Writes a header as a line of a head.
pub fn write_line(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.reserve(name.len() + value.len() + 4);
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// What [`write_line`] wrote.
fn read_line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let line = line.strip_suffix(b"\r\n")?;
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let value = HeaderValue::from_bytes(value.get(2..)?);
    Some((HeaderName::from_bytes(name).ok()?, value.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_unfolded_as_they_were_pushed_before_the_headers_that_are_there() {
        let mut lines = HeaderLines::default();
        lines.push("Set-Cookie", b"a=b: c");
        lines.push("set-cookie", b"d");
        lines.push("X-Empty", b"");
        lines.push("X-Obs", b"\xff\t~");
        lines.declare_length(7);
        let text = b"Set-Cookie: a=b: c\r\nset-cookie: d\r\nX-Empty: \r\nX-Obs: \xff\t~\r\n";
        assert_eq!(lines.as_bytes(), text);
        assert!(!lines.has_date() && lines.length() == Some(7));
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("1"));
        lines.unfold_into(&mut headers);
        let told: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let expected: [(&str, &[u8]); 6] = [
            ("set-cookie", b"a=b: c"),
            ("set-cookie", b"d"),
            ("x-empty", b""),
            ("x-obs", b"\xff\t~"),
            ("content-length", b"7"),
            ("x-request-id", b"1"),
        ];
        assert_eq!(told, expected);
        assert!(lines.as_bytes().is_empty() && lines.length().is_none());
    }

    #[test]
    fn a_date_is_noticed_however_it_is_written() {
        let mut lines = HeaderLines::default();
        lines.push("X-Date", b"now");
        assert!(!lines.has_date());
        lines.push("DATE", b"now");
        assert!(lines.has_date());
    }
}
