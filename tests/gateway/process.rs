//! The process: its start, its log, its signals, and what it tells systemd.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::{Mutex, mpsc};

use serde_json::Value;

use crate::harness::{
    Ask, BASE, Backend, LONGEST, Line, Process, SECRET, Scratch, Service, Setup, wxgate,
};

#[test]
fn it_starts_serves_a_login_and_ends_with_a_log_in_text() {
    let backend = Backend::start();
    let service = Setup::of(BASE, backend.address()).start();
    serves(&service, &backend);
    service.process.signal("TERM");
    let ended = service.process.wait();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<_> = ended.out.lines().collect();
    assert!(
        lines[0].contains("  INFO wxgate::service: listening address=127.0.0.1:"),
        "{}",
        ended.out
    );
    let access = lines.iter().find(|line| line.contains("path=/orders"));
    let access = access.unwrap_or_else(|| panic!("{}", ended.out));
    assert!(access.contains(" status=200 upstream=php "), "{access}");
    assert!(
        lines[lines.len() - 2].ends_with("  INFO wxgate::service: stopping signal=SIGTERM"),
        "{}",
        ended.out
    );
    assert!(
        lines[lines.len() - 1].ends_with("  INFO wxgate::service: stopped"),
        "{}",
        ended.out
    );
}

#[test]
fn a_log_in_json_is_one_object_a_line() {
    let backend = Backend::start();
    let config = format!("{BASE}\n[log]\nformat = \"json\"\n");
    let service = Setup::of(&config, backend.address()).start();
    serves(&service, &backend);
    service.process.signal("INT");
    let ended = service.process.wait();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert_eq!(lines[0]["message"], "listening");
    let access = lines.iter().find(|line| line["path"] == "/orders");
    let access = access.unwrap_or_else(|| panic!("{}", ended.out));
    assert_eq!(
        (&access["status"], &access["app"], &access["upstream"]),
        (&200.into(), &"shop".into(), &"php".into())
    );
    let stopping = &lines[lines.len() - 2];
    assert_eq!(
        (&stopping["message"], &stopping["signal"]),
        (&"stopping".into(), &"SIGINT".into())
    );
    assert_eq!(lines[lines.len() - 1]["message"], "stopped");
}

#[test]
fn a_request_that_is_under_way_at_sigterm_is_finished() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let backend = Backend::that(move |conversation| {
        while conversation.read_request().is_some() {
            let _ = released.lock().unwrap().recv();
            conversation.answer("200 OK", b"finished");
        }
    });
    let config = BASE.replace("drain_timeout = \"5s\"", "drain_timeout = \"10m\"");
    let service = Setup::of(&config, backend.address()).start();
    let mut line = Line::to(service.address());
    line.send(&Ask::get("/open/slow").bytes());
    backend.wait_seen(1);
    service.process.signal("TERM");
    let stopping = |line: &str| line.contains("stopping signal=SIGTERM");
    service.process.line("word of the stop", stopping);
    release.send(()).unwrap();
    assert_eq!(line.answer().text(), "finished");
    assert!(line.is_ended());
    drop(line);
    assert_eq!(service.process.wait().code, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let backend = Backend::that(|conversation| {
        conversation.read_request();
        conversation.wait_end();
    });
    let config = BASE.replace("drain_timeout = \"5s\"", "drain_timeout = \"10m\"");
    let service = Setup::of(&config, backend.address()).start();
    let mut line = Line::to(service.address());
    line.send(&Ask::get("/open/never").bytes());
    backend.wait_seen(1);
    service.process.signal("TERM");
    let stopping = |line: &str| line.contains("stopping signal=SIGTERM");
    service.process.line("word of the stop", stopping);
    service.process.signal("INT");
    assert_eq!(service.process.wait().code, Some(1));
    assert!(line.is_ended());
}

#[test]
fn a_broken_config_stops_it_with_every_problem_and_its_place() {
    let config = "\
[server]
listen = \"nowhere\"
wokers = 2

[apps.shop]
appid = \"wx0123456789abcdef\"
secret = { env = \"UNSET_SECRET\" }

[upstreams.php]
servers = [\"ftp://127.0.0.1\"]

[[routes]]
path = \"/*\"
upstream = \"java\"
";
    let scratch = Scratch::new();
    scratch.write("gateway.toml", config);
    let mut command = wxgate(&[]);
    command.current_dir(scratch.path());
    command.env_remove("UNSET_SECRET");
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(ended.err, BROKEN);
}

const BROKEN: &str = "\
gateway.toml:2:10: `nowhere` is no address to listen on; write \"127.0.0.1:8080\", \"[::]:8080\", \
\"unix:/run/wxgate/http.sock\" or \"systemd\"
gateway.toml:3:1: unknown key `wokers` in [server]; did you mean `workers`? There are `listen`, `workers`, \
`trusted_proxies`, `proxy_headers`, `max_connections`, `max_connections_per_address`, `header_timeout`, `idle_timeout`, \
`max_header_bytes`, `max_body`, `drain_timeout`, `tls`, `hsts`, `redirect` and `h2c`
gateway.toml:7:18: the environment variable `UNSET_SECRET` is not set
gateway.toml:10:12: `ftp://127.0.0.1` is no server; write \"http://HOST:PORT\" or \"https://HOST:PORT\", \
without path, query and user, \"unix:/PATH\", or for FastCGI \"fcgi://HOST:PORT\" or \"fcgi+unix:/PATH\"
gateway.toml:14:12: `java` is no upstream; there is only `php`
";

#[test]
fn a_config_that_is_not_there_stops_it() {
    let scratch = Scratch::new();
    let mut command = wxgate(&["--config", "elsewhere.toml"]);
    command.current_dir(scratch.path());
    let ended = Process::run(command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(
        ended.err,
        "elsewhere.toml: cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_port_that_is_taken_stops_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = BASE.replacen("127.0.0.1:0", &address, 1);
    let setup = Setup::of(&config, Backend::start().address());
    let ended = Process::run(setup.command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(
        ended.err,
        format!("cannot listen on {address}: Address already in use (os error 98)\n")
    );
}

#[test]
fn an_operators_port_that_is_taken_stops_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let admin = format!("[admin]\nlisten = \"{address}\"");
    let config = BASE.replace("[admin]\nlisten = \"127.0.0.1:0\"", &admin);
    let setup = Setup::of(&config, Backend::start().address());
    let ended = Process::run(setup.command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(
        ended.err,
        format!("cannot listen on {address} for [admin]: Address already in use (os error 98)\n")
    );
}

#[test]
fn a_secret_that_is_missing_stops_it() {
    let mut setup = Setup::of(BASE, Backend::start().address());
    setup.command.env_remove("SHOP_SECRET");
    let ended = Process::run(setup.command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(
        ended.err,
        "gateway.toml:17:18: the environment variable `SHOP_SECRET` is not set\n"
    );
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let setup = Setup::of(BASE, Backend::start().address());
    let socket = setup.scratch.path().join("notify");
    let systemd = UnixDatagram::bind(&socket).unwrap();
    systemd.set_read_timeout(Some(LONGEST)).unwrap();
    let socket = socket.display().to_string();
    let service = setup.env("NOTIFY_SOCKET", &socket).start();
    let hear = || {
        let mut told = [0; 512];
        let length = systemd.recv(&mut told).unwrap();
        String::from_utf8_lossy(&told[..length]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    service.process.signal("TERM");
    assert_eq!(hear(), "STOPPING=1");
    assert_eq!(service.process.wait().code, Some(0));
}

#[test]
fn secrets_come_from_systemds_credentials() {
    let backend = Backend::start();
    let config = BASE.replace("env = \"SHOP_SECRET\"", "credential = \"shop-secret\"");
    let mut setup = Setup::of(&config, backend.address());
    setup.command.env_remove("SHOP_SECRET");
    setup.scratch.write("shop-secret", &format!("{SECRET}\n"));
    let directory = setup.scratch.path().display().to_string();
    let service = setup.env("CREDENTIALS_DIRECTORY", &directory).start();
    serves(&service, &backend);
}

#[test]
fn it_serves_on_the_socket_that_systemd_passes() {
    let passed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = passed.local_addr().unwrap();
    let backend = Backend::start();
    let config = BASE.replacen("127.0.0.1:0", "systemd", 1);
    let mut setup = Setup::of(&config, backend.address());
    setup.command = as_systemd_starts(&setup.command, passed);
    let service = setup.start();
    assert_eq!(service.address(), address);
    serves(&service, &backend);
    service.process.signal("TERM");
    assert_eq!(service.process.wait().code, Some(0));
}

#[test]
fn without_a_passed_socket_it_does_not_start() {
    let config = BASE.replacen("127.0.0.1:0", "systemd", 1);
    let ended = Process::run(Setup::of(&config, Backend::start().address()).command);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    assert_eq!(
        ended.err,
        "cannot listen on the sockets of systemd: \
         systemd passed none; a .socket unit must start this service\n"
    );
}

/// Holds that a login and a request under its session go through.
#[track_caller]
fn serves(service: &Service, backend: &Backend) {
    let skey = service.skey_of("alice");
    let answer = service.ask(&Ask::get("/orders").skey(&skey));
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [service.openid_of("alice")]);
}

/// The same command, with a socket as file 3 and the variables that say so.
fn as_systemd_starts(command: &Command, socket: TcpListener) -> Command {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"",
        "sh",
    ]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(command.get_current_dir().unwrap());
    shell.stdin(Stdio::from(OwnedFd::from(socket)));
    shell
}
