//! A backend that reads requests as strictly as HTTP allows, with a parser that the gateway's own reading does not use
//! this way, and keeps what it could not read.

use std::sync::{Arc, Mutex};

use super::ON_LOGIN;
use crate::harness::{Backend, Seen};

/// What a backend says and has understood.
pub(super) struct Said {
    /// Its answer to anything but a login, as bytes.
    pub usual: Vec<u8>,
    /// What it says of one who logs in.
    pub on_login: String,
    /// What it was sent that is no request.
    pub strange: Vec<String>,
    /// How many whole requests it was sent, without calls of the gateway's own.
    pub whole: usize,
}

impl Said {
    pub(super) const USUAL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen";
    pub(super) const HELLO: &str = "{}";
}

impl Default for Said {
    fn default() -> Self {
        Self {
            usual: Self::USUAL.to_vec(),
            on_login: Self::HELLO.to_owned(),
            strange: Vec::new(),
            whole: 0,
        }
    }
}

/// How a request is read.
enum Read {
    Whole(Seen),
    /// The connection ended, before a request or within one's body.
    Ended,
    /// It is none.
    Strange(String),
}

/// A backend that reads so, and answers as it is told to.
pub(super) fn strict(said: &Arc<Mutex<Said>>) -> Backend {
    let said = Arc::clone(said);
    Backend::that(move |conversation| {
        loop {
            let seen = match read(&mut |count| conversation.read(count)) {
                Read::Whole(seen) => seen,
                Read::Ended => return,
                Read::Strange(what) => {
                    said.lock().unwrap().strange.push(what);
                    return;
                }
            };
            let is_call = seen.target == ON_LOGIN;
            conversation.record(seen);
            if is_call {
                let told = said.lock().unwrap().on_login.clone();
                conversation.answer("200 OK", told.as_bytes());
            } else {
                let mut said = said.lock().unwrap();
                said.whole += 1;
                let usual = said.usual.clone();
                drop(said);
                conversation.send(&usual);
            }
        }
    })
}

fn read(take: &mut impl FnMut(usize) -> Option<Vec<u8>>) -> Read {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match take(1) {
            Some(byte) => head.extend(byte),
            None if head.is_empty() => return Read::Ended,
            None => {
                return Read::Strange(format!("half a head: {}", String::from_utf8_lossy(&head)));
            }
        }
    }
    let strange = |why: &str| Read::Strange(format!("{why}: {}", String::from_utf8_lossy(&head)));
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(&head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        other => return strange(&format!("{other:?}")),
    }
    let lines = String::from_utf8_lossy(&head).replace("\r\n", "");
    if lines.contains(['\r', '\n', '\0']) || request.version != Some(1) {
        return strange("a control character, or another version");
    }
    let values = |name: &str| -> Vec<&[u8]> {
        let named = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let (lengths, codings, hosts) = (
        values("content-length"),
        values("transfer-encoding"),
        values("host"),
    );
    let is_number = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if hosts.len() != 1 || lengths.len() + codings.len() > 1 || !lengths.iter().all(is_number) {
        return strange("hosts or framing");
    }
    let body = match (lengths.first(), codings.first()) {
        (Some(length), _) => {
            let length = std::str::from_utf8(length)
                .ok()
                .and_then(|text| text.parse().ok());
            match length {
                Some(length) => take(length),
                None => return strange("length"),
            }
        }
        (None, Some(coding)) if *coding == b"chunked" => match chunks(take) {
            Ok(body) => body,
            Err(why) => return strange(&why),
        },
        (None, Some(_)) => return strange("coding"),
        (None, None) => Some(Vec::new()),
    };
    let Some(body) = body else { return Read::Ended };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Read::Whole(Seen {
        head: text(&head),
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect(),
        body,
    })
}

/// A chunked body without extensions and trailers; none if the connection ends within it.
fn chunks(take: &mut impl FnMut(usize) -> Option<Vec<u8>>) -> Result<Option<Vec<u8>>, String> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            match take(1) {
                Some(byte) => line.extend(byte),
                None => return Ok(None),
            }
        }
        let digits = std::str::from_utf8(&line[..line.len() - 2]).unwrap_or_default();
        let is_size = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(digits, 16).ok().filter(|_| is_size);
        let size = size.ok_or_else(|| format!("size of a chunk {digits:?}"))?;
        let Some(chunk) = take(size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            return Err("end of a chunk".to_owned());
        }
        if size == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
