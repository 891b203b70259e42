//! A client that sends exactly the bytes it is told to, and reads answers without a library's help.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::{LONGEST, send_while_taken};

/// A request to be written.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub fn new(method: &str, target: &str) -> Self {
        let headers = vec![("Host".to_owned(), "api.example.com".to_owned())];
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// The same request of another target.
    pub fn to(self, target: &str) -> Self {
        let target = target.to_owned();
        Self { target, ..self }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes away the headers that are there by themselves or were added.
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub fn skey(self, skey: &str) -> Self {
        self.header("X-Skey", skey)
    }

    /// A body with its length.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    }

    pub fn json(self, value: &Value) -> Self {
        self.header("Content-Type", "application/json")
            .body(value.to_string())
    }

    /// The bytes of the whole request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body had all that its framing promised.
    pub is_whole: bool,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut named = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.as_str())
    }

    /// The values of all headers of this name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Holds that this is a refusal under `code` in the table's own shape, and gives it back.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        let body = self.json();
        assert_eq!(body["error"], code, "{self:?}");
        assert!(body["message"].is_string(), "{self:?}");
        assert_eq!(
            body["request_id"].as_str(),
            self.header("x-request-id"),
            "{self:?}"
        );
        self
    }
}

/// A connection.
pub struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    pub fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream.set_write_timeout(Some(LONGEST)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends a request and reads its answer; the connection stays.
    pub fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(&ask.bytes());
        self.answer_to(&ask.method)
    }

    /// Sends bytes. A gateway that has closed already shows when its answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Sends bytes, and holds that the gateway takes them all.
    #[track_caller]
    pub fn send_all(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).unwrap();
    }

    /// Sends as much of `bytes` as the gateway takes, and tells how much that was once it has taken nothing for a while.
    pub fn send_while_taken(&mut self, bytes: &[u8]) -> usize {
        send_while_taken(self.stream.get_mut(), bytes)
    }

    /// Reads the answer to a GET or POST.
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads answers to GETs and POSTs until the gateway ends the connection.
    pub fn answers_to_the_end(&mut self) -> Vec<Answer> {
        let next = || {
            let (status, headers) = self.head()?;
            Some((status >= 200).then(|| self.finish("GET", status, headers)))
        };
        let answers = std::iter::from_fn(next).flatten().collect();
        assert!(self.is_ended(), "the connection should end");
        answers
    }

    /// Reads the final answer to a request of `method`, past those that only say to go on.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        loop {
            let (status, headers) = self.head().expect("an answer should come");
            if status >= 200 {
                return self.finish(method, status, headers);
            }
        }
    }

    /// Reads a head: the status and the headers, their names in lower case. None at the end of the connection.
    pub fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some((status, headers));
            }
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    /// Reads a piece of a chunked body; the last one is empty.
    pub fn chunk(&mut self) -> Vec<u8> {
        let size = self.line().expect("a chunk should come");
        let mut chunk = self.read(usize::from_str_radix(&size, 16).unwrap() + 2);
        chunk.truncate(chunk.len() - 2);
        chunk
    }

    /// Reads exactly `count` bytes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Whether the gateway has ended the connection, after whatever it still sent.
    pub fn is_ended(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Whether the gateway has ended the connection without another byte.
    pub fn is_silent_to_its_end(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        let is_ended = read.map_or_else(
            |e| e.kind() == std::io::ErrorKind::ConnectionReset,
            |_| true,
        );
        is_ended && rest.is_empty()
    }

    /// Ends the sending side. A gateway that has closed already shows when its answer is read.
    pub fn finish_sending(&self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Reads the rest of an answer whose head was read.
    pub fn finish(&mut self, method: &str, status: u16, headers: Vec<(String, String)>) -> Answer {
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
            is_whole: true,
        };
        let has_none = method == "HEAD" || status == 204 || status == 304;
        if has_none {
            return answer;
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.is_whole = self.chunks(&mut answer.body).is_some();
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            let read = self
                .stream
                .by_ref()
                .take(length as u64)
                .read_to_end(&mut answer.body);
            answer.is_whole = read.is_ok_and(|count| count == length);
        } else {
            answer.is_whole = self.stream.read_to_end(&mut answer.body).is_ok();
        }
        answer
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).ok()?;
            let mut chunk = vec![0; size];
            self.stream.read_exact(&mut chunk).ok()?;
            body.extend(chunk);
            let end = self.line()?;
            assert_eq!(end, "");
            if size == 0 {
                return Some(());
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).ok()?;
        let line = line.strip_suffix(b"\r\n")?;
        Some(String::from_utf8_lossy(line).into_owned())
    }
}
