//! README.md, those below deploy, and gateway.toml, held against what the gateway does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wxgate::config::{self, Surroundings};
use wxgate::domain::refusal::RefusalCode;

use crate::harness::{
    Ask, BASE, Backend, Ended, Line, Process, SECRET, SHIPPED, Scratch, Setup, wxgate,
};

const README: &str = include_str!("../../README.md");
const DEPLOY: &str = include_str!("../../deploy/README.md");
const CLIENT: &str = include_str!("../../deploy/clients/miniprogram/README.md");
const RECIPES: &str = include_str!("../../deploy/recipes/README.md");
const UNIT: &str = include_str!("../../deploy/wxgate.service");
/// What a part of a config needs around it.
const AROUND: &str = r#"
[apps.shop]
appid = "wx0123456789abcdef"
secret = { env = "SHOP_SECRET" }

[upstreams.php]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/*"
upstream = "php"
"#;

#[test]
fn the_two_commands_of_the_readme_stand_there_as_they_are() {
    let block = blocks(README, "sh").remove(0);
    let commands: Vec<_> = block
        .lines()
        .map(|line| line.split('#').next().unwrap().trim())
        .collect();
    assert_eq!(commands, ["cargo run --release -- demo", "./tests/run.sh"]);
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/run.sh")
            .exists()
    );
}

#[test]
fn the_first_deployment_is_a_config_that_serves() {
    let block = blocks(README, "sh").remove(2);
    let config = block.split("<<'EOF'\n").nth(1).unwrap();
    let config = config.split("EOF\n").next().unwrap();
    let credential = "LoadCredential=shop-secret:/etc/wxgate/shop-secret";
    assert!(UNIT.lines().any(|line| line == credential), "{UNIT}");

    let scratch = Scratch::new();
    scratch.write("gateway.toml", config);
    scratch.write("shop-secret", &format!("{SECRET}\n"));
    let mut check = wxgate(&["check"]);
    check.current_dir(scratch.path());
    check.env("CREDENTIALS_DIRECTORY", scratch.path());
    let Ended { code, out, err } = Process::run(check);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "gateway.toml: ok\n");

    let backend = Backend::start();
    let here = "[server]\nlisten = \"127.0.0.1:0\"\n[wechat]\nbase_url = \"WECHAT\"\n";
    let config = config.replace("http://127.0.0.1:9000", "BACKEND");
    let mut setup = Setup::of(&format!("{here}{config}"), backend.address());
    setup.scratch.write("shop-secret", SECRET);
    let credentials = setup.scratch.path().to_owned();
    setup.command.env("CREDENTIALS_DIRECTORY", credentials);
    let service = setup.start();
    let skey = service.skey_of("alice");
    let answer = service.ask(&Ask::get("/orders").skey(&skey));
    assert_eq!((answer.status, answer.text().as_str()), (200, "seen"));
    let seen = backend.only_seen();
    assert_eq!(seen.values("X-OpenId"), [service.openid_of("alice")]);
}

#[test]
fn every_piece_of_config_is_one() {
    let pieces = [README, DEPLOY, CLIENT].map(|text| blocks(text, "toml"));
    let pieces = pieces.concat();
    assert!(pieces.len() >= 4, "{pieces:#?}");
    let mut surroundings = Surroundings::of_process();
    surroundings
        .variables
        .insert("SHOP_SECRET".to_owned(), SECRET.to_owned());
    for piece in pieces {
        let config = format!("{piece}\n{AROUND}");
        let Err(problems) = config::read("piece.toml", &config, &surroundings) else {
            continue;
        };
        let problems = problems.to_string();
        // Certificates lie on the reader's machine, and so do credentials.
        let mut others = problems
            .lines()
            .filter(|line| !line.contains("LoadCredential=tls."));
        assert_eq!(others.next(), None, "{piece}");
        assert!(piece.contains("tls"), "{problems}");
    }
}

#[test]
fn the_table_of_refusals_has_every_code_and_its_status() {
    let rows = rows(README, "| code | status | when |");
    let written: Vec<_> = rows
        .iter()
        .map(|row| (name(&row[0]), row[1].parse().unwrap()))
        .collect();
    let codes = RefusalCode::ALL.into_iter();
    let meant: Vec<_> = codes
        .map(|code| (code.as_str().to_owned(), code.status().as_u16()))
        .collect();
    assert_eq!(written, meant);
}

#[test]
fn the_table_of_metrics_has_every_name_with_its_labels() {
    let backend = Backend::that(|conversation| {
        if conversation.number == 1 {
            conversation.open_websocket("");
            conversation.echo();
        } else {
            conversation.read_request();
            conversation.answer("200 OK", b"");
        }
    });
    let config =
        format!("{BASE}\n[[routes]]\npath = \"/socket\"\nupstream = \"php\"\nwebsocket = true\n");
    let service = Setup::of(&config, backend.address()).start();
    let skey = service.skey_of("alice");
    let mut line = Line::to(service.address());
    line.open_websocket(&Ask::websocket("/socket").skey(&skey));
    let answer = service.ask(&Ask::get("/orders").skey(&skey));
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = service.admin("/metrics").text();
    let mut shown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let parts = ["_bucket", "_sum", "_count"];
        let whole = parts.iter().find_map(|part| name.strip_suffix(part));
        let names = labels
            .split("\",")
            .filter_map(|label| label.split_once('='));
        let names = names
            .map(|(label, _)| label.to_owned())
            .filter(|label| label != "le");
        shown
            .entry(whole.unwrap_or(name).to_owned())
            .or_default()
            .extend(names);
    }
    let rows = rows(README, "| metric | labels | what it counts |");
    let written: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let labels = row[1].split('`').skip(1).step_by(2);
            (name(&row[0]), labels.map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(written, shown);
}

#[test]
fn the_reference_has_every_key_with_its_default() {
    let shipped = keys(SHIPPED);
    assert_eq!(shipped.len(), 11, "{shipped:#?}");
    for (section, keys) in &shipped {
        if section == "refusals" {
            continue;
        }
        let heading = format!("### `{}`\n", heading(section));
        let (_, below) = README.split_once(&heading).expect(&heading);
        let rows = rows(below, "| key | default | meaning |");
        let written: BTreeSet<_> = rows.iter().map(|row| name(&row[0])).collect();
        let meant: BTreeSet<_> = keys.keys().cloned().collect();
        assert_eq!(written, meant, "[{section}]");
        for row in rows {
            let (default, meant) = (name(&row[1]), &keys[&name(&row[0])]);
            if row[1].starts_with('`') && !default.contains('{') {
                assert_eq!(&default, meant, "{row:?}");
            }
        }
    }
}

#[test]
fn the_shipped_config_names_every_key_that_there_is() {
    for (section, keys) in keys(SHIPPED) {
        let heading = match section.as_str() {
            "refusals" => "[refusals]\nsession_invalid = { unknown = 1 }".to_owned(),
            section => format!("{}\nunknown = 1", heading(section)).replace("NAME", "other"),
        };
        let problems = config::read("a.toml", &heading, &Surroundings::of_process());
        let problems = problems.unwrap_err().to_string();
        let line = problems
            .lines()
            .find(|line| line.contains("unknown key `unknown`"));
        let line = line.unwrap_or_else(|| panic!("{section}: {problems}"));
        let known = line
            .split_once("; there are ")
            .or(line.split_once("There are "));
        let known: BTreeSet<_> = known.unwrap().1.split('`').skip(1).step_by(2).collect();
        let known: BTreeSet<_> = known.into_iter().map(str::to_owned).collect();
        let written: BTreeSet<_> = match section.as_str() {
            "refusals" => ["status", "body"].map(str::to_owned).into(),
            _ => keys.into_keys().collect(),
        };
        assert_eq!(written, known, "[{section}]");
    }
}

#[test]
fn every_command_of_the_readme_is_one() {
    let rows = rows(README, "| command | what it does |");
    assert_eq!(rows.len(), 7, "{rows:#?}");
    for row in rows {
        let command = name(&row[0]);
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(words[0], "wxgate", "{command}");
        let subcommand = words[1..].iter().find(|word| !word.starts_with('-'));
        let arguments = match subcommand {
            Some(&"gateway.toml") | None => vec!["--help"],
            Some(&"sessions") => vec!["sessions", words[2], "--help"],
            Some(subcommand) => vec![*subcommand, "--help"],
        };
        let ended = Process::run(wxgate(&arguments));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{command}");
        for word in words[1..]
            .iter()
            .filter(|word| word.starts_with('-') || word.chars().all(char::is_uppercase))
        {
            assert!(ended.out.contains(word), "{word}: {}", ended.out);
        }
    }
}

#[test]
fn every_link_within_the_source_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    let client = root.join("deploy/clients/miniprogram");
    for (text, place) in [
        (README, root.to_owned()),
        (DEPLOY, root.join("deploy")),
        (CLIENT, client),
        (RECIPES, root.join("deploy/recipes")),
    ] {
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            found += 1;
            assert!(
                place.join(link.split('#').next().unwrap()).exists(),
                "{link}"
            );
        }
    }
    assert!(found >= 4, "only {found} links were found");
}

/// The code blocks in one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let pieces = text.split("\n```").skip(1).step_by(2);
    let blocks = pieces.filter_map(|piece| piece.split_once('\n'));
    let named = blocks.filter(|(named, _)| *named == language);
    named.map(|(_, block)| format!("{block}\n")).collect()
}

/// The rows of the first table with this head, cell by cell.
#[track_caller]
fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let (_, below) = text.split_once(head).expect(head);
    let lines = below
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim_matches('|');
        line.split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let rows: Vec<_> = lines.map(cells).collect();
    assert!(!rows.is_empty(), "{head}");
    rows
}

/// What stands within backticks.
fn name(cell: &str) -> String {
    cell.split('`').nth(1).unwrap_or_default().to_owned()
}

/// A section as the reference calls it.
fn heading(section: &str) -> String {
    match section {
        "routes" => "[[routes]]".to_owned(),
        "apps" | "upstreams" => format!("[{section}.NAME]"),
        section => format!("[{section}]"),
    }
}

/// The keys of a config, those behind a `#` too, with their values as they stand there; section by section.
fn keys(config: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut keys: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    for line in config.lines() {
        if line.starts_with('[') {
            let named = line.trim_matches(['[', ']']);
            named.split('.').next().unwrap().clone_into(&mut section);
            keys.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.trim_start_matches('#').split_once(" = ")
            && key
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            let value = value
                .split("  ")
                .next()
                .unwrap()
                .split(" #")
                .next()
                .unwrap();
            let keys = keys.get_mut(&section).unwrap();
            // What holds without a key is told behind a `#`, and an example does not stand above it.
            if line.starts_with('#') || !keys.contains_key(key) {
                keys.insert(key.to_owned(), value.trim().to_owned());
            }
        }
    }
    keys
}
