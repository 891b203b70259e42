//! A search without a fuzzer: what is committed of a corpus, and inputs made of it, the same ones at every run. Knows no
//! target.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;

/// What the search begins with, so that a run can be repeated.
const SEED: u64 = 0x5eed;
/// How many inputs are made of a corpus, unless the environment says otherwise.
const INPUTS: usize = 20_000;
/// The variable that says so.
const VARIABLE: &str = "WXGATE_FUZZ_INPUTS";
/// The bytes that an input may have.
const LONGEST: usize = 4096;
/// What readers stumble over.
const WORDS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\xc2\xa0",
    b"\xc2\x85",
    b"%2e",
    b"%2F",
    b"%25",
    b"..",
    b";",
    b"//",
    b"\\",
    b"_",
    b".",
    b",",
    b"=",
    b"&",
    b"\"",
    b"Bearer ",
    b"\xff",
];

/// Holds an input of the corpus in `directory`, and inputs made of it, against `holds`, which panics where it does not.
///
/// # Panics
///
/// There is no corpus, or an input is found for which it does not hold; that is printed.
pub fn search(directory: &Path, holds: impl Fn(&[u8])) {
    let corpus = read(directory);
    for input in &corpus {
        hold(&holds, input);
    }
    let inputs = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok());
    let mut random = Rng::with_seed(SEED);
    for _ in 0..inputs.unwrap_or(INPUTS) {
        hold(&holds, &made_of(&corpus, &mut random));
    }
}

fn read(directory: &Path) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(directory).expect("the corpus should be there");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("it can be read").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 4, "hardly a corpus: {}", directory.display());
    let read = |path| std::fs::read(path).expect("it can be read");
    paths.iter().map(read).collect()
}

fn hold(holds: &impl Fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| holds(input))) {
        eprintln!("it does not hold for b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
}

/// An input of the corpus with a few changes.
fn made_of(corpus: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let any = |random: &mut Rng| corpus[random.usize(..corpus.len())].clone();
    let mut input = any(random);
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=input.len());
        let end = at + random.usize(..=(input.len() - at).min(16));
        match random.u8(..7) {
            0 => input.insert(at, random.u8(..)),
            1 => drop(input.drain(at..end)),
            2 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            3 => {
                let other = any(random);
                let from = random.usize(..=other.len());
                let to = from + random.usize(..=(other.len() - from).min(32));
                input.splice(at..at, other[from..to].iter().copied());
            }
            4 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            5 if at < input.len() => input[at] = random.u8(..),
            _ => {
                let word = WORDS[random.usize(..WORDS.len())];
                input.splice(at..at, word.iter().copied());
            }
        }
    }
    input.truncate(LONGEST);
    input
}
