//! Bodies pass both ways byte for byte, as they come, and never faster than the other side takes them.

use crate::harness::{Ask, BASE, Backend, Gate, World};

const MIB: usize = 1024 * 1024;

/// Bytes among which every shift shows.
fn pattern(length: usize) -> Vec<u8> {
    let byte = |place: usize| u8::try_from(place % 251).unwrap();
    (0..length).map(byte).collect()
}

/// A backend that answers every request with the body it was sent.
fn echo() -> Backend {
    Backend::that(|conversation| {
        while let Some(seen) = conversation.read_request() {
            conversation.answer("200 OK", &seen.body);
        }
    })
}

/// What a chunked body of these pieces is written as.
fn chunked(pieces: &[&[u8]]) -> Vec<u8> {
    let write = |piece: &&[u8]| {
        let size = format!("{:x}\r\n", piece.len());
        [size.as_bytes(), piece, b"\r\n"].concat()
    };
    let written: Vec<_> = pieces.iter().flat_map(write).collect();
    [&written[..], b"0\r\n\r\n"].concat()
}

#[test]
fn a_body_with_its_length_passes_byte_for_byte_both_ways() {
    let world = World::around(BASE, echo());
    for length in [0, 1, 64 * 1024 + 1, MIB] {
        let body = pattern(length);
        let answer = world.ask(&Ask::post("/open/echo").body(&body));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), Some(&*length.to_string()));
        assert!(answer.body == body, "{length} bytes came back changed");
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("Transfer-Encoding"), [""; 0]);
        world.backend.forget();
    }
}

#[test]
fn a_chunked_body_passes_byte_for_byte_and_stays_chunked() {
    let world = World::around(BASE, echo());
    let body = pattern(MIB);
    let (start, rest) = body.split_at(1);
    let ask = Ask::post("/open/echo").header("Transfer-Encoding", "chunked");
    let mut line = world.connect();
    line.send(&ask.bytes());
    line.send(&chunked(&[start, rest]));
    let answer = line.answer();
    assert_eq!(answer.status, 200);
    assert!(answer.body == body, "the body came back changed");
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("Transfer-Encoding"), ["chunked"]);
    assert_eq!(seen.values("Content-Length"), [""; 0]);
}

#[test]
fn a_chunked_body_passes_under_every_method() {
    let world = World::around(BASE, echo());
    for method in ["GET", "DELETE", "OPTIONS", "PROPFIND"] {
        let ask = Ask::new(method, "/open/echo").header("Transfer-Encoding", "chunked");
        let mut line = world.connect();
        line.send(&ask.bytes());
        line.send(&chunked(&[b"a search", b" of ours"]));
        assert_eq!(line.answer().text(), "a search of ours", "{method}");
    }
}

#[test]
fn values_of_any_bytes_and_of_none_pass_as_they_are_in_one_request() {
    let world = World::new();
    let mut line = world.connect();
    line.send(b"GET /open/ HTTP/1.1\r\nHost: api.example.com\r\nX-None:\r\nX-Any: \xe7\x94\xa8\t\xff:\x80\r\n\r\n");
    assert_eq!(line.answer().text(), "seen");
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("x-none"), [""]);
    assert_eq!(seen.values("x-any"), ["\u{7528}\t\u{fffd}:\u{fffd}"]);
    assert_eq!(seen.values("host"), ["api.example.com"]);
}

#[test]
fn trailers_of_a_client_end_at_the_gateway() {
    let world = World::around(
        BASE,
        Backend::that(|conversation| {
            let head = conversation.read_head().unwrap();
            assert_eq!(head.values("Trailer"), [""; 0]);
            let end = conversation.read(b"2\r\nhi\r\n0\r\n\r\n".len()).unwrap();
            conversation.answer("200 OK", &end);
        }),
    );
    let ask = Ask::post("/open/")
        .header("Transfer-Encoding", "chunked")
        .header("Trailer", "X-OpenId");
    let mut line = world.connect();
    line.send(&ask.bytes());
    line.send(b"2\r\nhi\r\n0\r\nX-OpenId: forged\r\n\r\n");
    assert_eq!(line.answer().text(), "2\r\nhi\r\n0\r\n\r\n");
}

#[test]
fn the_client_reads_a_piece_before_the_backend_has_written_the_next() {
    let read = Gate::default();
    let backend = Backend::that({
        let read = read.clone();
        move |conversation| {
            conversation.read_request();
            conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            conversation.send_chunk(b"first");
            read.wait();
            conversation.send_chunk(b"second");
            conversation.send_chunk(b"");
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    assert_eq!(line.head().unwrap().0, 200);
    assert_eq!(line.chunk(), b"first");
    read.open();
    assert_eq!(line.chunk(), b"second");
    assert_eq!(line.chunk(), b"");
}

#[test]
fn the_backend_reads_a_piece_before_the_client_has_written_the_next() {
    let read = Gate::default();
    let backend = Backend::that({
        let read = read.clone();
        move |conversation| {
            conversation.read_head();
            assert_eq!(conversation.read(5).unwrap(), b"first");
            read.open();
            assert_eq!(conversation.read(6).unwrap(), b"second");
            conversation.answer("200 OK", b"both");
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "11").bytes());
    line.send(b"first");
    read.wait();
    line.send(b"second");
    assert_eq!(line.answer().text(), "both");
}

#[test]
fn an_answer_may_begin_before_the_request_has_ended() {
    let backend = Backend::that(|conversation| {
        conversation.read_head();
        conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..3 {
            let piece = conversation.read(4).unwrap();
            conversation.send_chunk(&piece);
        }
        conversation.send_chunk(b"");
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::post("/open/").header("Content-Length", "12").bytes());
    assert_eq!(line.head().unwrap().0, 200);
    for piece in [b"ping", b"pong", b"peng"] {
        line.send(piece);
        assert_eq!(line.chunk(), piece);
    }
    assert_eq!(line.chunk(), b"");
}

#[test]
fn server_sent_events_come_one_by_one_under_their_own_name() {
    let next = Gate::default();
    let backend = Backend::that({
        let next = next.clone();
        move |conversation| {
            conversation.read_request();
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
            conversation.send(b"data: 1\n\n");
            next.wait();
            conversation.send(b"data: 2\n\n");
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/events").bytes());
    let (_, headers) = line.head().unwrap();
    let kind = ("content-type".to_owned(), "text/event-stream".to_owned());
    assert!(headers.contains(&kind), "{headers:?}");
    assert_eq!(line.chunk(), b"data: 1\n\n");
    next.open();
    assert_eq!(line.chunk(), b"data: 2\n\n");
    assert_eq!(line.chunk(), b"");
}

#[test]
fn a_client_that_stops_reading_stops_the_backend_and_loses_nothing() {
    const WHOLE: usize = 64 * MIB;
    let stopped = Gate::default();
    let backend = Backend::that({
        let stopped = stopped.clone();
        move |conversation| {
            conversation.read_request();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {WHOLE}\r\n\r\n");
            conversation.send(head.as_bytes());
            let body = pattern(WHOLE);
            let taken = conversation.send_while_taken(&body);
            // What the kernel keeps on four ends of two connections is below that.
            assert!(taken < WHOLE / 2, "{taken} bytes were taken");
            stopped.open();
            conversation.send(&body[taken..]);
        }
    });
    let world = World::around(BASE, backend);
    let mut line = world.connect();
    line.send(&Ask::get("/open/").bytes());
    stopped.wait();
    let answer = line.answer();
    assert!(answer.is_whole);
    assert!(answer.body == pattern(WHOLE), "the body came changed");
}

#[test]
fn a_backend_that_stops_reading_stops_the_client_and_loses_nothing() {
    const WHOLE: usize = 64 * MIB;
    let stopped = Gate::default();
    let backend = Backend::that({
        let stopped = stopped.clone();
        move |conversation| {
            let head = conversation.read_head().unwrap();
            stopped.wait();
            let body = conversation.read_body(&head).unwrap();
            assert!(body == pattern(WHOLE), "the body came changed");
            conversation.answer("200 OK", b"all of it");
        }
    });
    let world = World::around(
        &BASE.replace("workers = 1", "workers = 1\nmax_body = \"64MiB\""),
        backend,
    );
    let ask = Ask::post("/open/").header("Content-Length", &WHOLE.to_string());
    let mut line = world.connect();
    line.send(&ask.bytes());
    let body = pattern(WHOLE);
    let taken = line.send_while_taken(&body);
    assert!(taken < WHOLE / 2, "{taken} bytes were taken");
    stopped.open();
    line.send(&body[taken..]);
    assert_eq!(line.answer().text(), "all of it");
}
