//! What wxgate is built from: licences, sources, banned crates and known holes. Takes its rules from deny.toml and
//! tests/advisories.toml, and needs neither cargo-deny nor a network.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use cargo_metadata::semver::{Version, VersionReq};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let (rules, tree) = (rules().unwrap(), tree().unwrap());
    assert_eq!(unlicensed(&tree, &rules.licenses.allow).unwrap(), NOTHING);
}

#[test]
fn every_licence_that_deny_toml_allows_is_needed() {
    let (rules, tree) = (rules().unwrap(), tree().unwrap());
    assert_eq!(unneeded(&tree, &rules.licenses.allow).unwrap(), NOTHING);
}

#[test]
fn every_crate_comes_from_a_registry_that_deny_toml_allows() {
    let (rules, tree) = (rules().unwrap(), tree().unwrap());
    assert_eq!(foreign(&tree, &rules.sources.allow_registry), NOTHING);
}

#[test]
fn no_crate_is_banned_and_none_that_must_be_one_is_two() {
    let (rules, tree) = (rules().unwrap(), tree().unwrap());
    assert!(rules.bans.deny.iter().any(|ban| ban.only_once));
    assert!(rules.bans.deny.iter().any(|ban| !ban.only_once));
    assert_eq!(banned(&tree, &rules.bans.deny), NOTHING);
}

#[test]
fn no_crate_has_a_known_hole() {
    let advisories: Advisories = read("tests/advisories.toml").unwrap();
    let lock: Lock = read("Cargo.lock").unwrap();
    assert!(advisories.advisory.len() > 10 && lock.package.len() > 10);
    assert_eq!(holes(&lock.package, &advisories.advisory), NOTHING);
}

#[test]
fn a_licence_must_be_allowed_in_every_part_that_binds() {
    let allow = ["MIT", "ISC"].map(String::from);
    let of = |license: Option<&str>| unlicensed(&[part("a", "1.0.0", license)], &allow).unwrap();
    for license in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0-only OR MIT",
        "MIT AND ISC",
    ] {
        assert_eq!(of(Some(license)), NOTHING, "{license}");
    }
    assert_eq!(
        of(Some("Apache-2.0")),
        ["a 1.0.0: Apache-2.0 is not allowed"]
    );
    assert_eq!(
        of(Some("MIT AND Zlib")),
        ["a 1.0.0: MIT AND Zlib is not allowed"]
    );
    assert_eq!(of(Some("mine")), ["a 1.0.0: mine is not allowed"]);
    assert_eq!(of(None), ["a 1.0.0: no licence is not allowed"]);
}

#[test]
fn an_allowance_is_needed_only_by_a_crate_with_no_other_choice() {
    let tree = [
        part("a", "1.0.0", Some("MIT OR Zlib")),
        part("b", "1.0.0", Some("MIT")),
    ];
    let allow = ["MIT", "Zlib"].map(String::from);
    assert_eq!(
        unneeded(&tree, &allow).unwrap(),
        ["Zlib is allowed, but nothing needs it"]
    );
}

#[test]
fn a_crate_from_a_git_repository_or_another_directory_is_foreign() {
    let mut tree = [
        part("a", "1.0.0", None),
        part("b", "1.0.0", None),
        part("c", "1.0.0", None),
    ];
    tree[0].source = Some("git+https://example.com/a".to_owned());
    tree[1].source = None;
    let allowed = ["https://github.com/rust-lang/crates.io-index".to_owned()];
    assert_eq!(
        foreign(&tree, &allowed),
        [
            "a 1.0.0 comes from git+https://example.com/a",
            "b 1.0.0 comes from a directory"
        ]
    );
}

#[test]
fn a_banned_crate_and_a_second_version_are_named() {
    let tree = ["1.0.0", "2.0.0"].map(|version| part("a", version, None));
    let ban = |only_once| Ban {
        name: "a".to_owned(),
        only_once,
    };
    assert_eq!(
        banned(&tree, &[ban(true)]),
        ["a may have one version only, not 1.0.0, 2.0.0"]
    );
    assert_eq!(banned(&tree[..1], &[ban(true)]), NOTHING);
    assert_eq!(
        banned(&tree[..1], &[ban(false)]),
        ["a is banned, but 1.0.0 is in the tree"]
    );
}

#[test]
fn only_versions_that_are_neither_patched_nor_unaffected_have_a_hole() {
    let advisory = Advisory {
        id: "RUSTSEC-0".to_owned(),
        name: "ring".to_owned(),
        hole: "it leaks".to_owned(),
        patched: vec![
            ">=0.17.12".parse().unwrap(),
            ">=0.16.9, <0.17.0".parse().unwrap(),
        ],
        unaffected: vec!["<0.16.0".parse().unwrap()],
    };
    let of = |version: &str| {
        let ring = Locked {
            name: "ring".to_owned(),
            version: version.parse().unwrap(),
        };
        holes(&[ring], std::slice::from_ref(&advisory))
    };
    for version in ["0.17.12", "0.17.14", "0.16.9", "0.15.2"] {
        assert_eq!(of(version), NOTHING, "{version}");
    }
    assert_eq!(of("0.17.11"), ["ring 0.17.11: it leaks (RUSTSEC-0)"]);
    assert_eq!(of("0.16.8"), ["ring 0.16.8: it leaks (RUSTSEC-0)"]);
    assert_eq!(
        holes(&[], &[advisory]),
        ["RUSTSEC-0 is about ring, which is not in Cargo.lock"]
    );
}

const NOTHING: [&str; 0] = [];

/// The parts of deny.toml that are read here; cargo-deny reads all of it.
#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// It is not the crate that is banned, but a second version of it.
    #[serde(rename = "deny-multiple-versions", default)]
    only_once: bool,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisories {
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    id: String,
    #[serde(rename = "crate")]
    name: String,
    hole: String,
    patched: Vec<VersionReq>,
    #[serde(default)]
    unaffected: Vec<VersionReq>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: Version,
}

/// A crate of the dependency tree, wxgate itself left out.
struct Part {
    name: String,
    version: Version,
    license: Option<String>,
    source: Option<String>,
}

fn unlicensed(tree: &[Part], allow: &[String]) -> Outcome<Vec<String>> {
    let licensees = allow
        .iter()
        .map(|name| Licensee::parse(name))
        .collect::<Result<Vec<_>, _>>()?;
    let refused = tree.iter().filter(|part| !is_allowed(part, &licensees));
    Ok(refused
        .map(|part| {
            let license = part.license.as_deref().unwrap_or("no licence");
            format!("{} {}: {license} is not allowed", part.name, part.version)
        })
        .collect())
}

fn is_allowed(part: &Part, licensees: &[Licensee]) -> bool {
    let license = part.license.as_deref().unwrap_or_default();
    Expression::parse_mode(license, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|asked| licensees.iter().any(|licensee| licensee.satisfies(asked)))
    })
}

fn unneeded(tree: &[Part], allow: &[String]) -> Outcome<Vec<String>> {
    let refused = unlicensed(tree, allow)?.len();
    let mut unneeded = Vec::new();
    for name in allow {
        let others: Vec<_> = allow
            .iter()
            .filter(|other| *other != name)
            .cloned()
            .collect();
        if unlicensed(tree, &others)?.len() == refused {
            unneeded.push(format!("{name} is allowed, but nothing needs it"));
        }
    }
    Ok(unneeded)
}

fn foreign(tree: &[Part], registries: &[String]) -> Vec<String> {
    let is_allowed = |source: &str| {
        source
            .strip_prefix("registry+")
            .is_some_and(|url| registries.iter().any(|r| r == url))
    };
    tree.iter()
        .filter(|part| !part.source.as_deref().is_some_and(is_allowed))
        .map(|part| {
            let source = part.source.as_deref().unwrap_or("a directory");
            format!("{} {} comes from {source}", part.name, part.version)
        })
        .collect()
}

fn banned(tree: &[Part], bans: &[Ban]) -> Vec<String> {
    bans.iter()
        .filter_map(|ban| {
            let named = tree.iter().filter(|part| part.name == ban.name);
            let versions: Vec<_> = named.map(|part| part.version.to_string()).collect();
            let (name, found) = (&ban.name, versions.join(", "));
            match (ban.only_once, versions.len()) {
                (true, 0 | 1) | (false, 0) => None,
                (true, _) => Some(format!("{name} may have one version only, not {found}")),
                (false, _) => Some(format!("{name} is banned, but {found} is in the tree")),
            }
        })
        .collect()
}

fn holes(locked: &[Locked], advisories: &[Advisory]) -> Vec<String> {
    advisories
        .iter()
        .flat_map(|advisory| holes_of(advisory, locked))
        .collect()
}

fn holes_of(advisory: &Advisory, locked: &[Locked]) -> Vec<String> {
    let Advisory { id, name, hole, .. } = advisory;
    let mut versions = locked.iter().filter(|part| part.name == *name).peekable();
    if versions.peek().is_none() {
        return vec![format!("{id} is about {name}, which is not in Cargo.lock")];
    }
    versions
        .filter(|part| {
            let mut closed = advisory.patched.iter().chain(&advisory.unaffected);
            !closed.any(|range| range.matches(&part.version))
        })
        .map(|part| format!("{name} {}: {hole} ({id})", part.version))
        .collect()
}

fn rules() -> Outcome<Rules> {
    read("deny.toml")
}

fn read<T: for<'de> Deserialize<'de>>(file: &str) -> Outcome<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    Ok(toml::from_str(&std::fs::read_to_string(path)?)?)
}

/// All crates that are built for a target of deny.toml, for tests or for use.
fn tree() -> Outcome<Vec<Part>> {
    let targets = rules()?.graph.targets;
    let mut options = vec!["--offline".to_owned(), "--locked".to_owned()];
    options.extend(
        targets
            .iter()
            .map(|target| format!("--filter-platform={target}")),
    );
    let metadata = MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(options)
        .exec()?;
    let tree = parts(&metadata);
    if tree.len() < 10 {
        return Err("cargo names hardly any dependency".into());
    }
    Ok(tree)
}

fn parts(metadata: &Metadata) -> Vec<Part> {
    let resolved = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let built: BTreeSet<_> = resolved.map(|node| &node.id).collect();
    metadata
        .packages
        .iter()
        .filter(|package| built.contains(&package.id))
        .filter(|package| !metadata.workspace_members.contains(&package.id))
        .map(|package| Part {
            name: package.name.to_string(),
            version: package.version.clone(),
            license: package.license.clone(),
            source: package.source.as_ref().map(ToString::to_string),
        })
        .collect()
}

fn part(name: &str, version: &str, license: Option<&str>) -> Part {
    Part {
        name: name.to_owned(),
        version: version.parse().unwrap_or(Version::new(0, 0, 0)),
        license: license.map(ToOwned::to_owned),
        source: Some("registry+https://github.com/rust-lang/crates.io-index".to_owned()),
    }
}
