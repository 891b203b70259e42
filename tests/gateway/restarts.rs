//! Sessions that outlast the process in their state file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tokio::time::Instant;

use crate::harness::{Ask, BASE, Backend, Ended, LONGEST, Process, Service, Setup, wxgate};

/// A file that is written at the end alone, as far as a test lasts.
const STATE: &str = "[sessions]\nstate = \"sessions\"\nstate_interval = \"1h\"\n";
/// 32 bytes each.
const KEYS: [(&str, &str); 2] = [
    ("OLD_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="),
    (
        "NEW_KEY",
        "0808080808080808080808080808080808080808080808080808080808080808",
    ),
];

fn config(sessions: &str) -> String {
    format!("{BASE}\n{sessions}")
}

/// A gateway with this part of a config.
fn start(sessions: &str, backend: &Backend) -> Service {
    with_keys(Setup::of(&config(sessions), backend.address())).start()
}

fn with_keys(setup: Setup) -> Setup {
    KEYS.iter()
        .fold(setup, |setup, (name, value)| setup.env(name, value))
}

/// Ends it and starts it anew with this part of a config.
#[track_caller]
fn restart(service: Service, signal: &str, sessions: &str, backend: &Backend) -> Service {
    let (ended, setup) = service.end(signal, &config(sessions), backend.address());
    let code = if signal == "TERM" { Some(0) } else { None };
    assert_eq!((ended.code, ended.err.as_str()), (code, ""));
    with_keys(setup).start()
}

fn status(service: &Service, skey: &str) -> u16 {
    service.ask(&Ask::get("/orders").skey(skey)).status
}

fn count(service: &Service, series: &str) -> u64 {
    let page = service.admin("/metrics").text();
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {series} in {page}"))
        .parse()
        .unwrap()
}

/// Waits until a save was begun and ended after this was called.
#[track_caller]
fn await_save(service: &Service) {
    let series = "wxgate_state_saves_total{outcome=\"saved\"}";
    let (since, before) = (Instant::now(), count(service, series));
    // One may have been under way.
    while count(service, series) < before + 2 {
        assert!(since.elapsed() < LONGEST, "nothing is saved");
    }
}

fn sessions(service: &Service) -> u64 {
    count(service, "wxgate_sessions{app=\"shop\"}")
}

#[test]
fn a_session_outlasts_a_restart_and_a_login_goes_through_after_it() {
    let backend = Backend::start();
    let service = start(STATE, &backend);
    let alice = service.skey_of("alice");
    let gone = service.skey_of("bob");
    let logout = service.ask(&Ask::post("/wx/logout").skey(&gone));
    assert_eq!(logout.status, 200);
    let openid = service.openid_of("alice");
    let service = restart(service, "TERM", STATE, &backend);
    assert_eq!(sessions(&service), 1);
    assert_eq!(status(&service, &alice), 200);
    let seen = backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [openid]);
    assert_eq!(status(&service, &gone), 401);
    let fresh = service.skey_of("carol");
    assert_eq!(
        (status(&service, &fresh), status(&service, &alice)),
        (200, 200)
    );
    let read = service.process.line("what was read", |line| {
        line.contains("the sessions were read back")
    });
    assert!(
        read.contains(" sessions=1 users=2 ended_meanwhile=0 "),
        "{read}"
    );
    assert!(!read.contains(&alice), "{read}");
}

#[test]
fn the_file_has_neither_a_token_nor_another_reader_and_with_a_key_no_names() {
    let backend = Backend::start();
    let service = start(STATE, &backend);
    let (alice, openid) = (service.skey_of("alice"), service.openid_of("alice"));
    let sealed = format!("{STATE}encryption_keys = [{{ env = \"OLD_KEY\" }}]\n");
    let holds = |service: &Service, text: &str| {
        let bytes = fs::read(service.directory().join("sessions")).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    let service = restart(service, "TERM", STATE, &backend);
    let file = service.directory().join("sessions");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(holds(&service, &openid) && !holds(&service, &alice));
    // What anybody may have written is not believed where a key is set.
    let service = restart(service, "TERM", &sealed, &backend);
    assert_eq!(status(&service, &alice), 401);
    let alice = service.skey_of("alice");
    let service = restart(service, "TERM", &sealed, &backend);
    assert_eq!(status(&service, &alice), 200);
    assert!(!holds(&service, &openid) && !holds(&service, &alice));
}

#[test]
fn what_was_saved_outlasts_a_kill_at_any_moment() {
    let backend = Backend::start();
    let often = STATE.replace("1h", "10ms");
    let mut service = start(&often, &backend);
    let mut skeys = Vec::new();
    for round in 0..3 {
        skeys.push(service.skey_of(&format!("user-{round}")));
        await_save(&service);
        service = restart(service, "KILL", &often, &backend);
        assert_eq!(sessions(&service), round + 1);
        for skey in &skeys {
            assert_eq!(status(&service, skey), 200);
        }
    }
}

#[test]
fn a_damaged_file_is_put_aside_and_the_gateway_starts() {
    let backend = Backend::start();
    let service = start(STATE, &backend);
    let alice = service.skey_of("alice");
    let (_, setup) = service.end("TERM", &config(STATE), backend.address());
    let file = setup.scratch.path().join("sessions");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&file, &bytes).unwrap();
    let service = setup.start();
    assert_eq!(status(&service, &alice), 401);
    let told = service
        .process
        .line("damage", |line| line.contains("ERROR"));
    assert!(
        told.contains("the state file is of no use and was put aside"),
        "{told}"
    );
    assert!(told.contains("reason=\"it is damaged in chunk "), "{told}");
    let names = fs::read_dir(service.directory()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
    let aside = names
        .iter()
        .find(|path| path.display().to_string().contains("sessions.damaged-"));
    let aside = aside.unwrap_or_else(|| panic!("{names:?}"));
    assert!(
        told.contains(&format!("{}", aside.file_name().unwrap().display())),
        "{told}"
    );
    assert_eq!(fs::read(aside).unwrap(), bytes);
    assert_eq!(service.admin("/readyz").text().trim(), "ready");
    let fresh = service.skey_of("alice");
    let service = restart(service, "TERM", STATE, &backend);
    assert_eq!(status(&service, &fresh), 200);
}

#[test]
fn keys_are_rotated_by_putting_the_new_one_first_and_a_wrong_key_opens_nothing() {
    let backend = Backend::start();
    let by = |keys: &[&str]| {
        let keys: Vec<_> = keys
            .iter()
            .map(|key| format!("{{ env = \"{key}\" }}"))
            .collect();
        format!("{STATE}encryption_keys = [{}]\n", keys.join(", "))
    };
    let mut service = start(&by(&["OLD_KEY"]), &backend);
    let alice = service.skey_of("alice");
    for keys in [&["NEW_KEY", "OLD_KEY"][..], &["NEW_KEY"]] {
        service = restart(service, "TERM", &by(keys), &backend);
        assert_eq!(status(&service, &alice), 200, "{keys:?}");
    }
    let service = restart(service, "TERM", &by(&["OLD_KEY"]), &backend);
    assert_eq!(status(&service, &alice), 401);
    let told = service
        .process
        .line("the key", |line| line.contains("ERROR"));
    assert!(
        told.contains("`encryption_keys` of [sessions] does not have; add that key"),
        "{told}"
    );
}

#[test]
fn an_app_that_is_gone_takes_its_sessions_along_and_the_others_stay() {
    let backend = Backend::start();
    let login = "action = \"login\"";
    let two = BASE.replace(login, &format!("{login}\napp = \"game\"")).replace(
        "[apps.shop]",
        "[apps.shop]\nappid = \"wxfedcba9876543210\"\nsecret = { env = \"SHOP_SECRET\" }\n\n[apps.game]",
    );
    let service = Setup::of(&format!("{two}\n{STATE}"), backend.address()).start();
    let alice = service.skey_of("alice");
    // Its name and its place are others now; its appid is the same.
    let service = restart(service, "TERM", STATE, &backend);
    assert_eq!((status(&service, &alice), sessions(&service)), (200, 1));
    let without = BASE.replace("wx0123456789abcdef", "wxfedcba9876543210");
    let (_, setup) = service.end("TERM", &format!("{without}\n{STATE}"), backend.address());
    let service = setup.start();
    assert_eq!((status(&service, &alice), sessions(&service)), (401, 0));
    let read = service.process.line("what was read", |line| {
        line.contains("the sessions were read back")
    });
    assert!(read.contains(" of_apps_that_are_gone=1 "), "{read}");
}

#[test]
fn a_lifetime_that_is_shorter_now_ends_old_sessions_that_much_after_the_start() {
    let backend = Backend::start();
    let service = start(STATE, &backend);
    let alice = service.skey_of("alice");
    let left = |service: &Service| {
        let answer = service.ask(&Ask::get("/wx/check").skey(&alice));
        answer.json()["expires_in"].as_u64().unwrap()
    };
    let week = left(&service);
    let long = format!("{STATE}lifetime = \"30d\"\n");
    let service = restart(service, "TERM", &long, &backend);
    assert!(left(&service) <= week, "it was told when it ends");
    let short = format!("{STATE}lifetime = \"1h\"\nidle = \"1h\"\n");
    let service = restart(service, "TERM", &short, &backend);
    assert!((1..=3600).contains(&left(&service)));
}

#[test]
fn a_second_gateway_on_the_same_file_does_not_start_and_says_who_is_in_the_way() {
    let backend = Backend::start();
    let service = start(STATE, &backend);
    let mut second = wxgate(&["--config", "gateway.toml"]);
    second.current_dir(service.directory());
    second.env("SHOP_SECRET", crate::harness::SECRET);
    let Ended { code, out, err } = Process::run(second);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.starts_with("the state file sessions belongs to process "),
        "{err}"
    );
    assert!(
        err.contains(", which runs; give each wxgate a `state` of its own"),
        "{err}"
    );
    let alice = service.skey_of("alice");
    assert_eq!(status(&service, &alice), 200);
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_serving_goes_on() {
    let backend = Backend::start();
    let config = "[sessions]\nstate = \"later/sessions\"\nstate_interval = \"10ms\"\n";
    let service = start(config, &backend);
    let told = service
        .process
        .line("the trouble", |line| line.contains("WARN"));
    assert!(told.contains("the sessions cannot be saved"), "{told}");
    assert!(told.contains("No such file or directory"), "{told}");
    let alice = service.skey_of("alice");
    assert_eq!(status(&service, &alice), 200);
    let ready = service.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(
        ready
            .text()
            .starts_with("ready, but the sessions cannot be saved"),
        "{ready:?}"
    );
    let since = Instant::now();
    while count(&service, "wxgate_state_saves_total{outcome=\"failed\"}") == 0 {
        assert!(since.elapsed() < LONGEST);
    }
    fs::create_dir(service.directory().join("later")).unwrap();
    await_save(&service);
    assert_eq!(service.admin("/readyz").text().trim(), "ready");
    service.process.line("the end of it", |line| {
        line.contains("the state file is written again")
    });
    let service = restart(service, "TERM", config, &backend);
    assert_eq!(status(&service, &alice), 200);
}

#[test]
fn the_directory_that_systemd_gives_is_used_without_a_word_in_the_config() {
    let backend = Backend::start();
    let setup = Setup::of(BASE, backend.address());
    let directory = setup.scratch.path().join("of-systemd");
    fs::create_dir(&directory).unwrap();
    let directory = directory.display().to_string();
    let service = setup.env("STATE_DIRECTORY", &directory).start();
    let alice = service.skey_of("alice");
    let (_, setup) = service.end("TERM", BASE, backend.address());
    let service = setup.env("STATE_DIRECTORY", &directory).start();
    assert_eq!(status(&service, &alice), 200);
    let off = format!("{BASE}\n[sessions]\nstate = \"\"\n");
    let (_, setup) = service.end("TERM", &off, backend.address());
    let service = setup.env("STATE_DIRECTORY", &directory).start();
    assert_eq!(status(&service, &alice), 401);
}

#[test]
fn without_a_file_a_restart_ends_all_sessions() {
    let backend = Backend::start();
    let service = start("", &backend);
    let alice = service.skey_of("alice");
    let service = restart(service, "TERM", "", &backend);
    assert_eq!(status(&service, &alice), 401);
}

#[test]
fn a_check_tells_of_a_directory_that_is_missing() {
    let config = config(STATE).replace("state = \"sessions\"", "state = \"nowhere/sessions\"");
    let setup = Setup::of(&config, Backend::start().address());
    let mut check = wxgate(&["check"]);
    check.current_dir(setup.scratch.path());
    check.env("SHOP_SECRET", crate::harness::SECRET);
    let ended = Process::run(check);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""));
    let line = config
        .lines()
        .position(|line| line.starts_with("state = "))
        .unwrap()
        + 1;
    let expected = format!(
        "gateway.toml:{line}:9: `nowhere` cannot be written to: No such file or directory (os error 2); make it a \
         directory of the user that wxgate runs as, with mode 0700\n"
    );
    assert_eq!(ended.err, expected);
    fs::create_dir(setup.scratch.path().join("nowhere")).unwrap();
    let mut check = wxgate(&["check"]);
    check.current_dir(setup.scratch.path());
    check.env("SHOP_SECRET", crate::harness::SECRET);
    assert_eq!(Process::run(check).out, "gateway.toml: ok\n");
    let left = fs::read_dir(setup.scratch.path().join("nowhere")).unwrap();
    assert_eq!(left.count(), 0);
}
