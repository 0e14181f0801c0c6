//! `assay baseline` and `assay compare`: what is known of a broker, and what changed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::baseline::Baseline;
use crate::report::compare::{Comparison, console, markdown};
use crate::report::read::read as result;
use crate::session::{Selection, jobs};
use crate::text::SourceText;

use super::{HARNESS, SuiteArguments, USAGE, complain, load, print};

/// Arguments of `baseline`.
#[derive(Debug, Args)]
pub struct BaselineArguments {
    /// The result of a run (`--format json=FILE`), or the folder of a report or certificate
    result: PathBuf,
    /// The file to write; if it exists, its reasons, links and dates are kept [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The earlier result: a JSON file, or the folder of a report or certificate
    old: PathBuf,
    /// The later one
    new: PathBuf,
    /// Markdown instead of text
    #[arg(long)]
    markdown: bool,
}

/// A baseline for a run.
///
/// # Errors
/// A message for people.
pub(super) fn read(path: &Path, arguments: &SuiteArguments) -> Result<Baseline, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("error: cannot read {}: {error}", path.display()))?;
    // What is not played this time may be listed all the same.
    let whole = SuiteArguments {
        scenarios: Vec::new(),
        suite: arguments.suite.clone(),
        protocol: Vec::new(),
        requirement: Vec::new(),
    };
    let all = load(&whole).map_err(|_| "error: the suite cannot be read".to_string())?;
    let named = load(arguments).map_err(|_| "error: the suite cannot be read".to_string())?;
    let mut known: Vec<String> = [&all, &named]
        .into_iter()
        .flat_map(|suite| jobs(suite, &Selection::default(), 1))
        .map(|job| format!("{} ({})", job.scenario.full_name(), job.version))
        .collect();
    known.sort();
    known.dedup();
    Baseline::parse(SourceText::new(path.display().to_string(), text), &known)
        .map_err(|problems| problems.render(super::colour()))
}

/// `assay baseline`
pub fn baseline(arguments: &BaselineArguments) -> u8 {
    let result = match result(&arguments.result) {
        Ok(result) => result,
        Err(error) => {
            complain(&format!("error: {error}"));
            return USAGE;
        }
    };
    if result.partial || result.lost.is_some() {
        complain("warning: that run is partial: cases that it did not come to are not listed");
    }
    let before = match &arguments.output {
        Some(path) if path.exists() => {
            let suite = SuiteArguments {
                scenarios: Vec::new(),
                suite: None,
                protocol: Vec::new(),
                requirement: Vec::new(),
            };
            match read(path, &suite) {
                Ok(before) => Some(before),
                Err(error) => {
                    complain(&error);
                    return USAGE;
                }
            }
        }
        _ => None,
    };
    let baseline = Baseline::of(&result, before.as_ref());
    let text = baseline.to_yaml();
    let Some(path) = &arguments.output else {
        print(text.trim_end());
        return 0;
    };
    if let Err(error) = std::fs::write(path, text) {
        complain(&format!("error: cannot write {}: {error}", path.display()));
        return HARNESS;
    }
    let cases: usize = baseline.entries.iter().map(|entry| entry.cases.len()).sum();
    print(&format!("{}: {} deviations in {cases} cases", path.display(), baseline.entries.len()));
    0
}

/// `assay compare`
pub fn compare(arguments: &CompareArguments) -> u8 {
    let (old, new) = match (result(&arguments.old), result(&arguments.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            for error in [old.err(), new.err()].into_iter().flatten() {
                complain(&format!("error: {error}"));
            }
            return USAGE;
        }
    };
    let comparison = Comparison::of(&old, &new);
    let text = if arguments.markdown { markdown(&comparison) } else { console(&comparison) };
    print(text.trim_end());
    u8::from(!comparison.regressed.is_empty() || comparison.new.iter().any(|it| it.is_bad()))
}
