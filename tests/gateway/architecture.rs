//! The map in src/lib.rs, held against the imports; and what is forbidden everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms from the top down. A room may import from lower layers only: two of one layer do not know each other.
const LAYERS: [&[&str]; 7] = [
    &["main"],
    &["demo", "service", "sessions_command"],
    &["app"],
    &["gateway", "explain", "renewal"],
    &["endpoints", "admin"],
    &["store", "wechat", "upstream", "listener", "telemetry"],
    &["config", "wire", "metrics"],
];
/// The room that all others may know.
const GROUND: &str = "domain";
/// A room of its own, so that it can contradict the others; only the demo, and tests, know it.
const APART: &str = "simulator";
/// Rooms that know less than their layer allows.
const ONLY: [(&str, &[&str]); 2] = [("telemetry", &["config", GROUND]), (APART, &[])];
/// The lines that a file may have, its tests among them.
const LONGEST: usize = 400;
/// The lines that a function may have; a table of a test may be longer.
const LONGEST_FUNCTION: usize = 45;

#[test]
fn every_room_has_its_place() {
    let rooms: BTreeSet<_> = files().iter().map(|file| file.room.clone()).collect();
    let layers = LAYERS.concat().into_iter().chain([GROUND, APART]);
    let named: BTreeSet<_> = layers.map(str::to_owned).collect();
    assert_eq!(rooms, named);
}

#[test]
fn imports_point_down_only() {
    let mut imports = 0;
    for file in files() {
        for room in file.imports() {
            imports += 1;
            let is_allowed = room == file.room || may_import(&file.room, &room);
            assert!(is_allowed, "{} imports {room}", file.path.display());
        }
    }
    assert!(imports > 100, "only {imports} imports were found");
}

#[test]
fn the_files_of_a_room_know_no_cycle_of_rooms() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        let mut imports = file.imports();
        imports.remove(&file.room);
        known.entry(file.room).or_default().extend(imports);
    }
    // Whoever knows nobody who is left is taken away, until nobody is left.
    while !known.is_empty() {
        let left: BTreeSet<_> = known.keys().cloned().collect();
        let before = known.len();
        known.retain(|_, imports| !imports.is_disjoint(&left));
        assert!(known.len() < before, "a cycle: {known:#?}");
    }
}

#[test]
fn every_file_says_first_what_it_is() {
    for (path, text) in everything() {
        assert!(text.starts_with("//! "), "{}", path.display());
    }
}

#[test]
fn no_file_is_long() {
    for (path, text) in everything() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST, "{}: {lines}", path.display());
    }
}

#[test]
fn no_function_is_long() {
    let mut functions = 0;
    for file in files() {
        for (name, lines) in functions_of(file.code()) {
            functions += 1;
            assert!(
                lines <= LONGEST_FUNCTION,
                "{}: {name}: {lines}",
                file.path.display()
            );
        }
    }
    assert!(functions > 300, "only {functions} functions were found");
}

#[test]
fn a_function_ends_where_its_indentation_does() {
    let code = "impl A {\n    pub fn a(\n        b: B,\n    ) {\n        c()\n    }\n    fn d();\n    fn e(\n        f: F,\n    ) -> G;\n}\n";
    let found: Vec<_> = functions_of(code).collect();
    assert_eq!(found, [("pub fn a(", 5), ("fn d();", 1), ("fn e(", 3)]);
}

#[test]
fn no_lint_is_allowed_without_being_expected() {
    let mark = concat!("[", "allow(");
    for file in files() {
        assert!(!file.text.contains(mark), "{}", file.path.display());
    }
}

#[test]
fn the_time_is_read_in_one_place() {
    let places: Vec<_> = files()
        .into_iter()
        .filter(|file| file.room != APART && file.text.contains("SystemTime::now("))
        .map(|file| file.path)
        .collect();
    assert_eq!(places, [Path::new("domain/clock.rs")]);
}

#[test]
fn imports_are_found_in_every_form() {
    let file = File {
        path: PathBuf::from("store/memory.rs"),
        room: "store".to_owned(),
        text: "use crate::{app, wire::{body, head}};\npub(crate) use crate::config::plan::Plan;\n\
               let a = crate::metrics::Metrics::new();\n#[cfg(test)]\nmod tests {\nuse crate::simulator::Simulator;\n"
            .to_owned(),
    };
    let found: Vec<_> = file.imports().into_iter().collect();
    assert_eq!(found, ["app", "config", "metrics", "wire"]);
}

fn may_import(from: &str, to: &str) -> bool {
    let only = ONLY.iter().find(|(room, _)| *room == from);
    if let Some((_, known)) = only {
        return known.contains(&to);
    }
    let layer = |room| LAYERS.iter().position(|layer| layer.contains(&room));
    match (layer(from), layer(to)) {
        (Some(above), Some(below)) => above < below,
        (Some(_), None) => to == GROUND || (to == APART && from == "demo"),
        (None, _) => false,
    }
}

/// A file below src.
struct File {
    path: PathBuf,
    room: String,
    text: String,
}

impl File {
    /// Whether it holds tests alone.
    fn is_test(&self) -> bool {
        let mut parts = self.path.iter();
        parts.any(|part| part == "tests" || part == "tests.rs")
    }

    /// The file without its tests.
    fn code(&self) -> &str {
        let tests = self.text.find("#[cfg(test)]\nmod tests {");
        let code = tests.map_or(&*self.text, |tests| &self.text[..tests]);
        if self.is_test() { "" } else { code }
    }

    /// The rooms that its code names.
    fn imports(&self) -> BTreeSet<String> {
        let of_binary = if self.room == "main" {
            "wxgate::"
        } else {
            "crate::"
        };
        let paths = self.code().split(of_binary).skip(1);
        paths.flat_map(first_words).collect()
    }
}

/// The first line of each function and how many it has, in code that is formatted: there a function ends at the first
/// brace as far in as its beginning, or one without a body with its signature.
fn functions_of(code: &str) -> impl Iterator<Item = (&str, usize)> {
    let lines: Vec<_> = code.lines().collect();
    let measure = move |start: usize| {
        let first = lines[start];
        let name = first.trim_start();
        if !format!(" {name}").contains(" fn ") || name.starts_with("//") {
            return None;
        }
        let indent = &first[..first.len() - name.len()];
        let is_end = |line: &&str| match line.strip_prefix(indent) {
            Some(rest) => rest == "}" || (rest.starts_with(')') && rest.ends_with(';')),
            None => false,
        };
        let is_short = name.ends_with(['}', ';']);
        let more = lines[start..].iter().position(is_end);
        Some((name, if is_short { 1 } else { more? + 1 }))
    };
    (0..code.lines().count()).filter_map(measure)
}

/// The first words of a path, or of all paths in braces.
fn first_words(path: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        let is_in_word = |c: &char| c.is_alphanumeric() || *c == '_';
        text.trim().chars().take_while(is_in_word).collect()
    };
    let Some(list) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let (mut depth, mut words, mut start) = (1, Vec::new(), 0);
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            words.push(word(&list[start..place]));
            start = place + 1;
        }
        if depth == 0 {
            break;
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// All files below src and tests, each with its text.
fn everything() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    collect(&root.join("tests"), &mut paths);
    assert!(paths.len() > 100, "only {} files were found", paths.len());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// All files of the library and the binary but the map itself.
fn files() -> Vec<File> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&source, &mut paths);
    assert!(paths.len() > 50, "only {} files were found", paths.len());
    let files = paths.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(&source).unwrap().to_owned();
        let first = path.iter().next().unwrap().to_string_lossy();
        let room = first.trim_end_matches(".rs").to_owned();
        File { path, room, text }
    });
    files.filter(|file| file.room != "lib").collect()
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}
