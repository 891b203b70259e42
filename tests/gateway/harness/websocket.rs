//! WebSockets byte by byte: handshakes, and frames that are short.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{Ask, Conversation, Line, Seen};

/// The key of every handshake here, and what answers it: those of RFC 6455, 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// The opcodes of frames.
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

impl Ask {
    /// A handshake for a WebSocket.
    pub fn websocket(target: &str) -> Self {
        Self::get(target)
            .header("Connection", "keep-alive, Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", KEY)
    }
}

/// What answers the key of a handshake that a backend saw.
fn accept_for(seen: &Seen) -> String {
    let key = seen.values("Sec-WebSocket-Key")[0];
    let hash = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

/// A frame of a backend's.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[0x80 | opcode, length], payload].concat()
}

/// The same of a client's, under a mask that changes nothing.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame(opcode, payload);
    frame[1] |= 0x80;
    frame.splice(2..2, [0; 4]);
    frame
}

/// A frame that says farewell.
pub fn farewell(code: u16, reason: &str) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

impl Conversation {
    /// Reads a handshake, records it, and agrees to it, with more headers if any.
    pub fn open_websocket(&mut self, more: &str) -> Seen {
        let seen = self.read_request().unwrap();
        let accept = accept_for(&seen);
        self.send(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
            )
            .as_bytes(),
        );
        seen
    }

    /// Reads a short frame and takes its mask off: its opcode and payload. None at the end of the connection.
    pub fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.read(2)?;
        assert_eq!(head[1] & 0x80, 0x80, "a client's frames are masked");
        let mask = self.read(4)?;
        let mut payload = self.read(usize::from(head[1] & 0x7f))?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((head[0] & 0x0f, payload))
    }

    /// Sends back the payload of every frame until the farewell, or the end.
    pub fn echo(&mut self) {
        while let Some((opcode, payload)) = self.read_frame() {
            self.send(&frame(opcode, &payload));
            if opcode == CLOSE {
                return;
            }
        }
    }
}

impl Line {
    /// Opens a WebSocket and gives the headers of the answer.
    #[track_caller]
    pub fn open_websocket(&mut self, ask: &Ask) -> Vec<(String, String)> {
        self.send_all(&ask.bytes());
        let (status, headers) = self.head().expect("an answer should come");
        assert_eq!(status, 101, "{headers:?}");
        headers
    }

    /// Reads a short frame: its opcode and payload.
    pub fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.read(2);
        assert!(head[1] < 126, "a short frame should come, not {head:?}");
        (head[0] & 0x0f, self.read(usize::from(head[1])))
    }

    /// Reads a farewell: the code and the reason.
    pub fn farewell(&mut self) -> (u16, String) {
        let (opcode, payload) = self.frame();
        assert_eq!(opcode, CLOSE, "{payload:?}");
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        (code, String::from_utf8(payload[2..].to_vec()).unwrap())
    }
}
