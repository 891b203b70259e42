//! What a client's frames are, seen from outside: whether a head goes on, and whether they ask for nothing. What they say
//! is the library's to read.

use super::cursor::{Cursor, Header};
use super::heads::Heads;

/// How long what a client says first is, in bytes.
const PREFACE: usize = super::PREFACE.len();
/// The frames that ask for nothing and bring nothing, of which a client may send so many between two looks. Whoever asks
/// much sends few of them.
const MOST_IDLE: u32 = 1000;

const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// The flag of the last frame of a head.
const END_HEADERS: u8 = 4;

/// How far the frames have come.
#[derive(Debug)]
pub(super) struct Outline {
    cursor: Cursor,
    /// The type of the last frame whose header is whole.
    kind: u8,
    /// Whether a head goes on in the next frame.
    is_head_open: bool,
    /// How many heads and frames beside them were begun.
    begun: u64,
    /// How many frames asked for nothing since the last look.
    idle: u32,
    /// The heads that were begun.
    heads: Heads,
}

impl Outline {
    /// Nothing is there yet.
    pub(super) fn new() -> Self {
        Self {
            cursor: Cursor::new(PREFACE),
            kind: DATA,
            is_head_open: false,
            begun: 0,
            idle: 0,
            heads: Heads::new(),
        }
    }

    /// Takes note of bytes that came.
    pub(super) fn note(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Some(header) = self.cursor.next(&mut bytes) {
                self.begin(header);
            }
        }
    }

    /// Takes note of bytes that went out.
    pub(super) fn note_sent(&mut self, bytes: &[u8]) {
        self.heads.note_sent(bytes);
    }

    /// What became of the heads.
    pub(super) fn heads(&mut self) -> &mut Heads {
        &mut self.heads
    }

    /// The number of the head, or of another frame than of a body, that is there in part.
    pub(super) fn unfinished(&self) -> Option<u64> {
        let is_known = self.cursor.begun_kind().is_some_and(|kind| kind != DATA);
        let is_part = self.cursor.is_within() && self.kind != DATA;
        (self.is_head_open || is_part || is_known).then_some(self.begun)
    }

    /// Whether too many frames came that ask for nothing.
    pub(super) fn is_flood(&self) -> bool {
        self.idle > MOST_IDLE
    }

    /// Counts them anew.
    pub(super) fn look(&mut self) {
        self.idle = 0;
    }

    fn begin(&mut self, header: Header) {
        self.kind = header.kind;
        if !self.is_head_open {
            self.begun += 1;
        }
        match header.kind {
            HEADERS | CONTINUATION => {
                self.is_head_open = header.flags & END_HEADERS == 0;
                self.heads.came(header.stream);
            }
            DATA | RST_STREAM | WINDOW_UPDATE => {}
            _ => self.idle += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: u8 = END_HEADERS;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.resize(9 + usize::from(length), 0xff);
        frame
    }

    /// An outline after the preface and these bytes, given `step` at a time.
    fn after(bytes: &[u8], step: usize) -> Outline {
        let mut outline = Outline::new();
        let all = [super::super::PREFACE, bytes].concat();
        all.chunks(step).for_each(|piece| outline.note(piece));
        outline
    }

    #[test]
    fn a_head_is_unfinished_until_its_last_frame_is_whole_however_its_bytes_come() {
        let head = [
            frame(HEADERS, 0, 5),
            frame(CONTINUATION, 0, 0),
            frame(CONTINUATION, END, 7),
        ];
        let all = head.concat();
        for step in 1..all.len() {
            // The type of a frame is known with its fourth byte.
            for there in 4..all.len() {
                let outline = after(&all[..there], step);
                assert!(outline.unfinished().is_some(), "{there} in {step}");
            }
            assert_eq!(after(&all, step).unfinished(), None, "{step}");
        }
    }

    #[test]
    fn a_body_may_stop_anywhere_and_another_frame_may_not() {
        let data = frame(DATA, 0, 9);
        for there in 0..=data.len() {
            assert_eq!(after(&data[..there], 100).unfinished(), None, "{there}");
        }
        let ping = frame(6, 0, 8);
        assert!(after(&ping[..16], 100).unfinished().is_some());
        assert_eq!(after(&ping, 100).unfinished(), None);
        assert_eq!(Outline::new().unfinished(), None);
    }

    #[test]
    fn each_head_has_a_number_of_its_own() {
        let head = frame(HEADERS, END, 5);
        let first = after(&head[..10], 100).unfinished();
        let second = after(&[&head[..], &head[..10]].concat(), 100).unfinished();
        assert!(first.is_some() && second.is_some() && first != second);
        let open = frame(HEADERS, 0, 5);
        let more = [&open[..], &frame(CONTINUATION, 0, 5)].concat();
        assert_eq!(
            after(&open, 100).unfinished(),
            after(&more, 100).unfinished()
        );
    }

    #[test]
    fn frames_that_ask_for_nothing_are_a_flood_when_they_are_many_between_two_looks() {
        let most = usize::try_from(MOST_IDLE).unwrap();
        for kind in [2, 4, 6, 0x77] {
            let mut outline = after(&frame(kind, 0, 8).repeat(most), 100);
            assert!(!outline.is_flood());
            outline.note(&frame(kind, 0, 8));
            assert!(outline.is_flood(), "{kind}");
            outline.look();
            assert!(!outline.is_flood());
        }
        for kind in [DATA, HEADERS, RST_STREAM, WINDOW_UPDATE] {
            assert!(!after(&frame(kind, END, 8).repeat(2 * most), 100).is_flood());
        }
    }
}
