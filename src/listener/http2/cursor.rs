//! Where one frame of HTTP/2 ends and the next begins. Knows of a frame only what its header says.

/// What stands before what a frame says, in bytes.
const FRAME_HEADER: usize = 9;

/// What a frame's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// 0 is the connection.
    pub(super) stream: u32,
}

/// How far the frames of one direction have come.
#[derive(Debug)]
pub(super) struct Cursor {
    /// What of a frame's header is there.
    header: [u8; FRAME_HEADER],
    /// How much of that is there.
    there: usize,
    /// How many bytes of the last frame have still to come.
    left: usize,
}

impl Cursor {
    /// Nothing is there yet, and `before` bytes come before the first frame.
    pub(super) fn new(before: usize) -> Self {
        Self {
            header: [0; FRAME_HEADER],
            there: 0,
            left: before,
        }
    }

    /// Takes of `bytes` what stands before the end of the next frame's header, or all; gives the header when it is whole.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Header> {
        let skipped = self.left.min(bytes.len());
        self.left -= skipped;
        *bytes = bytes.get(skipped..).unwrap_or_default();
        if self.left > 0 {
            return None;
        }
        let missing = self.header.get_mut(self.there..).unwrap_or_default();
        let taken = missing.len().min(bytes.len());
        let (new, rest) = bytes.split_at(taken);
        missing
            .iter_mut()
            .zip(new)
            .for_each(|(to, from)| *to = *from);
        self.there += taken;
        *bytes = rest;
        (self.there == FRAME_HEADER).then(|| self.begin())
    }

    /// Whether the last frame has not come whole.
    pub(super) fn is_within(&self) -> bool {
        self.left > 0
    }

    /// The type of the frame whose header has come in part, as far as that is known.
    pub(super) fn begun_kind(&self) -> Option<u8> {
        let [_, _, _, kind, ..] = self.header;
        (self.there > 3).then_some(kind)
    }

    fn begin(&mut self) -> Header {
        let [high, middle, low, kind, flags, a, b, c, d] = self.header;
        self.left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.there = 0;
        Header {
            kind,
            flags,
            // Its first bit means nothing.
            stream: u32::from_be_bytes([a & 0x7f, b, c, d]),
        }
    }
}
