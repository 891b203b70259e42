//! The environment of a script, made of a request that is sealed already: what CGI names, and `HTTP_…` for its headers.
//! Knows no records.

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE,
};

use super::params::{self, Params};
use super::records;
use crate::config::plan::FastCgiPlan;
use crate::domain::host::Host;
use crate::domain::path::RequestPath;
use crate::domain::peer::{Peer, Scheme};
use crate::domain::script::Script;
use crate::wire::framing::is_named;

/// What is before the name of a variable that tells a header.
const HTTP: &[u8] = b"HTTP_";
/// The variable by which libraries take a proxy to go through.
const HTTP_PROXY: &[u8] = b"HTTP_PROXY";

/// Takes out the headers of a client that would become the same variable as another: all whose names have anything but
/// letters, digits and hyphens.
pub(in crate::upstream) fn drop_ambiguous(headers: &mut HeaderMap) {
    let is_odd = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'-';
    let names = headers.keys();
    let odd: Vec<_> = names
        .filter(|name| name.as_str().bytes().any(is_odd))
        .cloned()
        .collect();
    for name in odd {
        headers.remove(name);
    }
}

/// Begins a request with all that is known of it before its body. `sealed` is its head as HTTP/1.1 has it, every word of
/// which is ours or was let pass.
pub(in crate::upstream) fn write_head(
    sealed: &[u8],
    plan: &FastCgiPlan,
    path: &RequestPath<'_>,
    peer: &Peer,
) -> Vec<u8> {
    let head = Head::read(sealed);
    let mut params = Params::behind(records::begin(plan.keep_alive).to_vec());
    write_script(plan, path, &mut params);
    write_request(&head, &mut params);
    write_ends(&head, peer, &mut params);
    write_headers(&head, &mut params);
    params.finish()
}

/// The environment that [`write_head`] wrote, line by line, for those who only want to see it.
pub(in crate::upstream) fn shown(head: &[u8]) -> String {
    let records = head.get(records::begin(false).len()..).unwrap_or_default();
    let pairs = params::read(records).into_iter().map(|(name, value)| {
        let (name, value) = (
            String::from_utf8_lossy(&name),
            String::from_utf8_lossy(&value),
        );
        format!("{name}={value}\n")
    });
    pairs.collect()
}

/// What is in the head of a request: request line and headers.
struct Head<'a> {
    method: &'a [u8],
    target: &'a [u8],
    /// Those of one name stand together.
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Head<'a> {
    fn read(sealed: &'a [u8]) -> Self {
        let mut lines = sealed.split(|byte| *byte == b'\n').map(without_cr);
        let mut words = lines.next().unwrap_or_default().split(|byte| *byte == b' ');
        Self {
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            headers: lines.filter_map(header).collect(),
        }
    }

    fn first(&self, name: &http::HeaderName) -> Option<&'a [u8]> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| is_named(known, name));
        found.map(|(_, value)| *value)
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn header(line: &[u8]) -> Option<(&str, &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    Some((str::from_utf8(name).ok()?, value.get(2..)?))
}

/// Which script runs, and where.
fn write_script(plan: &FastCgiPlan, path: &RequestPath<'_>, params: &mut Params) {
    let Script { name, info } = plan.scripts.find(path);
    let root = plan.root.as_bytes();
    params.push(b"SCRIPT_FILENAME", &[root, name].concat());
    params.push(b"SCRIPT_NAME", name);
    params.push(b"PATH_INFO", info);
    params.push(b"DOCUMENT_ROOT", root);
    // php-cgi and php-fpm run nothing without it where they are told to mistrust direct calls.
    params.push(b"REDIRECT_STATUS", b"200");
}

/// What is asked.
fn write_request(head: &Head<'_>, params: &mut Params) {
    let query = memchr::memchr(b'?', head.target).and_then(|mark| head.target.get(mark + 1..));
    params.push(b"REQUEST_METHOD", head.method);
    params.push(b"REQUEST_URI", head.target);
    params.push(b"QUERY_STRING", query.unwrap_or_default());
    params.push(b"SERVER_PROTOCOL", b"HTTP/1.1");
    for (name, known) in [
        (b"CONTENT_TYPE".as_slice(), CONTENT_TYPE),
        (b"CONTENT_LENGTH", CONTENT_LENGTH),
    ] {
        params.push(name, head.first(&known).unwrap_or_default());
    }
}

/// Who asks, and who is asked.
fn write_ends(head: &Head<'_>, peer: &Peer, params: &mut Params) {
    let scheme = peer.client_scheme();
    let usual = match scheme {
        Scheme::Http => "80",
        Scheme::Https => "443",
    };
    let host = head.first(&HOST).and_then(|host| str::from_utf8(host).ok());
    let host = host.and_then(Host::parse);
    let (name, authority) = host.map_or(("", ""), |host| (host.name(), host.authority()));
    let port = authority
        .strip_prefix(name)
        .and_then(|port| port.strip_prefix(':'));
    let port = port.filter(|port| !port.is_empty()).unwrap_or(usual);
    // Who comes over a unix socket has no address, and none is made up.
    let client = peer.client().map(http::HeaderValue::as_bytes);
    params.push(b"REMOTE_ADDR", client.unwrap_or_default());
    params.push(b"SERVER_NAME", name.as_bytes());
    params.push(b"SERVER_PORT", port.as_bytes());
    params.push(b"REQUEST_SCHEME", scheme.as_str().as_bytes());
    if scheme == Scheme::Https {
        params.push(b"HTTPS", b"on");
    }
    params.push(b"GATEWAY_INTERFACE", b"CGI/1.1");
    params.push(b"SERVER_SOFTWARE", b"wxgate");
}

/// The headers, each as one variable, however often it is there.
fn write_headers(head: &Head<'_>, params: &mut Params) {
    for alike in head.headers.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((name, _)) = alike.first() else {
            continue;
        };
        let separator: &[u8] = if is_named(name, &COOKIE) {
            b"; "
        } else {
            b", "
        };
        let values: Vec<_> = alike.iter().map(|(_, value)| *value).collect();
        let variable = variable(name);
        if is_variable(name) && variable != HTTP_PROXY {
            params.push(&variable, &values.join(separator));
        }
    }
}

/// Whether a header is told as `HTTP_…`: those of the body have names of their own, and those of the hop end here.
fn is_variable(name: &str) -> bool {
    let others = [
        CONTENT_TYPE,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        CONNECTION,
        UPGRADE,
    ];
    !others.iter().any(|other| is_named(name, other))
}

/// The name of the variable that tells a header.
fn variable(name: &str) -> Vec<u8> {
    let folded = name.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_uppercase(),
        _ => b'_',
    });
    HTTP.iter().copied().chain(folded).collect()
}

#[cfg(test)]
mod tests;
