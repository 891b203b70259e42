//! The path of a request, read once: what is matched against the routes is what is sent. Knows no routes.

use std::borrow::Cow;

use super::byte_set::ByteSet;

/// A path that all parsers read alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath<'a> {
    sent: Cow<'a, str>,
    matched: Cow<'a, [u8]>,
}

/// Why two parsers could read a path differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It has no `/` at its start: the forms `*`, `host:port` and the empty one.
    #[error("the path does not start with a slash")]
    NotAbsolute,
    /// A `.` or `..`, plain, encoded, or with parameters behind it.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A `//`, or what becomes one once parameters are dropped.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// A `%2F`, or an overlong UTF-8 spelling of a slash.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// A `\` or `%5C`.
    #[error("the path has a backslash")]
    Backslash,
    /// NUL, a line break, or another control character.
    #[error("the path has a control character")]
    Control,
    /// A `%` without two hexadecimal digits behind it.
    #[error("the path has a bad percent-encoding")]
    BadEncoding,
    /// What is still percent-encoded after it was decoded once.
    #[error("the path is percent-encoded twice")]
    EncodedTwice,
}

/// What may stand in a URI anywhere as it is.
const UNRESERVED: ByteSet = ByteSet::ALPHANUMERIC.and(b"-._~");
/// What RFC 3986 lets stand in a path as it is, the slash included.
const PATH_CHARS: ByteSet = UNRESERVED.and(b"!$&'()*+,;=:@/");
/// What of that has no second meaning: parameters begin with `;`.
const PLAIN: ByteSet = UNRESERVED.and(b"!$&'()*+,=:@/");
/// What of that is in no dot segment either.
const DOTLESS: ByteSet = ByteSet::ALPHANUMERIC.and(b"-_~!$&'()*+,=:@/");

/// Spellings of `/` and `\` in UTF-8 longer than the standard allows, which lenient decoders still take.
const OVERLONG_SLASHES: [&[u8]; 5] = [
    b"\xC0\xAF",
    b"\xE0\x80\xAF",
    b"\xF0\x80\x80\xAF",
    b"\xC1\x9C",
    b"\xE0\x81\x9C",
];
/// The same for `.`.
const OVERLONG_DOTS: [&[u8]; 3] = [b"\xC0\xAE", b"\xE0\x80\xAE", b"\xF0\x80\x80\xAE"];

impl<'a> RequestPath<'a> {
    /// Reads the path of a request target, without its query.
    ///
    /// # Errors
    ///
    /// Two parsers could read it differently.
    pub fn parse(raw: &'a str) -> Result<Self, PathError> {
        if !raw.starts_with('/') {
            return Err(PathError::NotAbsolute);
        }
        let bytes = raw.as_bytes();
        let path = if PLAIN.has_all(bytes) {
            Self {
                sent: Cow::Borrowed(raw),
                matched: Cow::Borrowed(bytes),
            }
        } else {
            decode(raw)?
        };
        // Most paths can be seen to have no odd segment without taking them apart.
        let is_simple = DOTLESS.has_all(bytes) && !has_empty_segment(bytes);
        if !is_simple {
            path.check_segments()?;
        }
        Ok(path)
    }

    /// The same path, whatever it was read from.
    #[must_use]
    pub fn into_owned(self) -> RequestPath<'static> {
        RequestPath {
            sent: Cow::Owned(self.sent.into_owned()),
            matched: Cow::Owned(self.matched.into_owned()),
        }
    }

    /// The path as it goes to the backend: unreserved characters plain, all others as they came.
    #[must_use]
    pub fn sent(&self) -> &str {
        &self.sent
    }

    /// The path decoded once, as the routes see it.
    #[must_use]
    pub fn matched(&self) -> &[u8] {
        &self.matched
    }

    /// What follows the first `count` bytes of the decoded path, as it goes to the backend; none if it is shorter.
    #[must_use]
    pub fn sent_after(&self, count: usize) -> Option<&str> {
        let mut rest = self.sent.as_ref();
        for _ in 0..count {
            let width = if rest.starts_with('%') { 3 } else { 1 };
            rest = rest.get(width..)?;
        }
        Some(rest)
    }

    /// The path as those see it who drop `;parameters` from every segment; none if it has no parameters.
    #[must_use]
    pub fn without_parameters(&self) -> Option<Vec<u8>> {
        if !self.matched.contains(&b';') {
            return None;
        }
        let segments: Vec<_> = self
            .matched
            .split(|b| *b == b'/')
            .map(before_parameters)
            .collect();
        Some(segments.join(&b'/'))
    }

    fn check_segments(&self) -> Result<(), PathError> {
        let mut segments = self.matched.split(|b| *b == b'/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            let name = before_parameters(segment);
            if name.is_empty() && segments.peek().is_some() {
                return Err(PathError::EmptySegment);
            }
            if is_dots(name) {
                return Err(PathError::DotSegment);
            }
        }
        Ok(())
    }
}

fn decode(raw: &str) -> Result<RequestPath<'_>, PathError> {
    let mut sent = String::with_capacity(raw.len() + 16);
    let mut matched = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let (meant, is_encoded, tail) = match (byte, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let meant = hex_pair(*high, *low).ok_or(PathError::BadEncoding)?;
                (meant, true, tail)
            }
            (b'%', _) => return Err(PathError::BadEncoding),
            (plain, tail) => (plain, false, tail),
        };
        check_byte(meant, is_encoded)?;
        let stays_plain = if is_encoded {
            UNRESERVED.has(meant)
        } else {
            PATH_CHARS.has(meant)
        };
        push(&mut sent, meant, stays_plain);
        matched.push(meant);
        rest = tail;
    }
    check_once_decoded(&matched)?;
    Ok(RequestPath {
        sent: Cow::Owned(sent),
        matched: Cow::Owned(matched),
    })
}

fn check_byte(meant: u8, is_encoded: bool) -> Result<(), PathError> {
    match meant {
        0..=0x1F | 0x7F => Err(PathError::Control),
        b'\\' => Err(PathError::Backslash),
        b'/' if is_encoded => Err(PathError::EncodedSlash),
        _ => Ok(()),
    }
}

fn check_once_decoded(matched: &[u8]) -> Result<(), PathError> {
    let is_triplet = |w: &[u8]| matches!(w, [b'%', high, low] if hex_pair(*high, *low).is_some());
    if matched.windows(3).any(is_triplet) {
        return Err(PathError::EncodedTwice);
    }
    let has_slash = |slash: &&[u8]| matched.windows(slash.len()).any(|w| w == *slash);
    if OVERLONG_SLASHES.iter().any(has_slash) {
        return Err(PathError::EncodedSlash);
    }
    Ok(())
}

fn push(sent: &mut String, byte: u8, plain: bool) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    if plain {
        sent.push(char::from(byte));
        return;
    }
    sent.push('%');
    for digit in [byte >> 4, byte & 0xF] {
        sent.extend(HEX.get(usize::from(digit)));
    }
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

fn has_empty_segment(path: &[u8]) -> bool {
    let mut pairs = path.iter().zip(path.iter().skip(1));
    pairs.any(|pair| pair == (&b'/', &b'/'))
}

fn before_parameters(segment: &[u8]) -> &[u8] {
    segment.split(|b| *b == b';').next().unwrap_or_default()
}

/// Whether a segment is `.` or `..`, with each dot in any of its spellings.
fn is_dots(segment: &[u8]) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        let overlong = OVERLONG_DOTS.iter().find_map(|dot| rest.strip_prefix(*dot));
        match rest.strip_prefix(b".").or(overlong) {
            Some(tail) => rest = tail,
            None => return false,
        }
        dots += 1;
    }
    dots == 1 || dots == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(raw: &str) -> Result<String, PathError> {
        RequestPath::parse(raw).map(|path| path.sent().to_owned())
    }

    #[test]
    fn a_plain_path_is_sent_as_it_came() {
        for raw in [
            "/",
            "/a",
            "/a/",
            "/a/b.php",
            "/a/...",
            "/a+b/@x:1,2=3",
            "/.well-known/x",
        ] {
            assert_eq!(sent(raw).as_deref(), Ok(raw));
        }
    }

    #[test]
    fn an_encoded_unreserved_character_is_the_character() {
        let path = RequestPath::parse("/%61dmin/%7e%2D").unwrap();
        assert_eq!(path.sent(), "/admin/~-");
        assert_eq!(path.matched(), b"/admin/~-");
    }

    #[test]
    fn other_encoded_characters_stay_encoded_and_match_decoded() {
        let path = RequestPath::parse("/%e7%94%a8/a%20b%3f").unwrap();
        assert_eq!(path.sent(), "/%E7%94%A8/a%20b%3F");
        assert_eq!(path.matched(), "/用/a b?".as_bytes());
        assert_eq!(sent("/用").as_deref(), Ok("/%E7%94%A8"));
        assert_eq!(sent("/a|b").as_deref(), Ok("/a%7Cb"));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        use PathError::*;
        let cases = [
            ("", NotAbsolute),
            ("*", NotAbsolute),
            ("a/b", NotAbsolute),
            ("/a/../b", DotSegment),
            ("/..", DotSegment),
            ("/./a", DotSegment),
            ("/a/%2e%2e/b", DotSegment),
            ("/a/.%2E", DotSegment),
            ("/a/..;a=b/c", DotSegment),
            ("/a/..;/c", DotSegment),
            ("/a/..%3B/c", DotSegment),
            ("/a/%c0%ae%c0%ae/b", DotSegment),
            ("/a/%e0%80%ae./b", DotSegment),
            ("//a", EmptySegment),
            ("/a//b", EmptySegment),
            ("/;x/b", EmptySegment),
            ("/a%2fb", EncodedSlash),
            ("/a/%2e%2e%2fb", EncodedSlash),
            ("/a%c0%afb", EncodedSlash),
            ("/a\\b", Backslash),
            ("/a%5Cb", Backslash),
            ("/a%00b", Control),
            ("/a%0d%0ab", Control),
            ("/a%7f", Control),
            ("/a%zz", BadEncoding),
            ("/a%2", BadEncoding),
            ("/a%", BadEncoding),
            ("/a%u002e", BadEncoding),
            ("/%252e%252e/b", EncodedTwice),
            ("/a%252fb", EncodedTwice),
            ("/%2561dmin", EncodedTwice),
            ("/%25%36%31dmin", EncodedTwice),
        ];
        for (raw, error) in cases {
            assert_eq!(sent(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn a_percent_sign_of_its_own_is_allowed() {
        assert_eq!(sent("/50%25-off").as_deref(), Ok("/50%25-off"));
    }

    #[test]
    fn parameters_can_be_dropped_from_every_segment() {
        let path = RequestPath::parse("/a;x=1/b;y/c").unwrap();
        assert_eq!(path.without_parameters().as_deref(), Some(&b"/a/b/c"[..]));
        assert_eq!(
            RequestPath::parse("/a/b").unwrap().without_parameters(),
            None
        );
    }

    proptest! {
        #[test]
        fn reading_what_is_sent_gives_the_same_path(raw in "/[a-zA-Z0-9%/;.~ é\\\\2eE5cCfF]{0,24}") {
            if let Ok(path) = RequestPath::parse(&raw) {
                let again = RequestPath::parse(path.sent()).unwrap();
                prop_assert_eq!(again.sent(), path.sent());
                prop_assert_eq!(again.matched(), path.matched());
            }
        }

        #[test]
        fn no_reading_of_what_is_sent_leaves_its_directory(raw in "/(a|%|2|5|e|E|f|c|\\.|;|/|0|\\\\){0,16}") {
            if let Ok(path) = RequestPath::parse(&raw) {
                let mut view = path.sent().as_bytes().to_vec();
                for _ in 0..4 {
                    let text = String::from_utf8_lossy(&view).into_owned();
                    prop_assert!(!text.contains('\\') && !text.contains("//"), "{text}");
                    let dots = text.split('/').any(|s| matches!(s.split(';').next(), Some("." | "..")));
                    prop_assert!(!dots, "{text}");
                    view = percent_encoding::percent_decode(&view).collect();
                }
            }
        }

        #[test]
        fn nothing_panics(raw in any::<String>()) {
            let _ = RequestPath::parse(&raw);
            let _ = RequestPath::parse(&format!("/{raw}"));
        }
    }
}
