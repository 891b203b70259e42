//! The PROXY protocol, versions 1 and 2: what a proxy says, before all else, of a connection that it passes on. Knows no
//! sockets.

use std::net::IpAddr;

use ppp::{v1, v2};

/// How a header of version 1 begins.
const WORD: &[u8] = b"PROXY ";
/// The shortest line of version 1, and the longest: `PROXY UNKNOWN` with two IPv6 addresses and two ports.
const LINE: (usize, usize) = (b"PROXY UNKNOWN\r\n".len(), 107);
/// What a header of version 2 has before it tells how long it is.
const FIXED: usize = 16;
/// The bytes that a header of version 2 may have. Addresses take 36 of them, at most 216; the rest tells more than is asked.
const LONGEST: usize = 4096;

/// Why a connection does not tell whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// Something else comes first.
    Missing,
    /// It is longer than any that is needed.
    TooLong,
    /// It is none of version 1 or 2, or of no stream.
    Malformed,
}

impl NoHeader {
    /// As the log tells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "the connection does not begin with a PROXY header",
            Self::TooLong => "the PROXY header is over its limit",
            Self::Malformed => "the PROXY header is malformed",
        }
    }
}

/// How many bytes surely belong to the header behind those that were `read`, which are nothing else; 0 if it is whole.
///
/// # Errors
///
/// No header can begin so.
pub fn missing(read: &[u8]) -> Result<usize, NoHeader> {
    let (shortest, longest) = LINE;
    if read.is_empty() {
        return Ok(shortest.min(FIXED));
    }
    if is_beginning(read, v2::PROTOCOL_PREFIX) {
        return match read.get(FIXED - 2..FIXED) {
            Some(&[high, low]) => {
                let whole = FIXED + usize::from(u16::from_be_bytes([high, low]));
                if whole > LONGEST {
                    return Err(NoHeader::TooLong);
                }
                Ok(whole.saturating_sub(read.len()))
            }
            _ => Ok(FIXED.saturating_sub(read.len())),
        };
    }
    if !is_beginning(read, WORD) {
        return Err(NoHeader::Missing);
    }
    if read.ends_with(b"\r\n") {
        return Ok(0);
    }
    if read.len() >= longest {
        return Err(NoHeader::TooLong);
    }
    Ok(shortest.saturating_sub(read.len()).max(1))
}

/// The address of the client, as a whole header tells it; none if it is the proxy's own connection, or of a kind that has
/// no address.
///
/// # Errors
///
/// It is malformed.
pub fn source(header: &[u8]) -> Result<Option<IpAddr>, NoHeader> {
    if header.starts_with(WORD) {
        source_in_line(header)
    } else {
        source_in_bytes(header)
    }
}

fn source_in_line(line: &[u8]) -> Result<Option<IpAddr>, NoHeader> {
    // Behind the word anything may stand; the library wants it to look like addresses.
    if line.starts_with(b"PROXY UNKNOWN ") {
        return Ok(None);
    }
    let read = v1::Header::try_from(line).map_err(|_| NoHeader::Malformed)?;
    if read.header.len() != line.len() {
        return Err(NoHeader::Malformed);
    }
    Ok(match read.addresses {
        v1::Addresses::Tcp4(told) => Some(told.source_address.into()),
        v1::Addresses::Tcp6(told) => Some(told.source_address.into()),
        v1::Addresses::Unknown => None,
    })
}

fn source_in_bytes(bytes: &[u8]) -> Result<Option<IpAddr>, NoHeader> {
    let read = v2::Header::try_from(bytes).map_err(|_| NoHeader::Malformed)?;
    if read.len() != bytes.len() {
        return Err(NoHeader::Malformed);
    }
    let source = match (read.command, read.addresses) {
        (v2::Command::Local, _)
        | (v2::Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => {
            return Ok(None);
        }
        (v2::Command::Proxy, v2::Addresses::IPv4(told)) => told.source_address.into(),
        (v2::Command::Proxy, v2::Addresses::IPv6(told)) => told.source_address.into(),
    };
    match read.protocol {
        v2::Protocol::Stream => Ok(Some(source)),
        v2::Protocol::Datagram | v2::Protocol::Unspecified => Err(NoHeader::Malformed),
    }
}

/// Whether what was `read` is the beginning of what begins with `mark`.
fn is_beginning(read: &[u8], mark: &[u8]) -> bool {
    read.starts_with(mark) || mark.starts_with(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP4: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n";

    /// A header of version 2.
    fn bytes(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, rest].concat()
    }

    fn v4() -> Vec<u8> {
        [
            &[192, 0, 2, 7][..],
            &[198, 51, 100, 1],
            &[15, 160],
            &[1, 187],
        ]
        .concat()
    }

    fn v6() -> Vec<u8> {
        let address = |last| {
            [
                0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
            ]
        };
        [&address(7)[..], &address(1), &[15, 160], &[1, 187]].concat()
    }

    /// Reads a header as it is read from a socket, `step` bytes at a time, with something behind it.
    fn read(sent: &[u8], step: usize) -> Result<(usize, Option<IpAddr>), NoHeader> {
        let sent = [sent, b"behind"].concat();
        let mut end = 0;
        loop {
            match missing(&sent[..end])? {
                0 => return Ok((end, source(&sent[..end])?)),
                more => end += more.min(step),
            }
        }
    }

    #[test]
    fn both_versions_tell_the_client_in_pieces_of_any_size_and_nothing_behind_is_read() {
        let client = |text: &str| Some(text.parse().unwrap());
        let tlv = [&v4()[..], &[4, 0, 1, 0], &[3, 0, 4, 1, 2, 3, 4]].concat();
        for (header, told) in [
            (TCP4.to_vec(), client("192.0.2.7")),
            (
                b"PROXY TCP6 2001:db8::7 ::1 4000 443\r\n".to_vec(),
                client("2001:db8::7"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN what ever, 3 is here\r\n".to_vec(), None),
            (bytes(0x21, 0x11, &v4()), client("192.0.2.7")),
            (bytes(0x21, 0x21, &v6()), client("2001:db8::7")),
            (bytes(0x21, 0x11, &tlv), client("192.0.2.7")),
            (bytes(0x20, 0x00, &[]), None),
            (bytes(0x20, 0x11, &v4()), None),
            (bytes(0x21, 0x00, b"what ever"), None),
            (bytes(0x21, 0x31, &[1; 216]), None),
        ] {
            for step in [1, 2, 7, 5000] {
                assert_eq!(read(&header, step), Ok((header.len(), told)), "{header:?}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_told_by_its_first_byte_that_cannot_be_one() {
        let first_wrong = |sent: &[u8]| {
            let wrong = (0..=sent.len()).find(|end| missing(&sent[..*end]).is_err());
            (wrong, wrong.map(|end| missing(&sent[..end]).unwrap_err()))
        };
        for (sent, at) in [
            (&b"GET / HTTP/1.1\r\n"[..], 1),
            (b"PRI * HTTP/2.0\r\n", 3),
            (b"\x16\x03\x01", 1),
            (b"PROXY\tTCP4 ", 6),
            (b"proxy TCP4 ", 1),
            (b"\r\n\r\nGET /", 5),
        ] {
            let found = first_wrong(sent);
            assert_eq!(found, (Some(at), Some(NoHeader::Missing)), "{sent:?}");
        }
        let long = NoHeader::TooLong;
        let line = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
        assert_eq!(first_wrong(&line), (Some(107), Some(long)));
        let large = bytes(0x21, 0x11, &[0; 4081]);
        assert_eq!(first_wrong(&large), (Some(16), Some(long)));
        assert_eq!(first_wrong(&bytes(0x21, 0x11, &[0; 4080])), (None, None));
    }

    #[test]
    fn a_header_that_means_nothing_is_malformed() {
        for header in [
            &b"PROXY TCP4 192.0.2.7 198.51.100.1 4000\r\n"[..],
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443 \r\n",
            b"PROXY TCP4  192.0.2.7 198.51.100.1 4000 443\r\n",
            b"PROXY TCP4 2001:db8::7 ::1 4000 443\r\n",
            b"PROXY TCP6 192.0.2.7 198.51.100.1 4000 443\r\n",
            b"PROXY TCP4 192.0.2.007 198.51.100.1 4000 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 65536\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 04000 443\r\n",
            b"PROXY TCP4 a.cn b.cn 4000 443\r\n",
            b"PROXY UDP4 192.0.2.7 198.51.100.1 4000 443\r\n",
            b"PROXY tcp4 192.0.2.7 198.51.100.1 4000 443\r\n",
            b"PROXY TCP4 192.0.2.7\r198.51.100.1 4000 443\r\n",
            b"PROXY TCP4 192.0.2.7\n198.51.100.1 4000 443\r\n",
            b"PROXY unknown\r\n",
            b"PROXY UNKNOWNED\r\n",
            b"PROXY \xff\xfe\xfd\xfc\xfb\xfa\xf9\r\n",
            &bytes(0x11, 0x11, &v4()),
            &bytes(0x22, 0x11, &v4()),
            &bytes(0x21, 0x41, &v4()),
            &bytes(0x21, 0x13, &v4()),
            &bytes(0x21, 0x12, &v4()),
            &bytes(0x21, 0x10, &v4()),
            &bytes(0x21, 0x11, &v4()[1..]),
            &bytes(0x21, 0x21, &v4()),
            &bytes(0x21, 0x31, &[1; 215]),
        ] {
            let told = String::from_utf8_lossy(header);
            assert_eq!(read(header, 1), Err(NoHeader::Malformed), "{told}");
        }
    }
}
