//! Where sessions outlast the process, and what seals them there.

use std::path::Path;
use std::time::Duration;

use super::{Directory, REST, check, plan, surroundings};
use crate::config::plan::StatePlan;
use crate::config::{load, read};

fn state_of(sessions: &str) -> Option<StatePlan> {
    plan(&format!("[sessions]\n{sessions}\n{REST}"))
        .sessions
        .state
}

fn state(file: &str, interval: Duration) -> StatePlan {
    StatePlan {
        file: file.into(),
        interval,
    }
}

#[test]
fn a_state_file_is_where_the_config_says_and_there_is_none_without() {
    let minute = Duration::from_mins(1);
    assert_eq!(state_of(""), None);
    assert_eq!(state_of("state = \"\""), None);
    assert_eq!(
        state_of("state = \"/var/s\""),
        Some(state("/var/s", minute))
    );
    let often = state_of("state = \"/var/s\"\nstate_interval = \"5s\"");
    assert_eq!(often, Some(state("/var/s", Duration::from_secs(5))));
    let directory = Directory::new("state");
    let config = format!("[sessions]\nstate = \"here/s\"\n{REST}");
    let file = directory.file("gateway.toml", config);
    let found = load(&file, &surroundings()).unwrap().sessions.state;
    assert_eq!(found.unwrap().file, directory.path().join("here/s"));
}

#[test]
fn without_a_word_it_is_in_the_first_directory_that_systemd_gives() {
    let mut surroundings = surroundings();
    let mut found = |directories: &str, sessions: &str| {
        let variable = ("STATE_DIRECTORY".to_owned(), directories.to_owned());
        surroundings.variables.extend([variable]);
        let config = format!("[sessions]\n{sessions}\n{REST}");
        let plan = read("gateway.toml", &config, &surroundings).unwrap();
        plan.sessions.state.map(|state| state.file)
    };
    let expected = Some(Path::new("/var/lib/wxgate/sessions").to_owned());
    assert_eq!(found("/var/lib/wxgate", ""), expected);
    assert_eq!(found("/var/lib/wxgate:/var/lib/other", ""), expected);
    assert_eq!(found("", ""), None);
    assert_eq!(found("/var/lib/wxgate", "state = \"\""), None);
    let elsewhere = found("/var/lib/wxgate", "state = \"/srv/s\"");
    assert_eq!(elsewhere.as_deref(), Some(Path::new("/srv/s")));
}

#[test]
fn what_is_no_place_for_a_file_is_told() {
    let cases = [
        (
            "state = \"/tmp/\"",
            "2:9: `/tmp` is a directory; write a file in it, such as \"/tmp/sessions\"",
        ),
        (
            "state = \"/tmp\"",
            "2:9: `/tmp` is a directory; write a file in it, such as \"/tmp/sessions\"",
        ),
        (
            "state = \"/nowhere/s\"",
            "2:9: `/nowhere` cannot be written to: no such directory; make it a directory of the user that wxgate runs as, \
             with mode 0700",
        ),
        (
            "state_interval = \"0s\"",
            "2:18: `0s` is no time at all; write one above zero, such as \"10s\"",
        ),
        (
            "encryption_keys = [\"hunter2\"]",
            "2:20: a secret does not stand in the config, which many may read; write { env = \"NAME\" }, \
             { file = \"PATH\" } or { credential = \"NAME\" }",
        ),
        (
            "encryption_keys = [{ env = \"SHOP_SECRET\" }]",
            "2:28: this is no key of 32 bytes in base64 or hexadecimal digits; `openssl rand -base64 32` makes one",
        ),
        (
            "encryption_keys = { env = \"UNSET\" }",
            "2:27: the environment variable `UNSET` is not set",
        ),
    ];
    for (sessions, problem) in cases {
        check(&[(&format!("[sessions]\n{sessions}\n{REST}"), problem)]);
    }
}

#[test]
fn keys_are_read_in_their_order_from_where_they_lie_and_none_twice() {
    let directory = Directory::new("keys");
    let file = directory.file("old", format!("{}\n", "0a".repeat(32)));
    let mut surroundings = surroundings();
    let variable = ("NEW_KEY".to_owned(), "0b".repeat(32));
    surroundings.variables.extend([variable]);
    let config = |keys: &str| format!("[sessions]\nencryption_keys = {keys}\n{REST}");
    let (new, old) = (
        "{ env = \"NEW_KEY\" }",
        format!("{{ file = \"{}\" }}", file.display()),
    );
    let both = config(&format!("[{new}, {old}]"));
    let plan = read("gateway.toml", &both, &surroundings).unwrap();
    let keys: Vec<_> = plan
        .sessions
        .encryption_keys
        .iter()
        .map(|key| key.reveal()[0])
        .collect();
    assert_eq!(keys, [0x0b, 0x0a]);
    assert!(!format!("{plan:?}").contains("0b0b"));
    let one = read("gateway.toml", &config(new), &surroundings).unwrap();
    assert_eq!(one.sessions.encryption_keys.len(), 1);
    let twice = config(&format!("[{new}, {new}]"));
    let problems = read("gateway.toml", &twice, &surroundings).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "gateway.toml:2:49: this is the same key as one before; remove it"
    );
}
