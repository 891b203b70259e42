//! A FastCGI server that records what it is asked and answers with whatever bytes a test has, read and written without
//! the gateway's help.

use crate::harness::{BASE, Backend, Seen};

/// The base config before `servers`, with more keys of the upstream.
pub fn config(servers: &[&Backend], keys: &str) -> String {
    let servers = servers
        .iter()
        .map(|server| format!("\"fcgi://{}\"", server.address()));
    let servers = servers.collect::<Vec<_>>().join(", ");
    let servers = format!("servers = [{servers}]\nroot = \"/srv/app\"\n{keys}");
    BASE.replace("servers = [\"BACKEND\"]", &servers)
}

/// A server that sends `answer` of each request, and then ends the connection.
pub fn that(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Backend {
    Backend::that(move |conversation| {
        let mut read = |count| conversation.read(count);
        if let Some(seen) = request(&mut read) {
            conversation.record(seen.clone());
            conversation.send(&answer(&seen));
        }
    })
}

/// A server that keeps its connections, and answers each request well.
pub fn lasting() -> Backend {
    Backend::that(move |conversation| {
        loop {
            let mut read = |count| conversation.read(count);
            let Some(seen) = request(&mut read) else {
                return;
            };
            conversation.record(seen);
            conversation.send(&well(b"seen"));
        }
    })
}

/// Reads a request: what begins it is its head, its environment its headers.
pub fn request(read: &mut impl FnMut(usize) -> Option<Vec<u8>>) -> Option<Seen> {
    let (mut begun, mut environment, mut body) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let header = read(8)?;
        assert_eq!(header[..1], [1], "the version");
        assert_eq!(header[2..4], [0, 1], "the id of the request");
        let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let content = read(length)?;
        read(header[6].into())?;
        match (header[1], length) {
            (1, _) => begun = content,
            (4, _) => environment.extend(content),
            (5, 0) => break,
            (5, _) => body.extend(content),
            (kind, _) => panic!("a record of type {kind}"),
        }
    }
    let headers = pairs(&environment);
    let value = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    Some(Seen {
        head: format!("{begun:?}"),
        method: value("REQUEST_METHOD"),
        target: value("REQUEST_URI"),
        headers,
        body,
    })
}

fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let mut length = || {
            let first = bytes[0];
            if first < 128 {
                bytes = &bytes[1..];
                return usize::from(first);
            }
            let long = u32::from_be_bytes(bytes[..4].try_into().unwrap()) & 0x7FFF_FFFF;
            bytes = &bytes[4..];
            usize::try_from(long).unwrap()
        };
        let (name, value) = (length(), length());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        pairs.push((text(&bytes[..name]), text(&bytes[name..name + value])));
        bytes = &bytes[name + value..];
    }
    pairs
}

pub const OUTPUT: u8 = 6;
pub const ERRORS: u8 = 7;

/// A record of the request.
pub fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, length[0], length[1], 0, 0], content].concat()
}

/// The end of the request.
pub fn end(status: u8) -> Vec<u8> {
    record(3, &[0, 0, 0, 0, status, 0, 0, 0])
}

/// An answer as it should be.
pub fn well(body: &[u8]) -> Vec<u8> {
    whole(&[b"Content-Type: text/plain\r\n\r\n", body].concat())
}

/// An answer that says this, and ends.
pub fn whole(output: &[u8]) -> Vec<u8> {
    [record(OUTPUT, output), record(OUTPUT, b""), end(0)].concat()
}
