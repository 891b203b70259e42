//! The bytes of the requests, made before the first is sent: one head for each session, one body for all.

/// What is asked, in turn.
#[derive(Debug)]
pub struct Requests {
    heads: Vec<Vec<u8>>,
    body: Vec<u8>,
    next: usize,
}

impl Requests {
    /// GETs of `path`, or POSTs if there is a body, with `header` for each of `tokens`, whose place is `{}`.
    #[must_use]
    pub fn new(path: &str, body_bytes: usize, header: &str, tokens: &[String]) -> Self {
        let head = |session: &str| {
            let (method, length) = match body_bytes {
                0 => ("GET", String::new()),
                bytes => ("POST", format!("Content-Length: {bytes}\r\n")),
            };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: load\r\nAccept: */*\r\n\
                 {session}{length}\r\n"
            );
            head.into_bytes()
        };
        let sessions = tokens
            .iter()
            .map(|token| format!("{}\r\n", header.replace("{}", token)));
        let mut heads: Vec<_> = sessions.map(|session| head(&session)).collect();
        if heads.is_empty() {
            heads.push(head(""));
        }
        Self {
            heads,
            body: vec![b'x'; body_bytes],
            next: 0,
        }
    }

    /// The number of the next request, by which [`Requests::parts`] finds it.
    pub(super) fn take(&mut self) -> usize {
        let taken = self.next;
        self.next = (taken + 1) % self.heads.len().max(1);
        taken
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
}
