//! Where the frames of one direction begin and end, and the frame that says farewell. Knows nothing of what they carry.

/// The opcode of a frame that ends the WebSocket.
const CLOSE: u8 = 8;
/// What of a frame's first byte is its opcode.
const OPCODE: u8 = 0x0f;
/// What of its second byte tells that a mask stands before the payload.
const MASKED: u8 = 0x80;
/// The bytes of a mask.
const MASK_BYTES: u8 = 4;
/// A frame that is whole, and ends the WebSocket.
const LAST_FRAME: u8 = 0x80 | CLOSE;

/// How far the frames of one direction have come: their heads are read, and nothing else.
#[derive(Debug)]
pub struct Frames {
    /// How many bytes of a head are there, and how many it has, as far as that is known.
    have: u8,
    need: u8,
    /// How many of those tell the length.
    of_length: u8,
    /// How many bytes of the payload are still to come.
    left: u64,
    is_last: bool,
    has_ended: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            have: 0,
            need: 2,
            of_length: 0,
            left: 0,
            is_last: false,
            has_ended: false,
        }
    }
}

impl Frames {
    /// Takes note of bytes up to the end of the frame that they begin with or go on with, and tells how many these are.
    pub fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.have < self.need {
            let Some(byte) = bytes.get(taken) else {
                return taken;
            };
            self.read_head(*byte);
            taken += 1;
        }
        let more = bytes.len() - taken;
        let of_payload = usize::try_from(self.left).unwrap_or(more).min(more);
        self.left -= u64::try_from(of_payload).unwrap_or(self.left);
        if self.left == 0 {
            let has_ended = self.has_ended || self.is_last;
            *self = Self {
                has_ended,
                ..Self::default()
            };
        }
        taken + of_payload
    }

    /// Takes note of bytes, however many frames they are.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.advance(bytes);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Whether no frame has begun that is not whole.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.have == 0
    }

    /// Whether the frame that ends the WebSocket has passed: nothing may follow it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn read_head(&mut self, byte: u8) {
        match self.have {
            0 => self.is_last = byte & OPCODE == CLOSE,
            1 => {
                self.of_length = match byte & !MASKED {
                    126 => 2,
                    127 => 8,
                    length => {
                        self.left = length.into();
                        0
                    }
                };
                let of_mask = if byte & MASKED == 0 { 0 } else { MASK_BYTES };
                self.need += self.of_length + of_mask;
            }
            place if place < 2 + self.of_length => {
                self.left = self.left << 8 | u64::from(byte);
            }
            _ => {}
        }
        self.have += 1;
    }
}

/// What the gateway says to both sides when it ends a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The code, as RFC 6455, 7.4.1 has them.
    pub code: u16,
    /// Why, in one word that fits into one frame.
    pub reason: &'static str,
}

impl Farewell {
    /// The frame for a client.
    #[must_use]
    pub fn to_client(self) -> Vec<u8> {
        self.frame(None)
    }

    /// The frame for a backend, behind a mask as a client's must be.
    #[must_use]
    pub fn to_backend(self, mask: [u8; MASK_BYTES as usize]) -> Vec<u8> {
        self.frame(Some(mask))
    }

    fn frame(self, mask: Option<[u8; MASK_BYTES as usize]>) -> Vec<u8> {
        let [first, second] = self.code.to_be_bytes();
        let payload = [first, second].into_iter().chain(self.reason.bytes());
        let length = u8::try_from(2 + self.reason.len()).unwrap_or(2).min(125);
        let payload = payload.take(length.into());
        let mut frame = vec![LAST_FRAME];
        match mask {
            None => {
                frame.push(length);
                frame.extend(payload);
            }
            Some(mask) => {
                frame.push(MASKED | length);
                frame.extend(mask);
                frame.extend(payload.zip(mask.into_iter().cycle()).map(|(b, m)| b ^ m));
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A frame, with the length in as many bytes as it takes.
    fn frame(opcode: u8, is_masked: bool, payload: &[u8]) -> Vec<u8> {
        let mask = if is_masked { MASKED } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..126 => frame.push(mask + u8::try_from(length).unwrap()),
            length @ 126..0x1_0000 => {
                frame.push(mask + 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(mask + 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if is_masked {
            frame.extend([1, 2, 3, 4]);
        }
        frame.extend(payload);
        frame
    }

    #[test]
    fn a_farewell_is_a_frame_of_its_own_for_either_side() {
        let farewell = Farewell {
            code: 1001,
            reason: "bye",
        };
        assert_eq!(farewell.to_client(), b"\x88\x05\x03\xe9bye");
        let masked = farewell.to_backend([1, 2, 3, 4]);
        assert_eq!(masked[..6], [0x88, 0x85, 1, 2, 3, 4]);
        let unmasked = masked[6..].iter().zip([1, 2, 3, 4, 1]).map(|(b, m)| b ^ m);
        assert_eq!(unmasked.collect::<Vec<_>>(), b"\x03\xe9bye");
        for bytes in [farewell.to_client(), masked] {
            let mut frames = Frames::default();
            frames.pass(&bytes);
            assert!(frames.is_between() && frames.has_ended());
        }
    }

    #[test]
    fn a_frame_whose_length_nobody_can_mean_has_no_end() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]);
        frames.pass(&[0; 1000]);
        assert!(!frames.is_between());
    }

    proptest! {
        #[test]
        fn the_borders_are_where_they_are_however_the_bytes_are_cut(
            sizes in prop::collection::vec((prop_oneof![0..200_usize, 65_000..66_000_usize], any::<bool>(), 0..8_u8), 1..6),
            cuts in prop::collection::vec(1..9000_usize, 1..40),
        ) {
            let mut bytes = Vec::new();
            let mut borders = vec![0];
            for (size, is_masked, opcode) in &sizes {
                bytes.extend(frame(*opcode, *is_masked, &vec![0xff; *size]));
                borders.push(bytes.len());
            }
            let (mut frames, mut at) = (Frames::default(), 0);
            for cut in cuts.into_iter().cycle() {
                let end = (at + cut).min(bytes.len());
                while at < end {
                    let next = borders.iter().find(|border| **border > at).unwrap();
                    let taken = frames.advance(&bytes[at..end]);
                    prop_assert_eq!(taken, (*next).min(end) - at);
                    at += taken;
                    prop_assert_eq!(frames.is_between(), borders.contains(&at));
                }
                if at == bytes.len() {
                    break;
                }
            }
            prop_assert!(!frames.has_ended());
        }
    }
}
