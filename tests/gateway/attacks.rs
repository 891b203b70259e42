//! Published ways around gateways like this one, by family, each sent as the bytes that it is. For all of them holds: the
//! backend is told one identity of the gateway's choosing or the request does not come, and it reads as many requests as
//! were logged as forwarded. docs/threat-model.md counts them.

mod absolute;
mod answers;
mod connect;
mod downgrade;
mod framing;
mod hops;
mod hosts;
mod names;
mod originals;
mod paths;
mod pipelines;
mod queries;
mod siege;
mod trailers;
mod upgrades;
mod values;

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::Frame;
use siege::Siege;

/// Stands for the skey of a user in what is sent; as long as a real one, so that lengths are right.
const SKEY: &str = "THE-SKEY-OF-A-USER-WHICH-HAS-43-CHARACTERS-";
const HOST: &str = "Host: api.example.com\r\n";

/// One way around.
struct Case {
    name: &'static str,
    /// Where it was published: an advisory, a paper, or the rule that is broken.
    precedent: &'static str,
    sent: Sent,
    expected: Expected,
}

/// What somebody sends.
enum Sent {
    /// A client, in HTTP/1.1.
    Bytes(Vec<u8>),
    /// A client, in HTTP/2.
    Frames(Vec<Frame>),
    /// A backend, as its answer to a client's request.
    Answer(Vec<u8>),
    /// WeChat as the unionid of a user who logs in, and a backend as what it answers to `on_login`.
    Login {
        unionid: Option<&'static str>,
        said: &'static str,
    },
}

/// What is to come of it, beside what holds for all.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// The first answer has this status, and nothing of it reaches a backend.
    Refused(u16),
    /// It is refused, or reset, or its connection ends, and nothing of it reaches a backend.
    Turned,
    /// It reaches the backend as requests of these targets.
    Passes(&'static [&'static str]),
    /// The client gets these names of headers and no others that a backend sent.
    Tells(&'static [&'static str]),
    /// Nothing more than for all.
    Held,
}

/// A family, its name in docs/threat-model.md, and its cases.
type Family = (&'static str, fn() -> Vec<Case>);

const FAMILIES: [Family; 15] = [
    ("header aliases", names::cases),
    ("hop-by-hop removal", hops::cases),
    ("path views", paths::cases),
    ("query or fragment as path", queries::cases),
    ("original URL headers", originals::cases),
    ("request framing", framing::cases),
    ("HTTP/2 downgrade", downgrade::cases),
    ("upgrade smuggling", upgrades::cases),
    ("absolute form", absolute::cases),
    ("Host", hosts::cases),
    ("trailers", trailers::cases),
    ("identity in answers", answers::cases),
    ("injected values", values::cases),
    ("CONNECT and TRACE", connect::cases),
    ("pipelines behind refusals", pipelines::cases),
];

fn case(name: &'static str, precedent: &'static str, sent: Vec<u8>, expected: Expected) -> Case {
    Case {
        name,
        precedent,
        sent: Sent::Bytes(sent),
        expected,
    }
}

/// A GET of a user, with these lines.
fn get(target: &str, lines: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\n{HOST}X-Skey: {SKEY}\r\n{lines}\r\n").into_bytes()
}

/// A POST of a user, with these lines and this body.
fn post(target: &str, lines: &str, body: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\n{HOST}X-Skey: {SKEY}\r\n{lines}\r\n{body}").into_bytes()
}

/// A request that must not be read as one.
fn smuggled() -> String {
    format!("GET /open/smuggled HTTP/1.1\r\n{HOST}X-OpenId: forged\r\n\r\n")
}

/// Lays siege with all cases of a family.
#[track_caller]
fn withstand(cases: fn() -> Vec<Case>) {
    let mut siege = Siege::lay();
    siege.withstand(&cases());
    siege.lift();
}

macro_rules! families {
    ($($test:ident: $family:ident;)*) => {$(
        #[test]
        fn $test() {
            withstand($family::cases);
        }
    )*};
}

families! {
    no_alias_of_a_header_passes: names;
    no_header_of_the_gateway_is_removed_by_naming_it: hops;
    no_path_is_read_in_two_ways: paths;
    no_query_or_fragment_is_taken_for_a_path: queries;
    no_header_stands_for_the_target: originals;
    no_request_ends_elsewhere_for_the_backend: framing;
    nothing_of_http_2_becomes_more_than_one_request: downgrade;
    no_byte_behind_an_upgrade_reaches_a_backend_unread: upgrades;
    no_target_names_another_host: absolute;
    no_request_has_two_hosts: hosts;
    no_trailer_becomes_a_header: trailers;
    no_answer_tells_an_identity: answers;
    no_value_becomes_a_header: values;
    no_tunnel_is_opened: connect;
    nothing_behind_a_refusal_is_taken_for_what_it_is_not: pipelines;
}

#[test]
fn every_case_has_a_name_of_its_own_and_a_precedent() {
    let of = |(family, cases): &Family| {
        let family = *family;
        let cases = cases().into_iter();
        cases.map(move |case| (family, case)).collect::<Vec<_>>()
    };
    let cases: Vec<_> = FAMILIES.iter().flat_map(of).collect();
    let names: BTreeSet<_> = cases
        .iter()
        .map(|(family, case)| (family, case.name))
        .collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 120, "{}", cases.len());
    let known = ["CVE-", "GHSA-", "CWE-", "RFC ", "VU#", "“"];
    for (_, case) in cases {
        let Case {
            name, precedent, ..
        } = case;
        let is_known = known.iter().any(|known| precedent.starts_with(known));
        assert!(is_known, "{name}: {precedent}");
    }
}

#[test]
fn the_threat_model_counts_the_cases_as_they_are_and_names_tests_that_there_are() {
    let doc = include_str!("../../docs/threat-model.md");
    let told = doc.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let name = cells.next()?;
        let count: usize = cells.next()?.parse().ok()?;
        Some((name, count))
    });
    let told: Vec<_> = told.collect();
    let mut counted: Vec<_> = FAMILIES
        .iter()
        .map(|(name, cases)| (*name, cases().len()))
        .collect();
    counted.push(("together", counted.iter().map(|(_, count)| count).sum()));
    assert_eq!(told, counted);
    let tests = sources();
    let named: Vec<_> = doc
        .split('`')
        .filter_map(|word| word.strip_prefix("test:"))
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named {
        let is_there = [format!("fn {name}("), format!("    {name}: ")];
        let is_there = is_there.iter().any(|mark| tests.contains(mark));
        assert!(is_there, "there is no test {name}");
    }
}

/// All that may hold a test, in one text.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut directories = vec![root.join("tests"), root.join("src")];
    let mut text = String::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}
