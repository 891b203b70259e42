//! What breaks the rules of RFC 9113, frame by frame: each in a connection of its own, and how that is told.

mod heads;

use super::world;
use crate::harness::{Frame, Frames, Verdict, World, fields_of, kind};

use Verdict::{Answered, GoAway, Ignored, Reset};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

/// The head of a request that is answered.
const HEAD: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/wx/check"),
    (":authority", "a.cn"),
];

fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Frame {
    Frame::new(kind, flags, stream, payload)
}

fn get(stream: u32) -> Frame {
    Frame::get(stream, &HEAD)
}

fn post(stream: u32) -> Frame {
    Frame::post(stream, &HEAD)
}

/// Part of a head, which goes on.
fn part(stream: u32) -> Frame {
    frame(kind::HEADERS, Frame::END_STREAM, stream, fields_of(&HEAD))
}

fn setting(name: u16, value: u32) -> Frame {
    let payload = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(kind::SETTINGS, 0, 0, payload)
}

fn window_update(stream: u32, by: u32) -> Frame {
    frame(kind::WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

/// Holds that the gateway takes each of these as is told beside it, and serves on.
#[track_caller]
fn taken<const N: usize>(cases: [(&str, Vec<Frame>, &[Verdict]); N]) {
    let world = world();
    let wrong = cases.into_iter().filter_map(|(name, frames, expected)| {
        let verdict = verdict(&world, &frames, expected);
        (!expected.contains(&verdict)).then(|| format!("{name}: {verdict:?}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(verdict(&world, &[get(1)], &[Answered(1)]), Answered(1));
    assert!(world.backend.seen().is_empty());
    assert!(!world.log.text().contains("\"level\":\"ERROR\""));
}

fn verdict(world: &World, frames: &[Frame], expected: &[Verdict]) -> Verdict {
    let mut line = Frames::to(world.address());
    let bytes: Vec<_> = frames.iter().flat_map(Frame::bytes).collect();
    line.send_bytes(&bytes);
    line.verdict(expected)
}

#[test]
fn frames_have_their_form() {
    let large = vec![0; 16 * 1024 + 1];
    let padded = [&[200], &fields_of(&HEAD)[..]].concat();
    // The library tells the smaller half of them as any other fault.
    let size = &[GoAway(FRAME_SIZE_ERROR), GoAway(PROTOCOL_ERROR)];
    let protocol = &[GoAway(PROTOCOL_ERROR)];
    taken([
        (
            "4.1 an unknown type",
            vec![frame(0x16, 0xff, 0, "any")],
            &[Ignored],
        ),
        (
            "4.1 unknown flags",
            vec![frame(kind::PING, 0x16, 0, [0; 8])],
            &[Ignored],
        ),
        (
            "4.1 a reserved bit",
            vec![frame(kind::PING, 0, 1 << 31, [0; 8])],
            &[Ignored],
        ),
        (
            "4.2 a large DATA",
            vec![post(1), frame(kind::DATA, 0, 1, &large)],
            size,
        ),
        (
            "4.2 a large HEADERS",
            vec![frame(kind::HEADERS, 5, 1, &large)],
            size,
        ),
        (
            "6.1 DATA of no stream",
            vec![frame(kind::DATA, 1, 0, "x")],
            protocol,
        ),
        (
            "6.1 padding beyond DATA",
            vec![post(1), frame(kind::DATA, 8, 1, [9, 1])],
            protocol,
        ),
        (
            "6.2 HEADERS of no stream",
            vec![Frame::get(0, &HEAD)],
            protocol,
        ),
        (
            "6.2 padding beyond HEADERS",
            vec![frame(kind::HEADERS, 13, 1, padded)],
            protocol,
        ),
        (
            "6.3 PRIORITY of no stream",
            vec![frame(kind::PRIORITY, 0, 0, [0; 5])],
            protocol,
        ),
        (
            "6.3 a short PRIORITY",
            vec![post(1), frame(kind::PRIORITY, 0, 1, [0; 4])],
            size,
        ),
        (
            "6.4 RST_STREAM of no stream",
            vec![frame(kind::RST_STREAM, 0, 0, [0; 4])],
            protocol,
        ),
        (
            "6.4 a short RST_STREAM",
            vec![post(1), frame(kind::RST_STREAM, 0, 1, [0; 3])],
            size,
        ),
        (
            "6.6 PUSH_PROMISE",
            vec![frame(kind::PUSH_PROMISE, 4, 1, [0, 0, 0, 2])],
            protocol,
        ),
        (
            "6.7 PING of a stream",
            vec![frame(kind::PING, 0, 1, [0; 8])],
            protocol,
        ),
        (
            "6.7 a short PING",
            vec![frame(kind::PING, 0, 0, [0; 7])],
            size,
        ),
        (
            "6.7 an answer to no PING",
            vec![frame(kind::PING, Frame::ACK, 0, [1; 8])],
            &[Ignored],
        ),
        (
            "6.8 GOAWAY of a stream",
            vec![frame(kind::GOAWAY, 0, 1, [0; 8])],
            protocol,
        ),
    ]);
}

#[test]
fn settings_have_their_form_and_their_bounds() {
    // The library tells the smaller half of them as any other fault.
    let size = &[GoAway(FRAME_SIZE_ERROR), GoAway(PROTOCOL_ERROR)];
    let protocol = &[GoAway(PROTOCOL_ERROR)];
    let flow = &[GoAway(FLOW_CONTROL_ERROR), GoAway(PROTOCOL_ERROR)];
    taken([
        (
            "6.5 an answer with words",
            vec![frame(kind::SETTINGS, 1, 0, [0; 6])],
            size,
        ),
        (
            "6.5 of a stream",
            vec![frame(kind::SETTINGS, 0, 1, [])],
            protocol,
        ),
        (
            "6.5 half a setting",
            vec![frame(kind::SETTINGS, 0, 0, [0; 3])],
            size,
        ),
        ("6.5.2 push neither way", vec![setting(2, 2)], protocol),
        ("6.5.2 an endless window", vec![setting(4, 1 << 31)], flow),
        ("6.5.2 short frames", vec![setting(5, 16383)], protocol),
        ("6.5.2 endless frames", vec![setting(5, 1 << 24)], protocol),
        (
            "6.5.2 an unknown setting",
            vec![setting(0xff, 1)],
            &[Ignored],
        ),
        (
            "6.9 a window wider by nothing",
            vec![window_update(0, 0)],
            protocol,
        ),
        (
            "6.9 a stream's window wider by nothing",
            vec![post(1), window_update(1, 0)],
            &[Reset(1, PROTOCOL_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
        (
            "6.9 a short WINDOW_UPDATE",
            vec![frame(kind::WINDOW_UPDATE, 0, 0, [1; 3])],
            size,
        ),
        (
            "6.9.1 an endless window",
            vec![window_update(0, (1 << 31) - 1)],
            flow,
        ),
        (
            "6.9.1 a stream's endless window",
            vec![post(1), window_update(1, (1 << 31) - 1)],
            &[Reset(1, FLOW_CONTROL_ERROR)],
        ),
        (
            "6.9.2 a window that becomes endless",
            vec![
                post(1),
                window_update(1, (1 << 31) - 1 - 65_535),
                setting(4, 65_536),
            ],
            &[GoAway(FLOW_CONTROL_ERROR), Reset(1, FLOW_CONTROL_ERROR)],
        ),
    ]);
}

#[test]
fn a_stream_lives_as_it_may() {
    let protocol = &[GoAway(PROTOCOL_ERROR)];
    let closed = &[
        Reset(1, STREAM_CLOSED),
        GoAway(STREAM_CLOSED),
        // As of a stream that never was, once it is forgotten.
        GoAway(PROTOCOL_ERROR),
    ];
    let reset = || frame(kind::RST_STREAM, 0, 1, 8_u32.to_be_bytes());
    let data = |stream| frame(kind::DATA, 1, stream, "x");
    let more = |stream| frame(kind::CONTINUATION, 4, stream, "");
    taken([
        ("5.1 DATA before HEADERS", vec![data(1)], protocol),
        ("5.1 RST_STREAM before HEADERS", vec![reset()], protocol),
        (
            "5.1 WINDOW_UPDATE before HEADERS",
            vec![window_update(1, 1)],
            protocol,
        ),
        ("5.1 CONTINUATION before HEADERS", vec![more(1)], protocol),
        ("5.1 DATA after the end", vec![get(1), data(1)], closed),
        ("5.1 HEADERS after the end", vec![get(1), get(1)], closed),
        (
            "5.1 CONTINUATION after the end",
            vec![get(1), more(1)],
            protocol,
        ),
        (
            "5.1 DATA after a reset",
            vec![post(1), reset(), data(1)],
            &[Reset(1, STREAM_CLOSED), GoAway(STREAM_CLOSED), Ignored],
        ),
        (
            "5.1 PRIORITY at any time",
            vec![frame(kind::PRIORITY, 0, 9, [0; 5])],
            &[Ignored],
        ),
        ("5.1.1 a number of the server's", vec![get(2)], protocol),
        ("5.1.1 a number of before", vec![get(5), get(3)], protocol),
        (
            "5.3.1 a stream that waits for itself",
            vec![frame(kind::PRIORITY, 0, 1, [0, 0, 0, 1, 0])],
            &[Reset(1, PROTOCOL_ERROR)],
        ),
        (
            "6.10 CONTINUATION of no stream",
            vec![part(1), more(0)],
            protocol,
        ),
        (
            "6.10 CONTINUATION of another stream",
            vec![part(1), more(3)],
            protocol,
        ),
        (
            "4.3 PRIORITY within a head",
            vec![part(1), frame(kind::PRIORITY, 0, 1, [0; 5])],
            protocol,
        ),
        (
            "4.3 another head within a head",
            vec![part(1), get(3)],
            protocol,
        ),
        (
            "5.5 an unknown type within a head",
            vec![part(1), frame(0x16, 0, 0, "")],
            protocol,
        ),
        (
            "6.10 a head in parts",
            vec![part(1), frame(kind::CONTINUATION, 0, 1, ""), more(1)],
            &[Answered(1)],
        ),
        (
            "4.3 a head that cannot be read",
            vec![frame(kind::HEADERS, 5, 1, [0x80])],
            &[GoAway(COMPRESSION_ERROR), GoAway(PROTOCOL_ERROR)],
        ),
    ]);
}

#[test]
fn who_begins_otherwise_than_with_the_preface_speaks_no_http_2() {
    let world = world();
    let mut line = world.connect();
    line.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    line.answer().refused(400, "bad_request");
    assert!(line.is_ended());
}

#[test]
fn a_connection_that_breaks_the_rules_leaves_a_line_for_whoever_looks_for_it() {
    let world = world();
    let verdict = verdict(&world, &[get(2)], &[]);
    assert_eq!(verdict, GoAway(PROTOCOL_ERROR));
    let said = "a connection of HTTP/2 failed";
    let line = world
        .log
        .line("the failure", |line| line["message"] == said);
    assert_eq!(line["level"], "DEBUG");
    let line = world
        .log
        .line("the access line", |line| line["status"] == 400);
    assert_eq!(line["reason"], "the connection breaks the rules of HTTP/2");
    assert_eq!(world.log.access_lines().len(), 1);
}
