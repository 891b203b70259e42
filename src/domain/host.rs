//! A host as requests and configs name it. Knows nothing of who is there.

use std::net::Ipv6Addr;

use super::byte_set::ByteSet;

/// What may stand in the name of a host.
const NAME: ByteSet = ByteSet::ALPHANUMERIC.and(b"-_.");

/// A name or an address, one of IPv6 in brackets, with or without a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    authority: &'a str,
    name: &'a str,
}

impl<'a> Host<'a> {
    /// The name or address, without the port.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Whether it names a port, if only an empty one.
    #[must_use]
    pub fn has_port(&self) -> bool {
        self.authority.len() > self.name.len()
    }

    /// The whole of it, as it was written.
    #[must_use]
    pub fn authority(&self) -> &'a str {
        self.authority
    }

    /// Reads a name or address, with or without a port.
    #[must_use]
    pub fn parse(authority: &'a str) -> Option<Self> {
        let bytes = authority.as_bytes();
        let end = if bytes.starts_with(b"[") {
            memchr::memchr(b']', bytes)? + 1
        } else {
            memchr::memchr(b':', bytes).unwrap_or(bytes.len())
        };
        let (name, port) = authority.split_at_checked(end)?;
        let is_port_clean = match port.strip_prefix(':') {
            // `parse` alone would take a sign.
            Some(digits) => {
                digits.bytes().all(|b| b.is_ascii_digit())
                    && (digits.is_empty() || digits.parse::<u16>().is_ok())
            }
            None => port.is_empty(),
        };
        (is_port_clean && is_name(name)).then_some(Self { authority, name })
    }
}

fn is_name(name: &str) -> bool {
    let is_v6 = |address: &str| address.parse::<Ipv6Addr>().is_ok();
    let bracketed = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bracketed {
        return is_v6(address);
    }
    // An empty label is ruled out as well: some drop a dot at the end, and `a.cn.` must not miss a rule for `a.cn`.
    let mut before = b'.';
    let is_clean = name.bytes().all(|b| {
        let is_label_empty = b == b'.' && before == b'.';
        before = b;
        !is_label_empty && NAME.has(b)
    });
    is_clean && before != b'.'
}
