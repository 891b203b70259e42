//! A client of HTTP/2 that sends exactly the frames it is told to, without a library's help.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::LONGEST;

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;

    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    /// A whole head that nothing follows.
    pub fn get(stream: u32, fields: &[(&str, &str)]) -> Self {
        let flags = Self::END_HEADERS | Self::END_STREAM;
        Self::new(kind::HEADERS, flags, stream, fields_of(fields))
    }

    /// A whole head that a body follows.
    pub fn post(stream: u32, fields: &[(&str, &str)]) -> Self {
        Self::new(kind::HEADERS, Self::END_HEADERS, stream, fields_of(fields))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let head = [
            &length[1..],
            &[self.kind, self.flags],
            &self.stream.to_be_bytes(),
        ];
        [&head.concat(), &self.payload[..]].concat()
    }

    /// The status in the head of an answer, where it stands first: as one of the table, or said in full; 0 if it does not.
    pub fn status(&self) -> u16 {
        let bytes = &self.payload;
        let digits = bytes
            .windows(3)
            .find(|bytes| bytes.iter().all(u8::is_ascii_digit));
        let said = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        match bytes.iter().find(|byte| **byte >= 0x80) {
            Some(0x88) => 200,
            Some(0x8c) => 400,
            Some(0x8d) => 404,
            _ => said.unwrap_or(0),
        }
    }

    /// The code in a frame that ends a stream or the connection.
    pub fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A header as it stands in a head, said in full.
fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        let mut length = text.len();
        if length < 127 {
            field.push(u8::try_from(length).unwrap());
        } else {
            field.push(127);
            length -= 127;
            while length >= 128 {
                field.push(u8::try_from(length % 128).unwrap() | 128);
                length /= 128;
            }
            field.push(u8::try_from(length).unwrap());
        }
        field.extend_from_slice(text);
    }
    field
}

/// A head as it stands in frames.
pub fn fields_of(fields: &[(&str, &str)]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

/// How the gateway takes what a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The connection goes on, and nothing is said.
    Ignored,
    /// The connection goes on, and this stream is answered.
    Answered(u32),
    /// The connection goes on without this stream, for this reason.
    Reset(u32, u32),
    /// The connection ends for this reason.
    GoAway(u32),
    /// The connection ends without a word.
    Ended,
}

/// A connection.
pub struct Frames {
    stream: BufReader<TcpStream>,
}

impl Frames {
    /// Connects and says what a client says first, with no settings of its own.
    pub fn to(address: SocketAddr) -> Self {
        let mut frames = Self::silent(address);
        frames.send_bytes(PREFACE);
        frames.send(&Frame::new(kind::SETTINGS, 0, 0, []));
        frames
    }

    /// Connects and says nothing.
    pub fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        stream.set_write_timeout(Some(LONGEST)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, frame: &Frame) {
        self.send_bytes(&frame.bytes());
    }

    /// Sends bytes. A gateway that has closed already shows when its frames are read.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// The next frame; none at the end of the connection.
    pub fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    /// How the gateway takes what was sent: what of `expected` comes first, or else what ends the waiting for it.
    #[track_caller]
    pub fn verdict(&mut self, expected: &[Verdict]) -> Verdict {
        let ping = Frame::new(kind::PING, 0, 0, b"verdict?");
        self.send(&ping);
        let mut pongs = 0;
        while let Some(frame) = self.next() {
            let verdict = match frame.kind {
                kind::GOAWAY => {
                    // Who is told to go without a fault may finish what was begun.
                    assert!(frame.code() == 0 || self.rest().is_empty());
                    return Verdict::GoAway(frame.code());
                }
                kind::RST_STREAM => return Verdict::Reset(frame.stream, frame.code()),
                kind::HEADERS => Verdict::Answered(frame.stream),
                kind::PING if frame.payload == ping.payload => {
                    // What was written down before the first answer to it is out before the second.
                    pongs += 1;
                    if pongs == 1 {
                        self.send(&ping);
                        continue;
                    }
                    Verdict::Ignored
                }
                _ => continue,
            };
            if expected.contains(&verdict) {
                return verdict;
            }
        }
        Verdict::Ended
    }

    /// All frames until the gateway ends the connection.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next() {
            frames.push(frame);
        }
        let is_ended = match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(is_ended, "the connection should end: {frames:?}");
        frames
    }
}
