//! Places where only proxies come, that say in the PROXY protocol whose connection it is.

mod real;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use crate::harness::{Ask, BASE, LONGEST, Line, Scratch, World};

/// A line of version 1.
const CLIENT: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n";
/// A proxy's own connection.
const OWN: &[u8] = b"PROXY UNKNOWN\r\n";

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    let mark = b"\r\n\r\n\0\r\nQUIT\n";
    [&mark[..], &[command, family], &length, rest].concat()
}

/// The addresses of a client and of what it asked, with ports.
fn addresses(client: [u8; 4]) -> Vec<u8> {
    [&client[..], &[198, 51, 100, 1], &[15, 160], &[1, 187]].concat()
}

/// A world with a second place to listen, for proxies at loopback.
fn world(more: &str) -> World {
    trusting("127.0.0.1", more)
}

fn trusting(proxy: &str, more: &str) -> World {
    let listen = r#"listen = ["127.0.0.1:0", { address = "127.0.0.1:0", proxy_protocol = true }]"#;
    let server = format!("{listen}\ntrusted_proxies = [\"{proxy}\"]\n{more}");
    World::of(&BASE.replacen("listen = \"127.0.0.1:0\"", &server, 1))
}

fn place(world: &World) -> SocketAddr {
    world.gateway().addresses()[1]
}

/// A connection that begins with these bytes.
fn announced(world: &World, header: &[u8]) -> Line {
    let mut line = Line::to(place(world));
    line.send(header);
    line
}

/// Holds that the gateway ends the connection without a word, and tells this reason.
#[track_caller]
fn is_closed(world: &World, line: &mut Line, reason: &str) {
    assert!(line.is_silent_to_its_end(), "{reason}");
    let told = world.log.line(reason, |line| line["reason"] == reason);
    assert_eq!(
        (&told["refusal"], &told["status"]),
        (&"bad_request".into(), &400.into())
    );
    assert_eq!(told["client"], "127.0.0.1");
}

#[test]
fn both_versions_tell_the_backend_and_the_log_who_asks() {
    let world = world("");
    let tlvs = [&addresses([192, 0, 2, 9])[..], &[4, 0, 3, 1, 2, 3]].concat();
    let v6 = [[0x20, 1, 0xd, 0xb8], [0; 4], [0; 4], [0, 0, 0, 7]].concat();
    let v6 = [&v6[..], &[0; 16], &[15, 160], &[1, 187]].concat();
    for (header, client) in [
        (CLIENT.to_vec(), "192.0.2.7"),
        (
            b"PROXY TCP6 2001:db8::6 ::1 4000 443\r\n".to_vec(),
            "2001:db8::6",
        ),
        (binary(0x21, 0x11, &addresses([192, 0, 2, 8])), "192.0.2.8"),
        (binary(0x21, 0x11, &tlvs), "192.0.2.9"),
        (binary(0x21, 0x21, &v6), "2001:db8::7"),
    ] {
        world.backend.forget();
        let mut line = announced(&world, &header);
        for target in ["/open/1", "/open/2"] {
            let forged = Ask::get(target)
                .header("X-Forwarded-For", "203.0.113.1")
                .header("X-Forwarded-Proto", "https");
            let answer = line.ask(&forged);
            assert_eq!(answer.status, 200);
            assert_eq!(world.access_line(&answer)["client"], client);
        }
        let seen = world.backend.seen();
        assert_eq!(seen.len(), 2);
        for seen in seen {
            assert_eq!(seen.values("X-Forwarded-For"), [client]);
            assert_eq!(seen.values("X-Forwarded-Proto"), ["http"]);
        }
    }
}

#[test]
fn a_header_may_come_in_single_bytes_and_together_with_a_request() {
    let world = world("");
    let ask = Ask::get("/open/x").bytes();
    for header in [
        CLIENT.to_vec(),
        binary(0x21, 0x11, &addresses([192, 0, 2, 7])),
    ] {
        let mut line = Line::to(place(&world));
        for byte in [&header[..], &ask].concat() {
            line.send(&[byte]);
        }
        assert_eq!(line.answer().status, 200);
        let mut line = announced(&world, &[&header[..], &ask, &ask].concat());
        assert_eq!((line.answer().status, line.answer().status), (200, 200));
    }
    let seen = world.backend.seen();
    assert_eq!(seen.len(), 6);
    assert!(
        seen.iter()
            .all(|seen| seen.values("X-Forwarded-For") == ["192.0.2.7"])
    );
}

#[test]
fn where_the_proxy_tells_nobody_its_own_address_stands_and_nothing_more_is_believed() {
    let world = world("");
    for header in [
        OWN.to_vec(),
        b"PROXY UNKNOWN 192.0.2.7 198.51.100.1 4000 443\r\n".to_vec(),
        binary(0x20, 0, &[]),
        binary(0x20, 0x11, &addresses([192, 0, 2, 7])),
        binary(0x21, 0, b"what ever"),
        binary(0x21, 0x31, &[b'x'; 216]),
    ] {
        world.backend.forget();
        let ask = Ask::get("/open/x")
            .header("X-Forwarded-For", "203.0.113.1")
            .header("X-Request-Id", "made-up-by-a-client");
        let answer = announced(&world, &header).ask(&ask);
        assert_eq!(answer.status, 200, "{header:?}");
        assert_ne!(answer.header("X-Request-Id"), Some("made-up-by-a-client"));
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.1"]);
    }
}

#[test]
fn a_trusted_proxy_that_is_announced_tells_of_the_client_behind_it() {
    let world = World::of(&BASE.replacen(
        "listen = \"127.0.0.1:0\"",
        "listen = { address = \"127.0.0.1:0\", proxy_protocol = true }\n\
         trusted_proxies = [\"127.0.0.1\", \"192.0.2.7\"]",
        1,
    ));
    let mut line = world.connect();
    line.send(CLIENT);
    let ask = Ask::get("/open/x").header("X-Forwarded-For", "203.0.113.1");
    assert_eq!(line.ask(&ask).status, 200);
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-For"), ["203.0.113.1, 192.0.2.7"]);
}

#[test]
fn whoever_is_no_trusted_proxy_is_turned_away_whatever_it_says() {
    let world = trusting("192.0.2.1", "");
    for header in [CLIENT, OWN, b""] {
        let mut line = announced(&world, header);
        line.send(&Ask::get("/open/x").bytes());
        let reason = "only trusted proxies connect here, and this is none";
        is_closed(&world, &mut line, reason);
    }
    assert_eq!(world.log.access_lines().len(), 3);
    assert!(world.backend.seen().is_empty());
    assert_eq!(world.get("/open/x").status, 200);
}

#[test]
fn nothing_but_a_header_is_understood() {
    let ask = Ask::get("/open/x").bytes();
    let missing = "the connection does not begin with a PROXY header";
    let malformed = "the PROXY header is malformed";
    let long = "the PROXY header is over its limit";
    for (header, reason) in [
        (ask.clone(), missing),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), missing),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            missing,
        ),
        (vec![0xff; 4096], missing),
        (b"PROXY TCP4 192.0.2.7\r\n".to_vec(), malformed),
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\n".to_vec(),
            malformed,
        ),
        (
            [&b"PROXY TCP4 "[..], &b"1".repeat(4096), b"\r\n"].concat(),
            long,
        ),
        (binary(0x31, 0x11, &addresses([192, 0, 2, 7])), malformed),
        (binary(0x21, 0x12, &addresses([192, 0, 2, 7])), malformed),
        (binary(0x21, 0x11, &[1, 2, 3]), malformed),
        (binary(0x21, 0x11, &vec![0; 60_000]), long),
    ] {
        let world = world("");
        let mut line = announced(&world, &header);
        line.send(&ask);
        line.finish_sending();
        is_closed(&world, &mut line, reason);
        assert!(world.backend.seen().is_empty());
        world.await_count("wxgate_connections", 0);
    }
}

#[test]
fn a_second_header_is_none() {
    let world = world("");
    let mut line = announced(&world, &CLIENT.repeat(2));
    line.answer().refused(400, "bad_request");
    let told = world.log.line("a refusal", |line| line["status"] == 400);
    assert_eq!(told["reason"], "the request is not HTTP/1");
    assert_eq!(told["client"], "192.0.2.7");
}

#[test]
fn a_header_that_does_not_come_in_time_ends_the_connection() {
    let world = world("header_timeout = \"100ms\"");
    for part in [&b""[..], b"PROXY", &CLIENT[..20]] {
        let mut line = announced(&world, part);
        let reason = "the PROXY header did not arrive in time";
        is_closed(&world, &mut line, reason);
    }
    assert_eq!(world.log.access_lines().len(), 3);
}

#[test]
fn who_only_looks_whether_somebody_listens_leaves_no_line() {
    let world = world("");
    drop(Line::to(place(&world)));
    assert_eq!(
        announced(&world, CLIENT).ask(&Ask::get("/open/x")).status,
        200
    );
    world.await_count("wxgate_connections", 0);
    assert_eq!(world.log.access_lines().len(), 1);
}

#[test]
fn limits_are_those_of_the_client_that_is_announced() {
    let world = World::of(&format!(
        "{}\n[limits]\nrequests_per_address = \"2/h\"\n",
        BASE.replacen(
            "listen = \"127.0.0.1:0\"",
            "listen = { address = \"127.0.0.1:0\", proxy_protocol = true }\n\
             trusted_proxies = [\"127.0.0.1\"]\nmax_connections_per_address = 1",
            1,
        )
    ));
    let connect = |header: &[u8]| {
        let mut line = world.connect();
        line.send(header);
        line
    };
    let other = binary(0x21, 0x11, &addresses([192, 0, 2, 8]));
    let mut first = connect(CLIENT);
    assert_eq!(first.ask(&Ask::get("/open/1")).status, 200);
    assert_eq!(connect(&other).ask(&Ask::get("/open/1")).status, 200);
    connect(CLIENT).answer().refused(429, "rate_limited");
    // A proxy's own connections are not those of one client.
    let mut own = [OWN, OWN].map(connect);
    assert_eq!(own[0].ask(&Ask::get("/open/1")).status, 200);
    assert_eq!(own[1].ask(&Ask::get("/open/1")).status, 200);
    assert_eq!(first.ask(&Ask::get("/open/2")).status, 200);
    first.ask(&Ask::get("/open/3")).refused(429, "rate_limited");
    drop(first);
    world.await_count("wxgate_connections", 2);
    connect(CLIENT)
        .ask(&Ask::get("/open/3"))
        .refused(429, "rate_limited");
}

#[test]
fn one_connection_too_many_is_told_so_before_it_is_announced() {
    let world = world("max_connections = 1");
    let mut first = announced(&world, b"PROXY");
    world.await_count("wxgate_connections", 1);
    let mut line = Line::to(place(&world));
    line.answer().refused(503, "overloaded");
    first.send(&CLIENT[5..]);
    assert_eq!(first.ask(&Ask::get("/open/x")).status, 200);
}

#[test]
fn whoever_may_open_a_unix_socket_is_believed() {
    let scratch = Scratch::new();
    let file = scratch.path().join("http.sock");
    let listen = format!(
        "listen = [\"127.0.0.1:0\", {{ address = \"unix:{}\", proxy_protocol = true }}]",
        file.display()
    );
    let world = World::of(&BASE.replacen("listen = \"127.0.0.1:0\"", &listen, 1));
    let mut stream = UnixStream::connect(&file).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let ask = Ask::get("/open/x").header("Connection", "close").bytes();
    stream.write_all(&[CLIENT, &ask].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let seen = world.backend.only_seen();
    assert_eq!(seen.values("X-Forwarded-For"), ["192.0.2.7"]);
    let mut stream = UnixStream::connect(&file).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream.write_all(&ask).unwrap();
    let _ = stream.read_to_string(&mut answer);
    let reason = "the connection does not begin with a PROXY header";
    world.log.line(reason, |line| line["reason"] == reason);
    assert_eq!(world.backend.seen().len(), 1);
}

#[test]
fn a_place_that_does_not_ask_for_a_header_takes_none() {
    let world = world("");
    let mut line = world.connect();
    line.send(&[CLIENT, &Ask::get("/open/x").bytes()].concat());
    line.answer().refused(400, "bad_request");
    assert!(world.backend.seen().is_empty());
}

/// A connection to this address that begins with these bytes.
fn stream(address: SocketAddr, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    stream.write_all(header).unwrap();
    stream
}
