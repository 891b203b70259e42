//! FastCGI servers that answer badly, and how they are asked.

use super::peer::{ERRORS, OUTPUT, config, end, lasting, record, that, well, whole};
use crate::harness::{Answer, Ask, Backend, Gate, World};

/// A gateway before a server that answers like this.
fn before(answer: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> World {
    let server = that(move |_| answer());
    World::around(&config(&[&server], ""), server)
}

/// The reason of the refusal as the log tells it.
#[track_caller]
fn reason(answer: Vec<u8>, code: &str) -> String {
    let world = before(move || answer.clone());
    let status = if code == "overloaded" { 503 } else { 502 };
    let answer = world.get("/open/x").refused(status, code);
    let line = world.access_line(&answer);
    line["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_is_asked_in_records_for_one_script() {
    let server = that(|_| well(b"seen"));
    let world = World::around(&config(&[&server], ""), server);
    let skey = world.skey_of("alice");
    let answer = world.ask(&Ask::post("/orders?a=b").skey(&skey).body("four"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = world.backend.only_seen();
    assert_eq!(
        seen.head, "[0, 1, 0, 0, 0, 0, 0, 0]",
        "a responder, and no connection is kept"
    );
    assert_eq!(seen.values("SCRIPT_FILENAME"), ["/srv/app/index.php"]);
    assert_eq!(seen.values("HTTP_X_OPENID"), [world.openid_of("alice")]);
    assert_eq!(
        (seen.target.as_str(), seen.body.as_slice()),
        ("/orders?a=b", b"four".as_slice())
    );
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.clone()).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all, "{:#?}", seen.headers);
}

#[test]
fn a_connection_that_is_kept_carries_the_next_request() {
    let server = lasting();
    let world = World::around(&config(&[&server], "keep_alive = true"), server);
    for length in [0, 200_000, 1] {
        let answer = world.ask(&Ask::post("/open/x").body("x".repeat(length)));
        assert_eq!(answer.text(), "seen");
    }
    let seen = world.backend.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.head == "[0, 1, 1, 0, 0, 0, 0, 0]")
    );
    let lengths: Vec<_> = seen.iter().map(|seen| seen.body.len()).collect();
    assert_eq!(
        (lengths, world.backend.connections()),
        (vec![0, 200_000, 1], 1)
    );
}

#[test]
fn a_connection_on_which_something_is_left_is_not_used_again() {
    let server = Backend::that(|conversation| {
        let mut read = |count| conversation.read(count);
        if let Some(seen) = super::peer::request(&mut read) {
            conversation.record(seen);
            // A whole answer to a request that nobody made.
            conversation.send(&[well(b"seen"), well(b"smuggled")].concat());
            conversation.wait_end();
        }
    });
    let world = World::around(&config(&[&server], "keep_alive = true"), server);
    for _ in 0..3 {
        assert_eq!(world.get("/open/x").text(), "seen");
    }
    assert_eq!(world.backend.connections(), 3);
}

#[test]
fn what_is_no_answer_in_records_is_none() {
    let other = |place: usize, byte: u8| {
        let mut bytes = well(b"seen");
        bytes[place] = byte;
        bytes
    };
    let failed = "the backend's answer broke off: ";
    for (answer, why) in [
        (Vec::new(), "the connection ended"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            "a record is not of version 1 of FastCGI",
        ),
        (other(3, 2), "a record is of another request"),
        (
            other(1, 5),
            "a record has the type 5, which is none of an answer",
        ),
        (
            record(OUTPUT, b"Content-Type: text/plain\r\n"),
            "the connection ended",
        ),
        (end(0), "the connection ended"),
        (
            record(3, b"1234"),
            "the end of the request has a wrong length",
        ),
        (
            [record(ERRORS, b""), record(ERRORS, b"x")].concat(),
            "a stream goes on behind its end",
        ),
        (
            end(1),
            "it refuses such requests, with the FastCGI status 1",
        ),
        (
            end(3),
            "it refuses such requests, with the FastCGI status 3",
        ),
    ] {
        assert_eq!(reason(answer, "upstream_failed"), format!("{failed}{why}"));
    }
    let why = format!("{failed}it has no room for the request");
    assert_eq!(reason(end(2), "overloaded"), why);
}

#[test]
fn what_does_not_begin_with_headers_is_no_answer() {
    let failed = "the backend's answer broke off: ";
    let not_cgi = "it does not begin with headers as CGI has them";
    let framing = "the length of its body cannot be known";
    for (output, why) in [
        (b"\r\n\r\nbody".as_slice(), not_cgi),
        (b"no header\r\n\r\n", not_cgi),
        (b"A: b\0c\r\n\r\n", not_cgi),
        (b"A b: c\r\n\r\n", not_cgi),
        (b"A: b\r\n folded\r\n\r\n", not_cgi),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", not_cgi),
        (b"Status: 200\r\nStatus: 404\r\n\r\n", not_cgi),
        (b"Status: 99\r\n\r\n", not_cgi),
        (b"Status: 101 Switching Protocols\r\n\r\n", not_cgi),
        (b"Status: 100\r\n\r\n", not_cgi),
        (b"Status: 600\r\n\r\n", not_cgi),
        (b"Status: 2000\r\n\r\n", not_cgi),
        (b"Status: OK\r\n\r\n", not_cgi),
        (b"Status:\r\n\r\n", not_cgi),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", framing),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", framing),
        (b"Content-Length: -1\r\n\r\n", framing),
    ] {
        let told = String::from_utf8_lossy(output);
        assert_eq!(
            reason(whole(output), "upstream_failed"),
            format!("{failed}{why}"),
            "{told:?}"
        );
    }
    let many = "A: b\r\n".repeat(200) + "\r\n";
    assert_eq!(
        reason(whole(many.as_bytes()), "upstream_failed"),
        format!("{failed}{not_cgi}")
    );
    let long = [record(OUTPUT, b"A: "), record(OUTPUT, &vec![b'x'; 60_000])].concat();
    let long = [long, record(OUTPUT, &vec![b'x'; 60_000])].concat();
    assert_eq!(
        reason(long, "upstream_failed"),
        format!("{failed}its head is too large")
    );
}

#[test]
fn a_status_is_the_scripts_or_follows_from_its_headers() {
    for (output, status) in [
        (b"Status: 404 Not Found\r\n\r\n".as_slice(), 404),
        (b"status:  418\r\n\r\n", 418),
        (b"Content-Type: a/b\n\n", 200),
        (b"Location: /there\r\n\r\n", 302),
        (b"Status: 201 Created\r\nLocation: /there\r\n\r\n", 201),
    ] {
        let world = before(move || whole(output));
        let answer = world.get("/open/x");
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("status"), None);
    }
}

#[test]
fn an_answer_that_comes_byte_by_byte_is_the_same() {
    let pieces: Vec<Vec<u8>> = b"Content-Type: text/plain\r\n\r\nall of it"
        .iter()
        .map(|byte| record(OUTPUT, &[*byte]))
        .collect();
    let answer = [pieces.concat(), end(0)].concat();
    let server = Backend::that(move |conversation| {
        let mut read = |count| conversation.read(count);
        if let Some(seen) = super::peer::request(&mut read) {
            conversation.record(seen);
            for byte in &answer {
                conversation.send(&[*byte]);
            }
        }
    });
    let world = World::around(&config(&[&server], ""), server);
    let answer = world.get("/open/x");
    assert_eq!(
        (answer.is_whole, answer.text().as_str()),
        (true, "all of it")
    );
}

/// What a client gets of an answer of which `rest` comes only after it has seen the beginning.
fn cut(begun: &[u8], rest: Vec<u8>) -> Answer {
    let read = Gate::default();
    let server = Backend::that({
        let (read, begun) = (read.clone(), record(OUTPUT, begun));
        move |conversation| {
            let mut take = |count| conversation.read(count);
            super::peer::request(&mut take);
            conversation.send(&begun);
            read.wait();
            conversation.send(&rest);
        }
    });
    let world = World::around(&config(&[&server], ""), server);
    let mut line = world.connect();
    line.send(&Ask::get("/open/x").bytes());
    let (status, headers) = line.head().unwrap();
    read.open();
    line.finish("GET", status, headers)
}

#[test]
fn an_answer_that_breaks_off_or_goes_wrong_is_cut() {
    let (open, told) = (
        b"A: b\r\n\r\nbegun".as_slice(),
        b"Content-Length: 9\r\n\r\nbegun".as_slice(),
    );
    for (begun, rest) in [
        (open, Vec::new()),
        (open, record(OUTPUT, b"")),
        (open, b"garbage!".to_vec()),
        (open, end(2)),
        (open, end(1)),
        (told, Vec::new()),
        (told, end(0)),
    ] {
        let answer = cut(begun, rest);
        assert_eq!((answer.status, answer.is_whole), (200, false), "{answer:?}");
        assert_eq!(answer.text(), "begun");
    }
}

#[test]
fn an_answer_that_is_seen_to_go_wrong_before_any_of_it_went_on_is_refused() {
    let begun = record(OUTPUT, b"A: b\r\n\r\nbegun");
    for (rest, code) in [
        (b"garbage!".to_vec(), "upstream_failed"),
        (end(2), "overloaded"),
    ] {
        reason([begun.clone(), rest].concat(), code);
    }
}

#[test]
fn no_more_of_an_answer_goes_on_than_it_told() {
    let world = before(|| whole(b"Content-Length: 4\r\n\r\nseenHTTP/1.1 200 OK\r\n\r\n"));
    let mut line = world.connect();
    for _ in 0..2 {
        assert_eq!(line.ask(&Ask::get("/open/x")).text(), "seen");
    }
}

#[test]
fn an_identity_in_an_answer_does_not_reach_the_client() {
    let world = before(|| {
        whole(b"X-OpenId: o\r\nX_OpenId: o\r\nConnection: X-Private\r\nX-Private: p\r\nX-Kept: k\r\n\r\n")
    });
    let answer = world.get("/open/x");
    assert_eq!(answer.header("x-kept"), Some("k"));
    for name in ["x-openid", "x_openid", "x-private"] {
        assert_eq!(answer.header(name), None);
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = Backend::that(|conversation| {
        let mut read = |count| conversation.read(count);
        super::peer::request(&mut read);
        conversation.wait_end();
    });
    let world = World::around(&config(&[&server], "timeout = \"200ms\""), server);
    world.get("/open/x").refused(504, "upstream_timeout");
    world.backend.wait_closed(1);
}

#[test]
fn what_may_be_repeated_goes_to_another_server_and_what_may_not_does_not() {
    let (bad, good) = (that(|_| Vec::new()), that(|_| well(b"seen")));
    let keys = "retries = 1\nmax_fails = 1000";
    let world = World::around(&config(&[&bad, &good], keys), good);
    for _ in 0..4 {
        assert_eq!(world.get("/open/x").text(), "seen");
    }
    let before = bad.seen().len();
    assert!(before > 0);
    let posts: Vec<_> = (0..4)
        .map(|_| world.ask(&Ask::post("/open/x").body("p")).status)
        .collect();
    assert_eq!(
        posts.iter().filter(|status| **status == 502).count(),
        bad.seen().len() - before
    );
    assert!(posts.contains(&502) && posts.contains(&200), "{posts:?}");
    let all = bad.seen().len() + world.backend.seen().len();
    assert_eq!(all, 4 + before + 4, "no POST was sent twice");
}

#[test]
fn a_server_is_asked_whether_it_is_well() {
    let server = that(|_| well(b""));
    let keys = "health = { path = \"/healthz\" }";
    let world = World::around(&config(&[&server], keys), server);
    world.backend.wait_seen(1);
    let seen = world.backend.only_seen();
    assert_eq!(
        (seen.method.as_str(), seen.values("PATH_INFO")),
        ("GET", vec!["/healthz"])
    );
    assert_eq!(seen.values("HTTP_X_WXGATE_EVENT"), ["health"]);
}

#[test]
fn requests_are_counted_as_those_of_any_upstream() {
    let count = |outcome: &str| {
        format!(r#"wxgate_upstream_requests_total{{upstream="php",outcome="{outcome}"}}"#)
    };
    let server = that(|seen| {
        if seen.target.ends_with("bad") {
            Vec::new()
        } else {
            well(b"seen")
        }
    });
    let world = World::around(&config(&[&server], ""), server);
    for target in ["/open/x", "/open/x", "/open/bad"] {
        world.get(target);
    }
    assert_eq!(
        (world.count(&count("ok")), world.count(&count("failed"))),
        (2, 1)
    );
}
