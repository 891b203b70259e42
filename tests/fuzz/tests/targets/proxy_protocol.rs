//! A PROXY header ends at one byte, however it comes, and names one client, to another reader too.

use std::net::{IpAddr, SocketAddr};

use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader};
use wxgate::wire::proxy_protocol::{NoHeader, missing, source};

pub(super) fn holds(input: &[u8]) {
    // What is none may be found out by its first bytes, but is none however it comes.
    let taken = |step| read(input, step).and_then(Result::ok);
    let whole = taken(usize::MAX);
    for step in [1, 2, 5] {
        assert_eq!(taken(step), whole);
    }
    let Some((length, told)) = whole else {
        return;
    };
    // Nothing behind it changes it, and nothing of it can be left out.
    let again = read(&[&input[..length], b"behind"].concat(), 1);
    assert_eq!(again, Some(Ok((length, told))));
    assert_eq!(read(&input[..length - 1], 1), None);
    let Some(client) = told else { return };
    let (other, consumed) =
        ProxyHeader::parse(input, ParseConfig::default()).expect("another reader takes it");
    assert_eq!(consumed, length);
    let address = other
        .proxied_address()
        .expect("another reader finds a client");
    assert_eq!(address.source.ip(), client);
    for header in written(address) {
        assert_eq!(read(&header, 3), Some(Ok((header.len(), Some(client)))));
    }
}

/// The same client in both versions, without all that is told beyond it.
fn written(address: &ProxiedAddress) -> [Vec<u8>; 2] {
    let to = match address.source {
        SocketAddr::V4(_) => IpAddr::from([192, 0, 2, 1]),
        SocketAddr::V6(_) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
    };
    let header = ProxyHeader::with_address(ProxiedAddress::stream(
        address.source,
        SocketAddr::new(to, 443),
    ));
    let mut headers = [Vec::new(), Vec::new()];
    let [line, bytes] = &mut headers;
    header.encode_v1(line).expect("it can be written");
    header.encode_v2(bytes).expect("it can be written");
    headers
}

/// What is read of an input that comes `step` bytes at a time; none if more must come.
fn read(input: &[u8], step: usize) -> Option<Result<(usize, Option<IpAddr>), NoHeader>> {
    let mut end = 0;
    loop {
        match missing(&input[..end]) {
            Err(error) => return Some(Err(error)),
            Ok(0) => return Some(source(&input[..end]).map(|told| (end, told))),
            Ok(more) => {
                let next = end + more.min(step);
                if next > input.len() {
                    return None;
                }
                end = next;
            }
        }
    }
}
