//! The Redis servers that tests start: they are what the harness says they are, and leave nothing behind.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::harness::redis::{MASTER, Mode, Proxy, Redis, Setup};

/// One answer of a server to `PING` on this connection, or what comes instead; none if it is cut.
fn ping(stream: &mut TcpStream) -> Option<String> {
    stream.write_all(b"PING\r\n").ok()?;
    let mut buffer = [0; 64];
    let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
    Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

fn port_of(redis: &Redis, node: usize) -> String {
    redis.address(node).rsplit(':').next().unwrap().to_owned()
}

#[test]
fn a_server_keeps_what_it_was_told_when_it_is_killed() {
    let mut redis = Redis::single();
    assert_eq!(redis.urls(), [format!("redis://{}", redis.address(0))]);
    assert_eq!(redis.cli(&["SET", "key", "value"]), "OK");
    redis.kill(0);
    assert!(TcpStream::connect(redis.address(0)).is_err());
    redis.restart(0);
    assert_eq!(redis.cli(&["GET", "key"]), "value");
}

#[test]
fn a_server_that_is_stopped_says_nothing_until_it_goes_on() {
    let redis = Redis::single();
    let mut stream = TcpStream::connect(redis.address(0)).unwrap();
    let short = Some(Duration::from_millis(200));
    stream.set_read_timeout(short).unwrap();
    redis.stop(0);
    assert_eq!(ping(&mut stream), None);
    redis.cont(0);
    stream.set_read_timeout(None).unwrap();
    // The answer that was missing may come with this one.
    let said = ping(&mut stream).unwrap();
    assert!(said.starts_with("+PONG\r\n"), "{said}");
}

#[test]
fn a_server_with_a_user_lets_in_no_other() {
    let redis = Setup::default().user("wxgate", "s3cret").single();
    assert_eq!(redis.cli(&["ACL", "WHOAMI"]), "wxgate");
    let mut stream = TcpStream::connect(redis.address(0)).unwrap();
    let said = ping(&mut stream).unwrap();
    assert!(said.starts_with("-NOAUTH"), "{said}");
    let redis = Setup::default().password("s3cret").single();
    assert_eq!(redis.cli(&["ACL", "WHOAMI"]), "default");
}

#[test]
fn a_server_that_is_full_says_so() {
    let redis = Setup::default().max_memory("3mb").single();
    let value = "v".repeat(1 << 20);
    let fill = |key: &str| {
        let mut stream = TcpStream::connect(redis.address(0)).unwrap();
        write!(stream, "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n", key.len()).unwrap();
        write!(stream, "${}\r\n{value}\r\n", value.len()).unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).unwrap();
        String::from_utf8_lossy(&said).into_owned()
    };
    let said: Vec<_> = ["a", "b", "c", "d"].map(fill).into();
    assert_eq!(said.last().unwrap(), "-OOM", "{said:?}");
}

#[test]
fn a_server_that_speaks_tls_is_known_by_its_authority() {
    let redis = Setup::default().tls().password("s3cret").single();
    assert!(redis.urls()[0].starts_with("rediss://"));
    assert!(redis.authority().is_file());
    assert_eq!(redis.cli(&["SET", "key", "value"]), "OK");
}

#[test]
fn sentinels_give_the_place_of_a_master_to_a_replica() {
    let mut redis = Redis::sentinel();
    assert_eq!((redis.urls().len(), redis.master()), (3, 0));
    redis.cli(&["SET", "key", "value"]);
    assert_eq!(redis.cli(&["WAIT", "2", "5000"]), "2");
    let second = redis.fail_over();
    assert_ne!(second, 0);
    redis.await_whole();
    let (old, third) = redis.lose_master();
    assert_eq!(old, second);
    assert_eq!(redis.cli_at(third, &["GET", "key"]), "value");
    let told = redis.cli_at(4, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]);
    assert!(told.ends_with(&port_of(&redis, third)), "{told}");
    redis.restart(old);
    redis.await_whole();
}

#[test]
fn a_cluster_gives_the_slots_of_a_master_to_its_replica() {
    let mut redis = Redis::cluster();
    assert_eq!((redis.urls().len(), redis.master()), (6, 0));
    for key in ["a", "b", "c", "d", "e"] {
        assert_eq!(redis.cli(&["SET", key, key]), "OK");
    }
    let owners: Vec<_> = ["a", "b", "c"].map(|key| redis.owner_of(key)).into();
    assert!(owners.iter().all(|owner| *owner < 3), "{owners:?}");
    assert_eq!(redis.fail_over(), 3);
    redis.await_whole();
    assert_eq!(redis.lose_master(), (3, 0));
    assert_eq!(redis.cli(&["GET", "d"]), "d");
    redis.restart(3);
    redis.await_whole();
}

#[test]
fn sentinels_and_clusters_know_users_and_tls() {
    for shape in [Setup::sentinel, Setup::cluster] {
        let mut redis = shape(Setup::default().tls().user("wxgate", "s3cret"));
        assert_eq!(redis.cli(&["SET", "key", "value"]), "OK");
        redis.fail_over();
        assert_eq!(redis.cli(&["GET", "key"]), "value");
        redis.kill(5);
    }
}

#[test]
fn nothing_is_left_of_servers_when_a_test_fails() {
    let (send, told) = std::sync::mpsc::channel();
    let failing = std::thread::spawn(move || {
        let redis = Setup::default().tls().single();
        let place = redis.cli(&["CONFIG", "GET", "dir"]);
        let place = place.lines().nth(1).unwrap().to_owned();
        send.send((redis.address(0), place, redis.authority()))
            .unwrap();
        panic!("as a test that fails");
    });
    let (address, place, authority) = told.recv().unwrap();
    assert!(failing.join().is_err());
    assert!(TcpStream::connect(address).is_err());
    assert!(!Path::new(&place).exists() && !authority.exists());
}

#[test]
fn a_proxy_makes_the_trouble_that_it_is_told() {
    let redis = Redis::single();
    let proxy = Proxy::before(&redis.address(0));
    let connect = || TcpStream::connect(proxy.address());
    let mut stream = connect().unwrap();
    assert_eq!(ping(&mut stream).as_deref(), Some("+PONG\r\n"));
    proxy.becomes(Mode::Garbage);
    assert!(!ping(&mut stream).unwrap().contains("PONG"));
    proxy.becomes(Mode::Slow(Duration::from_millis(50)));
    assert_eq!(ping(&mut stream).as_deref(), Some("+PONG\r\n"));
    proxy.becomes(Mode::Stall);
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert_eq!(ping(&mut stream), None);
    stream.set_read_timeout(None).unwrap();
    proxy.becomes(Mode::Pass);
    let mut late = [0; 7];
    stream.read_exact(&mut late).unwrap();
    assert_eq!(&late, b"+PONG\r\n");
    proxy.becomes(Mode::Cut);
    assert_eq!(ping(&mut stream), None);
    assert_eq!(ping(&mut connect().unwrap()), None);
    proxy.becomes(Mode::Refuse);
    assert!(connect().is_err());
    proxy.becomes(Mode::Pass);
    assert_eq!(ping(&mut connect().unwrap()).as_deref(), Some("+PONG\r\n"));
    assert_eq!(proxy.connections(), 2);
}
