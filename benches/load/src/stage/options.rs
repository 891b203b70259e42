//! The options of every run, and its course: measure or draw again, say, write. Knows nothing of what is measured.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::measure::Spans;
use super::output::Output;
use super::place::{Cores, Place};

/// The options of every run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// How many times each figure is measured
    #[arg(long)]
    rounds: Option<usize>,
    /// How long each measurement is, in seconds
    #[arg(long)]
    seconds: Option<f64>,
    /// One short round, for a first impression
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    output: Output,
    /// Draw the tables, and the chart if there is one, of this directory again from its JSON, and measure nothing
    #[arg(long)]
    redraw: Option<PathBuf>,
    /// The cores of the proxy, separated by commas
    #[arg(long, value_delimiter = ',')]
    proxy_cores: Vec<usize>,
    /// The cores of the generator, and of what is behind and beside the proxy, separated by commas
    #[arg(long, value_delimiter = ',')]
    ends_cores: Vec<usize>,
    /// The wxgate to measure
    #[arg(long, default_value = "target/shipped/wxgate")]
    wxgate: PathBuf,
}

/// How many rounds there are, and how long each measurement is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounds {
    /// How many times each figure is measured.
    pub count: usize,
    /// How long before a window opens, in seconds.
    pub warm_up: f64,
    /// How long it is open, in seconds.
    pub window: f64,
}

impl Options {
    /// Whether a first impression is enough.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.quick
    }

    /// The wxgate to measure.
    #[must_use]
    pub fn wxgate(&self) -> &Path {
        &self.wxgate
    }

    /// The rounds, of which some are `usual` and fewer `quick`.
    ///
    /// # Errors
    ///
    /// There would be none.
    pub fn rounds(&self, usual: Rounds, quick: Rounds) -> anyhow::Result<Rounds> {
        let told = if self.quick { quick } else { usual };
        let rounds = Rounds {
            count: self.rounds.unwrap_or(told.count),
            window: self.seconds.unwrap_or(told.window),
            ..told
        };
        ensure!(
            rounds.count > 0 && rounds.window > 0.0,
            "nothing would be measured"
        );
        Ok(rounds)
    }

    /// Draws the results called `name` again if that is all there is to do, and says whether it was.
    ///
    /// # Errors
    ///
    /// They are not there.
    pub fn redraw<R>(&self, name: &str, chart: fn(&R) -> Option<String>) -> anyhow::Result<bool>
    where
        R: Display + Serialize + DeserializeOwned,
    {
        let Some(directory) = &self.redraw else {
            return Ok(false);
        };
        let file = directory.join(format!("{name}.json"));
        let json = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let results = serde_json::from_str(&json)?;
        write(directory, name, &results, chart(&results))?;
        Ok(true)
    }

    /// Measures on these cores, unless others are told, and writes the results under `name`.
    ///
    /// # Errors
    ///
    /// What is measured does not start, or the docs would get less than `is_whole` says there is.
    pub fn run<R: Display + Serialize>(
        &self,
        name: &str,
        usual: Cores,
        is_whole: bool,
        measure: impl FnOnce(&Place) -> anyhow::Result<R>,
        chart: fn(&R) -> Option<String>,
    ) -> anyhow::Result<()> {
        let directory = self.output.directory(is_whole && !self.quick)?;
        let place = Place::open(self.cores(usual), self.wxgate.clone())?;
        let results = measure(&place)?;
        writeln!(io::stdout(), "{results}")?;
        write(directory, name, &results, chart(&results))
    }

    fn cores(&self, usual: Cores) -> Cores {
        let or = |told: &[usize], usual| match told {
            [] => usual,
            told => told.to_vec(),
        };
        Cores {
            proxy: or(&self.proxy_cores, usual.proxy),
            ends: or(&self.ends_cores, usual.ends),
        }
    }
}

impl Rounds {
    pub(crate) fn spans(self) -> Spans {
        Spans {
            warm_up: self.warm_up,
            window: self.window,
        }
    }
}

/// Writes results as JSON and as tables, and the chart if there is one.
fn write<R: Display + Serialize>(
    directory: &Path,
    name: &str,
    results: &R,
    chart: Option<String>,
) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    let files = [
        ("json", Some(json)),
        ("md", Some(results.to_string())),
        ("svg", chart),
    ];
    for (kind, text) in files {
        if let Some(text) = text {
            fs::write(directory.join(format!("{name}.{kind}")), text)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }

    const USUAL: Rounds = Rounds {
        count: 5,
        warm_up: 0.5,
        window: 2.0,
    };
    const QUICK: Rounds = Rounds {
        count: 1,
        warm_up: 0.2,
        window: 1.0,
    };

    fn options(told: &str) -> Options {
        let told = std::iter::once("run").chain(told.split_whitespace());
        Arguments::try_parse_from(told).unwrap().options
    }

    #[test]
    fn what_is_told_goes_before_what_is_usual_or_quick() {
        let rounds = |told| options(told).rounds(USUAL, QUICK).unwrap();
        assert_eq!(rounds(""), USUAL);
        assert_eq!(rounds("--quick"), QUICK);
        let told = rounds("--quick --rounds 3 --seconds 7");
        assert_eq!((told.count, told.warm_up, told.window), (3, 0.2, 7.0));
        for told in ["--rounds 0", "--seconds 0"] {
            let error = options(told).rounds(USUAL, QUICK).unwrap_err();
            assert_eq!(error.to_string(), "nothing would be measured");
        }
    }

    #[test]
    fn cores_are_the_usual_ones_unless_others_are_told() {
        let cores = options("--ends-cores 2,3").cores(Cores::apart());
        assert_eq!((cores.proxy, cores.ends), (vec![0], vec![2, 3]));
    }

    #[test]
    fn results_are_drawn_again_from_what_was_written() {
        let directory = TempDir::new().unwrap();
        let path = directory.path();
        let chart = |results: &String| Some(format!("<svg>{results}</svg>"));
        write(path, "run", &"it".to_owned(), None).unwrap();
        assert!(!path.join("run.svg").exists());
        assert!(!options("").redraw("run", chart).unwrap());
        let told = options(&format!("--redraw {}", path.display()));
        assert!(told.redraw("run", chart).unwrap());
        let svg = fs::read_to_string(path.join("run.svg")).unwrap();
        assert_eq!(svg, "<svg>it</svg>");
        assert!(told.redraw("other", chart).is_err());
    }
}
