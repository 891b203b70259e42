//! A path that is taken means one thing, to the gateway and to whoever reads it after.

use percent_encoding::percent_decode;
use wxgate::domain::path::RequestPath;

pub(super) fn holds(input: &[u8]) {
    let Ok(raw) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(path) = RequestPath::parse(raw) else {
        return;
    };
    let matched = path.matched();
    // What is sent is taken as well, and means the same.
    let again = RequestPath::parse(path.sent()).expect("what is sent is a path");
    assert_eq!((again.sent(), again.matched()), (path.sent(), matched));
    // Another decoder agrees, on what came and on what goes on, and finds nothing to decode a second time.
    let decoded = |text: &[u8]| percent_decode(text).collect::<Vec<u8>>();
    assert_eq!(decoded(raw.as_bytes()), matched);
    assert_eq!(decoded(path.sent().as_bytes()), matched);
    assert_eq!(decoded(matched), matched);
    // Nothing in it ends a line, a string or a request line.
    assert!(path.sent().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!matched.iter().any(u8::is_ascii_control));
    // Whoever resolves dots, drops parameters or joins slashes, ends where the gateway is.
    assert_eq!(resolved(matched), without_parameters(matched));
    for count in 0..=matched.len() {
        let rest = path.sent_after(count).expect("it has so many bytes");
        assert_eq!(decoded(rest.as_bytes()), matched[count..]);
    }
    assert_eq!(path.sent_after(matched.len() + 1), None);
}

/// The path as a lenient server walks it: backslashes are slashes, parameters are dropped, dots are resolved, and of several
/// slashes one is left.
fn resolved(path: &[u8]) -> Vec<u8> {
    let ends_open = path.ends_with(b"/");
    let mut walked: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
        {
            b"" | b"." => {}
            b".." => drop(walked.pop()),
            name => walked.push(name),
        }
    }
    let mut text = Vec::new();
    for name in &walked {
        text.push(b'/');
        text.extend_from_slice(name);
    }
    if ends_open || text.is_empty() {
        text.push(b'/');
    }
    text
}

/// The path with parameters dropped, and nothing else done. One that ends in a segment of parameters alone ends open.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/');
    let names: Vec<_> = segments
        .map(|segment| {
            segment
                .split(|byte| *byte == b';')
                .next()
                .unwrap_or_default()
        })
        .collect();
    let joined = names.join(&b'/');
    let is_open = joined.ends_with(b"/") && joined.len() > 1;
    if is_open && !path.ends_with(b"/") {
        joined[..joined.len() - 1].to_vec()
    } else {
        joined
    }
}
