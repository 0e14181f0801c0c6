//! `assay coverage`

use clap::Args;
use reference_broker::core::Config;

use crate::coverage::Collector;
use crate::report::coverage::{console, markdown};
use crate::scenario::WorldKind;
use crate::session::{jobs, run_simulated};

use super::{HARNESS, SuiteArguments, USAGE, complain, default_jobs, load, print};

/// Arguments of `coverage`.
#[derive(Debug, Args)]
pub struct CoverageArguments {
    #[command(flatten)]
    suite: SuiteArguments,
    /// `console`, `json` or `markdown`; with `=FILE` into a file (repeatable)
    #[arg(long, value_name = "FORMAT[=FILE]", default_value = "console")]
    format: Vec<String>,
}

/// `assay coverage`: plays the suite in the core world and counts what it judged. 1 if something is untested.
pub fn coverage(arguments: &CoverageArguments) -> u8 {
    let formats: Vec<(&str, Option<&str>)> = arguments
        .format
        .iter()
        .map(|text| text.split_once('=').map_or((text.as_str(), None), |(name, file)| (name, Some(file))))
        .collect();
    if let Some((name, _)) = formats.iter().find(|(name, _)| !["console", "json", "markdown"].contains(name))
    {
        complain(&format!("unknown format `{name}`: expected console, json or markdown"));
        return USAGE;
    }
    let suite = match load(&arguments.suite) {
        Ok(suite) => suite,
        Err(code) => return code,
    };
    let selection = arguments.suite.selection();
    let jobs = jobs(&suite, &selection, 1);
    let mut collector = Collector::default();
    run_simulated(&jobs, WorldKind::Core, &Config::default(), default_jobs(), &mut |outcome| {
        collector.take(&jobs[outcome.index], &outcome);
        true
    });
    let coverage = collector.finish();
    for (name, file) in formats {
        let text = match name {
            "json" => match serde_json::to_string_pretty(&coverage) {
                Ok(text) => text,
                Err(error) => {
                    complain(&format!("the coverage cannot be written: {error}"));
                    return HARNESS;
                }
            },
            "markdown" => markdown(&coverage),
            _ => console(&coverage),
        };
        match file {
            None => print(text.trim_end()),
            Some(file) => {
                if let Err(error) = std::fs::write(file, text) {
                    complain(&format!("{file} cannot be written: {error}"));
                    return USAGE;
                }
            }
        }
    }
    u8::from(coverage.untested().next().is_some())
}
