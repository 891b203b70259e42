//! What one connection cannot make the gateway do, however it tries.

use serde_json::{Value, json};

use super::{around, behind, world};
use crate::harness::{Ask, Frame, Frames, Gate, Multiplexed, Verdict, World, fields_of, kind};

const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

const FLOODED: &str = "the connection is flooded";
const CALM: Verdict = Verdict::GoAway(ENHANCE_YOUR_CALM);
const HEAD: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/open/"),
    (":authority", "a.cn"),
];

/// The numbers of so many streams.
fn numbers(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

fn cancel(stream: u32) -> Frame {
    Frame::new(kind::RST_STREAM, 0, stream, CANCEL.to_be_bytes())
}

fn bytes(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(|frame| frame.bytes()).collect()
}

/// Holds that the gateway ends a connection that sends these frames again and again, and serves on.
#[track_caller]
fn is_calmed(world: &World, frames: impl IntoIterator<Item = Frame>) {
    let mut line = Frames::to(world.address());
    line.send_bytes(&bytes(frames));
    assert_eq!(line.verdict(&[]), CALM);
    world
        .log
        .line("the reason", |line| line["reason"] == FLOODED);
    let mut line = Multiplexed::to(world.address());
    assert_eq!(line.ask(&Ask::get("/wx/check")).status, 401);
}

#[test]
fn no_more_than_a_hundred_requests_are_answered_at_a_time() {
    let gate = Gate::default();
    let world = around(behind(&gate));
    let mut line = Frames::to(world.address());
    line.send_bytes(&bytes(numbers(100).map(|stream| Frame::get(stream, &HEAD))));
    world.backend.wait_seen(100);
    line.send(&Frame::get(201, &HEAD));
    assert_eq!(line.verdict(&[]), Verdict::Reset(201, REFUSED_STREAM));
    let refused = "there are too many requests at a time on the connection";
    let line = world
        .log
        .line("the refusal", |line| line["reason"] == refused);
    assert_eq!(
        (&line["status"], &line["refusal"]),
        (&json!(503), &json!("overloaded"))
    );
    gate.open();
    assert_eq!(world.backend.seen().len(), 100);
}

#[test]
fn a_head_over_its_limits_is_refused() {
    let world = world();
    let mut line = Multiplexed::to(world.address());
    let many = (0..100).fold(Ask::get("/open/"), |ask, n| {
        ask.header(&format!("x-{n}"), "")
    });
    line.ask(&many).refused(431, "headers_too_large");
    let long = Ask::get("/open/").header("X-A", &"a".repeat(33 * 1024));
    assert_eq!(line.ask(&long).status, 431);
    let target = Ask::get(&format!("/open/?{}", "a".repeat(8 * 1024)));
    line.ask(&target).refused(414, "uri_too_long");
    assert_eq!(line.ask(&Ask::get("/open/")).status, 200);
    assert_eq!(world.backend.seen().len(), 1);
    let too_large = |line: &Value| line["status"] == 431;
    world.log.line("the refusal", too_large);
    assert_eq!(
        world
            .log
            .access_lines()
            .into_iter()
            .filter(too_large)
            .count(),
        2
    );
}

#[test]
fn what_is_no_head_leaves_an_access_line_and_the_requests_beside_it_theirs() {
    let world = world();
    let mut line = Frames::to(world.address());
    let bad = || Frame::get(3, &HEAD[..3].repeat(2));
    line.send_bytes(&bytes([Frame::get(1, &HEAD), bad(), Frame::get(5, &HEAD)]));
    let answered = [Verdict::Answered(1), Verdict::Answered(5)];
    let met: Vec<_> = (0..3).map(|_| line.verdict(&answered)).collect();
    let reset = |verdict: &&Verdict| matches!(verdict, Verdict::Reset(3, _));
    assert_eq!(met.iter().filter(reset).count(), 1, "{met:?}");
    let refused = world.log.line("the refusal", |line| {
        line["reason"] == "the head is none of HTTP/2"
    });
    assert_eq!(
        (&refused["status"], &refused["refusal"]),
        (&json!(400), &json!("bad_request"))
    );
    world
        .log
        .line("the last request", |line| line["status"] == 200);
    let statuses: Vec<_> = world
        .log
        .access_lines()
        .iter()
        .map(|line| line["status"].clone())
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 400).count(),
        1,
        "{statuses:?}"
    );
}

#[test]
fn a_head_that_grows_as_it_is_read_is_refused() {
    let world = world();
    // A long header that goes into the table, and then is named by one byte each.
    let name = [&[0x40, 1, b'x', 127, 0xa1, 0x1e][..], &[b'a'; 4000]].concat();
    let bomb = |times| [&fields_of(&HEAD)[..], &name, &vec![0xbe; times]].concat();
    let head = |stream, times| Frame::new(kind::HEADERS, 5, stream, bomb(times));
    let mut line = Frames::to(world.address());
    line.send(&head(1, 10));
    assert_eq!(line.verdict(&[Verdict::Answered(1)]), Verdict::Answered(1));
    is_calmed(&world, [head(1, 10_000)]);
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_client_that_resets_what_it_just_asked_is_calmed() {
    let world = world();
    let asked = |stream| [Frame::get(stream, &HEAD), cancel(stream)];
    is_calmed(&world, numbers(1000).flat_map(asked));
}

#[test]
fn a_client_that_abandons_what_reached_the_backend_is_calmed() {
    let gate = Gate::default();
    let world = around(behind(&gate));
    let mut line = Frames::to(world.address());
    let mut asked = 0;
    for stream in numbers(101) {
        line.send(&Frame::get(stream, &HEAD));
        asked += 1;
        world.backend.wait_seen(asked);
        line.send(&cancel(stream));
    }
    assert_eq!(line.verdict(&[]), CALM);
    let abandoned = |line: &Value| line["status"] == 499 || line["reason"] == FLOODED;
    let lines = world.log.access_lines();
    assert!(lines.iter().all(abandoned), "{lines:?}");
    gate.open();
}

#[test]
fn a_client_that_makes_the_gateway_reset_is_calmed() {
    let world = world();
    let fault = |stream| Frame::get(stream, &HEAD[..3].repeat(2));
    is_calmed(&world, numbers(1000).map(fault));
    assert!(world.backend.seen().is_empty());
}

#[test]
fn a_client_that_floods_is_calmed() {
    let world = world();
    let login = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/wx/login"),
    ];
    let login = [
        &login[..],
        &[("host", "a.cn"), ("content-type", "application/json")],
    ]
    .concat();
    let post = || [Frame::post(1, &login)];
    let part = || [Frame::new(kind::HEADERS, 0, 1, fields_of(&HEAD))];
    let many = |frame: Frame| std::iter::repeat_n(frame, 100_000);
    let flood = |kind, payload: &[u8]| many(Frame::new(kind, 0, 0, payload));
    is_calmed(&world, flood(kind::PING, b"01234567"));
    is_calmed(&world, flood(kind::SETTINGS, b""));
    is_calmed(&world, many(Frame::new(kind::PRIORITY, 0, 9, [0; 5])));
    is_calmed(&world, flood(0x77, b"unknown"));
    is_calmed(
        &world,
        post()
            .into_iter()
            .chain(many(Frame::new(kind::DATA, 0, 1, ""))),
    );
    is_calmed(
        &world,
        post()
            .into_iter()
            .chain(many(Frame::new(kind::DATA, 0, 1, "x"))),
    );
    let more = Frame::new(kind::CONTINUATION, 0, 1, fields_of(&[("x", "")]));
    is_calmed(&world, part().into_iter().chain(many(more)));
    assert!(world.backend.seen().is_empty());
}
