//! The bytes of the requests, made before the first is sent: one head for each session and target, one body for all; or
//! each request whole, to be sent once.

use std::io;

use http::{Request, Uri};
use httparse::EMPTY_HEADER;

/// No head here has more headers.
const MOST_HEADERS: usize = 16;

/// What is asked, in turn.
#[derive(Debug)]
pub struct Requests {
    heads: Vec<Vec<u8>>,
    body: Vec<u8>,
    next: usize,
    /// Whether the first one follows the last.
    is_endless: bool,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// What its `Host` says.
    pub host: String,
    /// Its path.
    pub path: String,
}

impl Target {
    /// A path of the usual host.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self {
            host: "shop.example.com".to_owned(),
            path: path.to_owned(),
        }
    }
}

impl Requests {
    /// GETs of `targets` in turn, or POSTs if there is a body, with `header` for each of `tokens` in turn, whose place
    /// is `{}`.
    #[must_use]
    pub fn new(targets: &[Target], body_bytes: usize, header: &str, tokens: &[String]) -> Self {
        let head = |target: &Target, session: &str| {
            let (method, length) = match body_bytes {
                0 => ("GET", String::new()),
                bytes => ("POST", format!("Content-Length: {bytes}\r\n")),
            };
            let Target { host, path } = target;
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\nAccept: */*\r\n\
                 {session}{length}\r\n"
            );
            head.into_bytes()
        };
        let count = targets.len().max(tokens.len());
        let sessions = tokens
            .iter()
            .map(|token| format!("{}\r\n", header.replace("{}", token)));
        let mut sessions: Vec<_> = sessions.collect();
        if sessions.is_empty() {
            sessions.push(String::new());
        }
        let pairs = targets.iter().cycle().zip(sessions.iter().cycle());
        Self {
            heads: pairs
                .take(count)
                .map(|(target, session)| head(target, session))
                .collect(),
            body: vec![b'x'; body_bytes],
            next: 0,
            is_endless: true,
        }
    }

    /// POSTs of these forms to `target`, each once.
    #[must_use]
    pub fn once<'f>(target: &Target, forms: impl Iterator<Item = &'f str>) -> Self {
        let Target { host, path } = target;
        let whole = |form: &str| {
            let length = form.len();
            let request = format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: load\r\nAccept: */*\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{form}"
            );
            request.into_bytes()
        };
        Self {
            heads: forms.map(whole).collect(),
            body: Vec::new(),
            next: 0,
            is_endless: false,
        }
    }

    /// The number of the next request, by which [`Requests::parts`] finds it, if there is one left.
    pub(super) fn take(&mut self) -> Option<usize> {
        if self.next >= self.heads.len() {
            if !self.is_endless || self.heads.is_empty() {
                return None;
            }
            self.next = 0;
        }
        self.next += 1;
        Some(self.next - 1)
    }

    /// Head and body of a request, less the first `written` bytes.
    pub(super) fn parts(&self, number: usize, written: usize) -> [&[u8]; 2] {
        let head = self
            .heads
            .get(number)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let of_body = written.saturating_sub(head.len());
        [
            head.get(written..).unwrap_or_default(),
            self.body.get(of_body..).unwrap_or_default(),
        ]
    }

    /// A request without a body, as HTTP/2 says it.
    ///
    /// # Errors
    ///
    /// The session is no value of a header, or the target no path.
    pub(super) fn http2(&self, number: usize) -> io::Result<Request<()>> {
        let [head, _] = self.parts(number, 0);
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut read = httparse::Request::new(&mut headers);
        read.parse(head).map_err(io::Error::other)?;
        let is_host = |header: &&mut httparse::Header<'_>| header.name == "Host";
        let (hosts, others): (Vec<_>, Vec<_>) = read.headers.iter_mut().partition(is_host);
        let uri = Uri::builder()
            .scheme("https")
            .authority(hosts.first().map(|host| host.value).unwrap_or_default())
            .path_and_query(read.path.unwrap_or_default());
        let uri = uri.build().map_err(io::Error::other)?;
        let mut request = Request::builder().uri(uri);
        for header in others {
            request = request.header(header.name, header.value);
        }
        let method = read.method.unwrap_or_default();
        request.method(method).body(()).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http2_says_the_same_with_its_own_words() {
        let tokens = ["a", "b"].map(str::to_owned);
        let requests = Requests::new(&[Target::path("/x?y=z")], 0, "X-Skey: {}", &tokens);
        let request = requests.http2(1).unwrap();
        assert_eq!(request.uri(), "https://shop.example.com/x?y=z");
        let headers: Vec<_> = request.headers().iter().collect();
        let headers = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}"));
        let meant = ["user-agent: \"load\"", "accept: \"*/*\"", "x-skey: \"b\""];
        assert_eq!(headers.collect::<Vec<_>>(), meant);
    }
}
