//! Real proxies and a real client that speak the PROXY protocol, in front of plain HTTP, TLS and HTTP/2.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{CLIENT, addresses, binary, place, stream, world};
use crate::harness::{Ask, Process, Scratch, World};

/// Where Debian's proxies lie, which a user's path leaves out.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A world under TLS, whose redirect is announced as well; and the certificate.
fn secured(directory: &Scratch) -> (World, CertificateDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let cert = directory.write("tls.crt", &certificate.pem());
    let key = directory.write("tls.key", &key.serialize_pem());
    let tls = format!(
        "tls = {{ cert = \"{}\", key = \"{}\" }}\n\
         redirect = {{ address = \"127.0.0.1:0\", proxy_protocol = true }}",
        cert.display(),
        key.display()
    );
    (world(&tls), certificate.der().clone())
}

/// Runs curl, and gives what it prints.
#[track_caller]
fn curl(arguments: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--noproxy", "*", "--max-time", "30", "-k"]);
    curl.args(["-w", " %{http_version} %{http_code}"]);
    curl.args(arguments).stdin(Stdio::null());
    let ended = Process::run(curl);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

/// A place on loopback that was free a moment ago: these proxies do not tell where they listen.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Asks through a proxy as a client at 127.0.0.2, in the clear and over TLS in both versions of HTTP.
fn tells_who_asks(world: &World, proxy: SocketAddr) {
    let url = format!("https://{proxy}/open/x");
    for (version, told) in [("--http1.1", "seen 1.1 200"), ("--http2", "seen 2 200")] {
        world.backend.forget();
        let out = curl(&["--interface", "127.0.0.2", version, &url]);
        assert_eq!(out, told);
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-For"), ["127.0.0.2"]);
        assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
    }
}

#[test]
fn under_tls_the_header_comes_before_the_handshake() {
    let directory = Scratch::new();
    let (world, certificate) = secured(&directory);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    for header in [
        CLIENT.to_vec(),
        binary(0x21, 0x11, &addresses([192, 0, 2, 7])),
    ] {
        world.backend.forget();
        let name = ServerName::try_from("api.example.com").unwrap();
        let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut line = StreamOwned::new(client, stream(place(&world), &header));
        let ask = Ask::get("/open/x").header("Connection", "close");
        line.write_all(&ask.bytes()).unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        let seen = world.backend.only_seen();
        assert_eq!(seen.values("X-Forwarded-For"), ["192.0.2.7"]);
        assert_eq!(seen.values("X-Forwarded-Proto"), ["https"]);
    }
}

#[test]
fn where_clients_are_sent_to_tls_they_may_be_announced_too() {
    let directory = Scratch::new();
    let (world, _) = secured(&directory);
    let ask = Ask::get("/open/x").header("Connection", "close");
    let mut line = stream(world.gateway().addresses()[2], CLIENT);
    line.write_all(&ask.bytes()).unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    let line = world.log.line("a redirect", |line| line["status"] == 308);
    assert_eq!(line["client"], "192.0.2.7");
}

#[test]
fn curl_announces_itself_before_http_and_before_tls() {
    let plain = world("");
    let clear = format!("http://{}/open/x", place(&plain));
    assert_eq!(curl(&["--haproxy-protocol", &clear]), "seen 1.1 200");
    let directory = Scratch::new();
    let (world, _) = secured(&directory);
    let url = format!("https://{}/open/x", place(&world));
    for (version, told) in [("--http1.1", "seen 1.1 200"), ("--http2", "seen 2 200")] {
        assert_eq!(curl(&["--haproxy-protocol", version, &url]), told);
    }
    let seen = world.backend.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].values("X-Forwarded-For"), ["127.0.0.1"]);
}

#[test]
fn haproxy_tells_who_asks_in_version_2() {
    let directory = Scratch::new();
    let (world, _) = secured(&directory);
    let (address, wxgate) = (free_address(), place(&world));
    let config = format!(
        "defaults\n mode tcp\n timeout client 30s\n timeout server 30s\n timeout connect 5s\n\
         listen front\n bind {address}\n server wxgate {wxgate} source 127.0.0.1 send-proxy-v2\n"
    );
    let file = directory.write("haproxy.cfg", &config);
    let mut haproxy = Command::new("haproxy");
    haproxy.arg("-W").arg("-f").arg(file).stdin(Stdio::null());
    haproxy.env("PATH", PATH);
    let process = Process::start(haproxy, "tests/run.sh installs what the tests need");
    process.error_line("sign that it listens", |line| {
        line.contains("Loading success")
    });
    tells_who_asks(&world, address);
}

#[test]
fn nginx_tells_who_asks_in_version_1() {
    let directory = Scratch::new();
    let (world, _) = secured(&directory);
    let (address, wxgate) = (free_address(), place(&world));
    let config = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nevents {{}}\n\
         stream {{ server {{ listen {address}; proxy_pass {wxgate}; proxy_bind 127.0.0.1; \
         proxy_protocol on; }} }}\n"
    );
    let file = directory.write("nginx.conf", &config);
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(directory.path()).arg("-c").arg(file);
    nginx.args(["-e", "stderr", "-g"]);
    nginx.arg("daemon off; pid nginx.pid; error_log stderr notice;");
    nginx.env("PATH", PATH).stdin(Stdio::null());
    let process = Process::start(nginx, "tests/run.sh installs what the tests need");
    process.error_line("sign that it listens", |line| {
        line.contains("start worker process ")
    });
    tells_who_asks(&world, address);
}
